#include "common/s3/bucket.h"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <set>
#include <thread>
#include <vector>

#include "absl/strings/match.h"
#include "common/status/status.h"
#include "test/support/http_fixture.h"
#include "test/support/temp_dir.h"
#include "test/support/test.h"

namespace chartly::s3 {
namespace {

using chartly::testing::FixtureRequest;
using chartly::testing::HttpFixture;
using chartly::testing::TempDir;

// What a store would answer is checked against a real one's rules in test/e2e; here is what it cannot be made to do.
struct Store {
  Store() {
    ::setenv("AWS_ACCESS_KEY_ID", "AK", 1);
    ::setenv("AWS_SECRET_ACCESS_KEY", "SK", 1);
    auto opened = Bucket::Open({.url = server.Url("/b/deep/er"), .piece_bytes = 4}, clock, cancel);
    REQUIRE_OK(opened);
    bucket = *std::move(opened);
  }
  ~Store() {
    ::unsetenv("AWS_ACCESS_KEY_ID");
    ::unsetenv("AWS_SECRET_ACCESS_KEY");
  }
  std::string File(const std::string& text) const {
    const std::string path = dir.File("file");
    std::ofstream(path) << text;
    return path;
  }
  std::set<std::string> Names() const {
    std::set<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator(dir.path())) names.insert(entry.path().filename());
    return names;
  }

