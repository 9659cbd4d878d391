// Payloads that were kept go through another revision, and the source is asked nothing.
#include <filesystem>
#include <fstream>
#include <map>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "common/batch/batch.h"
#include "common/profile/fetch_difference.h"
#include "common/profile/profile_parser.h"
#include "common/status/status.h"
#include "common/text/sha256.h"
#include "drone/pipeline/page_body.h"
#include "drone/pipeline/pipeline.h"
#include "test/support/http_fixture.h"
#include "test/support/temp_dir.h"
#include "test/support/test.h"

namespace chartly::drone {
namespace {

class KeepingSink final : public BatchSink {
 public:
  absl::Status Append(std::string bytes, int64_t fetched, const Cursor* cursor) override {
    ASSIGN_OR_RETURN(Batch batch, Batch::Parse(bytes));
    moved = moved || cursor != nullptr;
    total += fetched;
    batches.push_back(std::move(batch));
    return absl::OkStatus();
  }
  // By the id of each record, the last one counts.
  std::map<int64_t, std::string> Ages() const {
    std::map<int64_t, std::string> ages;
    for (const Batch& batch : batches) {
      for (uint32_t row = 0; row < batch.rows(); ++row) {
        ages[batch.Get(Role::kDim, "id", row).integer()] = batch.Get(Role::kMeasure, "age", row).ToText();
      }
    }
    return ages;
  }
  std::vector<Batch> batches;
  int64_t total = 0;
  bool moved = false;
};

struct World {
  testing::TempDir dir;
  testing::HttpFixture server;
  std::unique_ptr<net::HttpClient> http = net::MakeHttpClient(*net::EgressPolicy::Create({"127.0.0.1/32"}));
  SystemClock clock;
  std::unique_ptr<CaptureStore> captures;
  std::unique_ptr<KeepingSink> sink;
  std::optional<Cursor> cursor;

  World() {
    CaptureStoreOptions options;
    options.folder = dir.File("captures");
    options.min_free_bytes = 0;
    auto opened = CaptureStore::Open(options, clock);
    REQUIRE_OK(opened);
    captures = *std::move(opened);
  }
  // Ages are taken from the field `age`.
  std::string Text(const std::string& age, const std::string& source = "", const std::string& more = "") {
    return absl::StrCat(
        "id: people\nversion: 1.0.0\nsource: {type: http_rest, url: \"", server.Url("/data"), "\", format: json",
        source, "}\nmapping: {id: {to: dims.id, type: integer}, ", age,
        ": {to: measures.age, type: integer}}\nkey: [dims.id]\ncapture: {max_bytes: 64MiB, max_age: 1d}\n", more);
  }
  v1::RunEnd Run(const std::string& text, std::optional<absl::Time> replay_since = std::nullopt) {
    auto profile = ParseProfileOrError("people.yaml", text);
    REQUIRE_OK(profile);
    sink = std::make_unique<KeepingSink>();
    PipelineDeps deps{*http, clock, "", *sink};
    deps.captures = captures.get();
    RunSpec spec{*profile, "run-1", "drone-1"};
    spec.replay_since = replay_since;
    spec.source_digest = SourceDigest(text);
    Pipeline pipeline(std::move(spec), std::move(deps));
    v1::RunEnd end = pipeline.Run();
    cursor = pipeline.cursor();
    return end;
  }
  v1::RunEnd Replay(const std::string& text) { return Run(text, absl::InfinitePast()); }
};

const char kFirst[] = R"([{"id":1,"age":10,"years":30},{"id":2,"age":11,"years":31}])";
const char kSecond[] = R"([{"id":3,"age":12,"years":32}])";

testing::FixtureResponse Json(const std::string& body) {
  return {.status = 200, .body = body, .headers = {{"Content-Type", "application/json"}}, .delay = {}, .raw = ""};
}

TEST_CASE("a mended mapping goes over what was fetched, with its time and origin, and the source is asked nothing") {
  World world;
  world.server.Map("/data?page=1", Json(kFirst));
  world.server.Map("/data?page=2", Json(kSecond));
  world.server.Map("/data?page=3", Json("[]"));
  const std::string paged = ", pagination: {type: page}";
  const v1::RunEnd fetched = world.Run(world.Text("age", paged));
  CHECK(fetched.error() == "");
  const std::unique_ptr<KeepingSink> before = std::move(world.sink);
  REQUIRE(before->batches.size() == 2);
  CHECK(before->batches[0].header().captured());
  const int asked = world.server.Count();
  for (int round = 0; round < 2; ++round) {
    const v1::RunEnd end = world.Replay(world.Text("years", paged));
    CHECK(end.error() == "");
    CHECK_FALSE(end.truncated());
    CHECK(end.fetched() == 3);
    CHECK(end.pages() == 3);
    CHECK(world.sink->Ages() == std::map<int64_t, std::string>{{1, "30"}, {2, "31"}, {3, "32"}});
    REQUIRE(world.sink->batches.size() == 2);
    for (size_t i = 0; i < 2; ++i) {
      const BatchHeader& now = world.sink->batches[i].header();
      const BatchHeader& then = before->batches[i].header();
      CHECK(now.observed_us() == then.observed_us());
      CHECK(now.payload_sha256() == then.payload_sha256());
      CHECK(now.source_uri() == then.source_uri());
      CHECK(now.revision() != then.revision());
      CHECK(now.captured());
    }
    CHECK_FALSE(world.cursor);
    CHECK_FALSE(world.sink->moved);
  }
  CHECK(world.server.Count() == asked);
}

TEST_CASE("how it is asked and signed in to may differ, another source may not") {
  World world;
  world.server.Map("/data", Json(kFirst));
  REQUIRE(world.Run(world.Text("age")).error() == "");
  CHECK(world.Replay(world.Text("years", ", auth: {type: bearer, secretRef: {name: a, key: b}}")).error() == "");
  CHECK(world.Replay(world.Text("years", ", charset: utf-8")).fetched() == 2);
  const std::string other = absl::StrReplaceAll(world.Text("years"), {{"/data", "/other"}});
  CHECK(world.Replay(other).error_reason() == "CAPTURE_OF_ANOTHER_SOURCE");
  // Of several sources, the payloads of its own.
  world.server.Map("/other", Json(kSecond));
  REQUIRE(world.Run(absl::StrReplaceAll(world.Text("age"), {{"/data", "/other"}})).error() == "");
  const v1::RunEnd mixed = world.Replay(other);
  CHECK(world.sink->Ages() == std::map<int64_t, std::string>{{3, "32"}});
  CHECK(mixed.truncated());
  CHECK(mixed.error_reason() == "CAPTURE_OF_ANOTHER_SOURCE");
  CHECK(absl::StrContains(mixed.error(), "1 kept payloads were left out"));
}

TEST_CASE("a payload larger than what is read ahead is kept while it is read, and read again") {
  World world;
  std::string rows = "[";
  for (int i = 0; i < 200'000; ++i) {
    absl::StrAppend(&rows, i > 0 ? "," : "", "{\"id\":", i, ",\"age\":", i % 90, ",\"years\":", i % 70, "}");
  }
  rows += "]";
  REQUIRE(rows.size() > kReadAheadBytes);
  world.server.Map("/data", Json(rows));
  const v1::RunEnd fetched = world.Run(world.Text("age"));
  REQUIRE(fetched.payloads_size() == 1);
  CHECK(fetched.payloads(0).captured());
  const int asked = world.server.Count();
  const v1::RunEnd end = world.Replay(world.Text("years"));
  CHECK(end.error() == "");
  CHECK(end.fetched() == 200'000);
  // Its hash is known before its first row now.
  CHECK(world.sink->batches.front().header().payload_sha256() == Sha256Hex(rows));
  CHECK(world.server.Count() == asked);
}

TEST_CASE("limits and expectations are of what is fetched, not of what is gone through again") {
  World world;
  world.server.Map("/data", Json(kFirst));
  const std::string tight = "limits: {max_records: 2, max_pages: 1, max_bytes: 100}\nexpect: {min_records: 2}\n";
  for (int i = 0; i < 3; ++i) REQUIRE(world.Run(world.Text("age", "", tight)).fetched() == 2);
  const v1::RunEnd end = world.Replay(world.Text("years", "", tight));
  CHECK(end.fetched() == 6);
  CHECK(end.pages() == 3);
  CHECK_FALSE(end.truncated());
}

TEST_CASE("only what was fetched since a time is gone through, and nothing is told as that") {
  World world;
  world.server.Map("/data", Json(kFirst));
  REQUIRE(world.Run(world.Text("age")).error() == "");
  const absl::Time between = world.clock.Now();
  CHECK(world.Run(world.Text("years"), between + absl::Hours(1)).error_reason() == "CAPTURE_NOT_FOUND");
  CHECK(world.Run(world.Text("years"), between - absl::Hours(1)).fetched() == 2);
}

TEST_CASE("a payload that nobody could read is kept, passed over, and read by a revision that can") {
  World world;
  const std::string broken = "[{\"id\":1,\"age\":10,\"years\":30},";
  world.server.Map("/data", Json(broken));
  CHECK(absl::StartsWith(world.Run(world.Text("age")).error_reason(), "PAYLOAD_"));
  world.server.Map("/data", Json(kSecond));
  REQUIRE(world.Run(world.Text("age")).error() == "");
  const v1::RunEnd end = world.Replay(world.Text("years"));
  CHECK(end.truncated());
  CHECK(absl::StartsWith(end.error_reason(), "PAYLOAD_"));
  CHECK(absl::StrContains(end.error(), Sha256Hex(broken)));
  CHECK(world.sink->Ages()[3] == "32");
}

TEST_CASE("a damaged payload is left out and told, and the others go through") {
  World world;
  world.server.Map("/data", Json(kFirst));
  REQUIRE(world.Run(world.Text("age")).error() == "");
  world.server.Map("/data", Json(kSecond));
  REQUIRE(world.Run(world.Text("age")).error() == "");
  std::filesystem::resize_file(absl::StrCat(world.dir.File("captures"), "/people/", Sha256Hex(kFirst), ".zst"), 20);
  const v1::RunEnd end = world.Replay(world.Text("years"));
  CHECK(end.truncated());
  CHECK(end.error_reason() == "CAPTURE_DAMAGED");
  CHECK(absl::StrContains(end.error(), Sha256Hex(kFirst)));
  CHECK(world.sink->Ages() == std::map<int64_t, std::string>{{3, "32"}});
}

TEST_CASE("nothing is kept of a profile that does not say so, and a store that fails touches no run") {
  World world;
  world.server.Map("/data", Json(kFirst));
  SECTION("not wanted") {
    std::string text = world.Text("age");
    text.resize(text.find("capture:"));
    CHECK(world.Run(text).fetched() == 2);
    CHECK_FALSE(world.sink->batches[0].header().captured());
    CHECK(world.captures->Fetches("people", absl::InfinitePast())->empty());
  }
  SECTION("no folder can be made") {
    std::filesystem::remove_all(world.dir.File("captures"));
    std::ofstream(world.dir.File("captures")) << "a file in its place";
    const v1::RunEnd end = world.Run(world.Text("age"));
    CHECK(end.error() == "");
    CHECK(end.fetched() == 2);
    CHECK_FALSE(world.sink->batches[0].header().captured());
  }
}

}  // namespace
}  // namespace chartly::drone