  TempDir dir;
  HttpFixture server;
  SystemClock clock;
  std::atomic<bool> cancel = false;
  std::unique_ptr<Bucket> bucket;
};

TEST_CASE("addresses are of https, or of this host") {
  SystemClock clock;
  const std::atomic<bool> never = false;
  for (const char* url : {"", "s3://b", "https://h", "https://h/", "http://h/b", "https://u:p@h/b", "https://h/b?x"}) {
    CAPTURE(url);
    CHECK(Reason(Bucket::Open({.url = url}, clock, never).status()) == "S3_URL_INVALID");
  }
  CHECK_OK(Bucket::Open({.url = "https://h:9000/b/prefix/"}, clock, never));
  CHECK_OK(Bucket::Open({.url = "http://127.0.0.1:1/b"}, clock, never));
}

TEST_CASE("what fails in passing is tried again, and what is refused is not") {
  Store store;
  store.server.Script("/b/deep/er/k", {{.status = 503}, {.raw = "HTTP"}, {.body = "text"}});
  auto text = store.bucket->Get("k");
  REQUIRE_OK(text);
  CHECK(*text == "text");
  CHECK(store.server.Count("/b/deep/er/k") == 3);

  store.server.Map("/b/deep/er/no", {.status = 403, .body = "<Error><Code>AccessDenied</Code></Error>"});
  const absl::Status refused = store.bucket->Get("no").status();
  CHECK(Reason(refused) == "S3_REFUSED");
  CHECK(absl::StrContains(refused.message(), "AccessDenied"));
  CHECK(store.server.Count("/b/deep/er/no") == 1);
  CHECK(Reason(store.bucket->Get("gone").status()) == "S3_OBJECT_NOT_FOUND");
  CHECK_OK(store.bucket->Delete("gone"));
}

TEST_CASE("a large file goes in pieces, and is given up whole if one is refused") {
  Store store;
  std::string got;
  store.server.Handle("/b/deep/er/big", [&](const FixtureRequest& request) -> chartly::testing::FixtureResponse {
    if (absl::EndsWith(request.target, "uploads=")) return {.body = "<R><UploadId>u&amp;1</UploadId></R>"};
    if (request.method == "PUT") {
      got += request.body;
      return {.headers = {{"ETag", "\"" + request.body + "\""}}};
    }
    got += "|" + request.body;
    return {.body = "<R><ETag>x</ETag></R>"};
  });
  REQUIRE_OK(store.bucket->PutFile("big", store.File("0123456789")));
  CHECK(absl::StartsWith(got, "0123456789|<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>\"0123\""));
  CHECK(store.server.Count("/b/deep/er/big?partNumber=3&uploadId=u%261") == 1);

  store.server.Handle("/b/deep/er/big", [&](const FixtureRequest& request) -> chartly::testing::FixtureResponse {
    if (absl::EndsWith(request.target, "uploads=")) return {.body = "<R><UploadId>2</UploadId></R>"};
    if (request.method == "DELETE") return {.status = 204};
    return {.status = 400, .body = "<Error><Code>EntityTooSmall</Code></Error>"};
  });
  CHECK(Reason(store.bucket->PutFile("big", store.File("0123456789"))) == "S3_REFUSED");
  CHECK(store.server.requests().back().method == "DELETE");
}

TEST_CASE("an upload whose end says that it failed has failed") {
  Store store;
  store.server.Handle("/b/deep/er/big", [&](const FixtureRequest& request) -> chartly::testing::FixtureResponse {
    if (absl::EndsWith(request.target, "uploads=")) return {.body = "<R><UploadId>2</UploadId></R>"};
    if (request.method == "POST") return {.body = "<Error><Code>InternalError</Code></Error>"};
    return {};
  });
  CHECK(Reason(store.bucket->PutFile("big", store.File("0123456789"))) == "S3_UNREACHABLE");
}

TEST_CASE("a store that begins an upload without a name for it gets no pieces, and loses no object") {
  Store store;
  store.server.Handle("/b/deep/er/big",
                      [&](const FixtureRequest&) -> chartly::testing::FixtureResponse { return {.body = "<R></R>"}; });
  CHECK(Reason(store.bucket->PutFile("big", store.File("0123456789"))) == "S3_ANSWER_INVALID");
  for (const FixtureRequest& request : store.server.requests()) CHECK(request.method == "POST");
}

TEST_CASE("a list that never gets on has an end") {
  Store store;
  int asked = 0;
  store.server.Handle("/b", [&](const FixtureRequest&) -> chartly::testing::FixtureResponse {
    if (++asked > 20) return {.status = 403};
    return {.body = "<R><IsTruncated>true</IsTruncated><NextContinuationToken>t</NextContinuationToken></R>"};
  });
  CHECK(Reason(store.bucket->List("").status()) == "S3_ANSWER_INVALID");
}

TEST_CASE("a file that cannot get its name leaves nothing") {
  Store store;
  store.server.Map("/b/deep/er/k", {.body = "text"});
  const std::string path = store.dir.File("target");
  std::filesystem::create_directories(path + "/taken");
  CHECK(Reason(store.bucket->GetFile("k", path)) == "S3_FILE_FAILED");
  CHECK(store.Names() == std::set<std::string>{"target"});
}

TEST_CASE("a file that broke off leaves nothing") {
  Store store;
  store.server.Map("/b/deep/er/k", {.raw = "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort"});
  const std::string path = store.dir.File("target");
  CHECK(Reason(store.bucket->GetFile("k", path)) == "S3_UNREACHABLE");
  CHECK(store.Names().empty());
}

TEST_CASE("a file that several fetch at once is whole whenever it is there") {
  Store store;
  const std::string text(256 << 10, 'x');
  store.server.Map("/b/deep/er/k", {.body = text});
  const std::string path = store.dir.File("target");
  std::vector<absl::Status> ends(4);
  std::vector<std::thread> threads;
  for (absl::Status& end : ends) {
    threads.emplace_back([&] {
      auto own = Bucket::Open({.url = store.server.Url("/b/deep/er")}, store.clock, store.cancel);
      end = own.ok() ? (*own)->GetFile("k", path) : own.status();
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (const absl::Status& end : ends) CHECK_OK(end);
  CHECK(std::filesystem::file_size(path) == text.size());
  CHECK(store.Names() == std::set<std::string>{"target"});
}

}  // namespace
}  // namespace chartly::s3
