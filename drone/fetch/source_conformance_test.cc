// What every kind of source must do, whatever lies behind it. A new kind adds a Subject and gets all of it.
#include <sys/stat.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <optional>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/status/status.h"
#include "drone/fetch/postgres_reader_for_test.h"
#include "drone/fetch/source.h"
#include "test/support/http_fixture.h"
#include "test/support/postgres_fixture.h"
#include "test/support/test.h"

namespace chartly::drone {
namespace {

using chartly::testing::Eventually;
using chartly::testing::HttpFixture;
using chartly::testing::PostgresFixture;
using chartly::testing::TempDir;

constexpr int kRowsOfPage = 100;

std::string Line(int n) { return absl::StrCat("{\"n\":", n, "}\n"); }

std::string Lines(int from, int to) {
  std::string lines;
  for (int n = from; n <= to; ++n) lines += Line(n);
  return lines;
}

// A source that has the rows 1 to `rows`, in NDJSON.
class Subject {
 public:
  virtual ~Subject() = default;
  virtual void Fill(int rows) = 0;
  // Whether rows of several pages are several pages here.
  virtual bool has_pages() const = 0;
  // Makes it keep its reader waiting for minutes; false if that cannot be.
  virtual bool MakeSlow() = 0;
  // Whether it has begun to keep the reader waiting.
  virtual bool IsAsked() = 0;
  // Takes it away; returns the reason that is then given. Nothing if it is always there.
  virtual std::optional<std::string> Remove() = 0;

  std::unique_ptr<Source> Open() {
    SourceDeps deps{*http_, clock, dir_.path(), &secrets_, cursor};
    deps.deliveries = &deliveries_;
    deps.deadline = deadline;
    auto source = OpenSource(profile, deps);
    REQUIRE_OK(source);
    return *std::move(source);
  }

  Profile profile;
  Cursor cursor;
  FakeClock clock;
  absl::Time deadline = absl::InfiniteFuture();

 protected:
  TempDir dir_;
  std::vector<Delivery> deliveries_;

 private:
  Secrets secrets_{dir_.path()};
  std::unique_ptr<net::HttpClient> http_ = net::MakeHttpClient(*net::EgressPolicy::Create({"127.0.0.1"}));
};

class HttpSubject final : public Subject {
 public:
  HttpSubject() {
    profile.source.url = server_->Url("/rows");
    profile.source.pagination.type = PaginationType::kPage;
  }
  void Fill(int rows) override {
    int page = 1;
    for (int from = 1; from <= rows; from += kRowsOfPage, ++page) {
      server_->Map(Target(page), {.body = Lines(from, std::min(rows, from + kRowsOfPage - 1))});
    }
    server_->Map(Target(page), {.body = ""});
  }
  bool has_pages() const override { return true; }
  bool MakeSlow() override {
    server_->Map(Target(1), {.body = "late", .delay = std::chrono::minutes(2)});
    return true;
  }
  bool IsAsked() override { return server_->Count() > 0; }
  std::optional<std::string> Remove() override {
    server_.reset();
    return "SOURCE_UNREACHABLE";
  }

 private:
  static std::string Target(int page) { return absl::StrCat("/rows?page=", page); }
  std::unique_ptr<HttpFixture> server_ = std::make_unique<HttpFixture>();
};

class FileSubject final : public Subject {
 public:
  FileSubject() {
    profile.source.type = SourceType::kFile;
    profile.source.path = "rows.ndjson";
  }
  void Fill(int rows) override { std::ofstream(dir_.File("rows.ndjson")) << Lines(1, rows); }
  bool has_pages() const override { return false; }
  bool MakeSlow() override { return false; }
  bool IsAsked() override { return false; }
  std::optional<std::string> Remove() override {
    std::filesystem::remove(dir_.File("rows.ndjson"));
    return "FILE_NOT_FOUND";
  }
};

// A file for every hundred rows.
class FilesSubject final : public Subject {
 public:
  FilesSubject() {
    profile.source.type = SourceType::kFile;
    profile.source.path = "in/*.ndjson";
  }
  void Fill(int rows) override {
    std::filesystem::remove_all(dir_.File("in"));
    std::filesystem::create_directory(dir_.File("in"));
    for (int from = 1; from <= rows; from += kRowsOfPage) {
      std::ofstream(dir_.File(absl::StrCat("in/", from + 1000, ".ndjson")))
          << Lines(from, std::min(rows, from + kRowsOfPage - 1));
    }
  }
  bool has_pages() const override { return true; }
  bool MakeSlow() override { return false; }
  bool IsAsked() override { return false; }
  std::optional<std::string> Remove() override {
    std::filesystem::remove_all(dir_.File("in"));
    return "FILE_NOT_FOUND";
  }
};

class PostgresSubject final : public Subject {
 public:
  PostgresSubject() {
    profile = ReaderOf(server_, dir_);
    profile.source.postgres.host = "127.0.0.1";
    profile.source.postgres.tls = "disable";
  }
  void Fill(int rows) override {
    profile.source.postgres.query = absl::StrCat("SELECT n FROM generate_series(1, ", rows, ") n");
  }
  bool has_pages() const override { return true; }
  bool MakeSlow() override {
    profile.source.postgres.query = "SELECT pg_sleep(120)";
    return true;
  }
  bool IsAsked() override {
    return server_.Ask("SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'FETCH%' AND state = 'active'") == "1";
  }
  std::optional<std::string> Remove() override {
    server_.Stop();
    return "SOURCE_UNREACHABLE";
  }

 private:
  PostgresFixture server_;
};

class WebhookSubject final : public Subject {
 public:
  WebhookSubject() { profile.source.type = SourceType::kWebhook; }
  void Fill(int rows) override {
    deliveries_.clear();
    for (int from = 1; from <= rows; from += kRowsOfPage) {
      std::string body = Lines(from, std::min(rows, from + kRowsOfPage - 1));
      deliveries_.push_back({absl::StrCat("d", from), "", std::move(body), absl::UnixEpoch()});
    }
  }
  bool has_pages() const override { return true; }
  bool MakeSlow() override { return false; }
  bool IsAsked() override { return false; }
  std::optional<std::string> Remove() override { return std::nullopt; }
};

std::vector<std::unique_ptr<Subject>> Subjects() {
  std::vector<std::unique_ptr<Subject>> subjects;
  subjects.push_back(std::make_unique<HttpSubject>());
  subjects.push_back(std::make_unique<FileSubject>());
  subjects.push_back(std::make_unique<FilesSubject>());
  subjects.push_back(std::make_unique<WebhookSubject>());
  if (!PostgresFixture::Missing()) subjects.push_back(std::make_unique<PostgresSubject>());
  return subjects;
}

// Reads to the end; checks on the way what holds for all pages.
std::string ReadToEnd(Source& source, DecodeResult* previous = nullptr, uint32_t pages = 0) {
  std::string all;
  DecodeResult result;
  while (true) {
    auto page = source.Next(previous);
    REQUIRE_OK(page);
    if (!page->has_value()) return all;
    CHECK((*page)->number == ++pages);
    CHECK_FALSE((*page)->uri.empty());
    auto body = ReadAll(*(*page)->body, 1 << 20);
    REQUIRE_OK(body);
    auto after = (*page)->body->Read();
    REQUIRE_OK(after);
    CHECK(after->empty());
    result = {std::count(body->begin(), body->end(), '\n'), std::nullopt, std::nullopt};
    previous = &result;
    all += *body;
  }
}

// Reads to the end or the first error, which it returns; what came until then is in `all`.
absl::Status ReadUntilError(Source& source, std::string& all) {
  DecodeResult result;
  const DecodeResult* previous = nullptr;
  while (true) {
    ASSIGN_OR_RETURN(std::optional<Page> page, source.Next(previous));
    if (!page) return absl::OkStatus();
    const size_t before = all.size();
    while (true) {
      ASSIGN_OR_RETURN(absl::string_view piece, page->body->Read());
      if (piece.empty()) break;
      all.append(piece.data(), piece.size());
    }
    result = {std::count(all.begin() + static_cast<std::ptrdiff_t>(before), all.end(), '\n'), std::nullopt,
              std::nullopt};
    previous = &result;
  }
}

TEST_CASE("every source gives all its rows once, and then ends again and again") {
  for (auto& subject : Subjects()) {
    INFO(static_cast<int>(subject->profile.source.type));
    for (int rows : {0, 1, 2 * kRowsOfPage, 2 * kRowsOfPage + 50}) {
      subject->Fill(rows);
      auto source = subject->Open();
      CHECK(ReadToEnd(*source) == Lines(1, rows));
      CHECK(source->truncated_by().empty());
      DecodeResult none;
      auto end = source->Next(&none);
      REQUIRE_OK(end);
      CHECK_FALSE(end->has_value());
    }
  }
}

TEST_CASE("every source goes on after a body that was given up") {
  for (auto& subject : Subjects()) {
    INFO(static_cast<int>(subject->profile.source.type));
    subject->Fill(2 * kRowsOfPage + 50);
    auto source = subject->Open();
    REQUIRE_OK(source->Next(nullptr));
    DecodeResult given_up{kRowsOfPage, std::nullopt, std::nullopt};
    std::string expected = subject->has_pages() ? Lines(kRowsOfPage + 1, 2 * kRowsOfPage + 50) : "";
    CHECK(ReadToEnd(*source, &given_up, 1) == expected);
  }
}

TEST_CASE("every source goes on after a body of which a part was read") {
  for (auto& subject : Subjects()) {
    INFO(static_cast<int>(subject->profile.source.type));
    subject->Fill(2 * kRowsOfPage);
    auto source = subject->Open();
    auto page = source->Next(nullptr);
    REQUIRE_OK(page);
    auto piece = (*page)->body->Read();
    REQUIRE_OK(piece);
    CHECK_FALSE(piece->empty());
    DecodeResult some{1, std::nullopt, std::nullopt};
    std::string expected = subject->has_pages() ? Lines(kRowsOfPage + 1, 2 * kRowsOfPage) : "";
    CHECK(ReadToEnd(*source, &some, 1) == expected);
    CHECK(source->truncated_by().empty());
  }
}

TEST_CASE("every source of several pages ends when the time of its run is over, and says so") {
  for (auto& subject : Subjects()) {
    if (!subject->has_pages()) continue;
    INFO(static_cast<int>(subject->profile.source.type));
    subject->Fill(2 * kRowsOfPage);
    subject->deadline = subject->clock.Now() + absl::Minutes(1);
    auto source = subject->Open();
    auto page = source->Next(nullptr);
    REQUIRE_OK(page);
    REQUIRE(page->has_value());
    subject->clock.Advance(absl::Minutes(1));
    DecodeResult result{kRowsOfPage, std::nullopt, std::nullopt};
    page = source->Next(&result);
    REQUIRE_OK(page);
    CHECK_FALSE(page->has_value());
    CHECK(source->truncated_by() == kRunTimeoutLimit);
  }
}

TEST_CASE("every source says which limit ended it") {
  for (auto& subject : Subjects()) {
    INFO(static_cast<int>(subject->profile.source.type));
    subject->Fill(2 * kRowsOfPage);
    if (subject->has_pages()) {
      subject->profile.limits.max_pages = 1;
      auto source = subject->Open();
      CHECK(ReadToEnd(*source) == Lines(1, kRowsOfPage));
      CHECK(source->truncated_by() == "limits.max_pages");
      subject->profile.limits.max_pages = 1000;
      subject->profile.limits.max_bytes = static_cast<int64_t>(Lines(1, kRowsOfPage).size());
      auto by_bytes = subject->Open();
      CHECK(ReadToEnd(*by_bytes) == Lines(1, kRowsOfPage));
      CHECK(by_bytes->truncated_by() == "limits.max_bytes");
    }
    subject->profile.limits.max_bytes = static_cast<int64_t>(Lines(1, 2 * kRowsOfPage).size());
    auto fitting = subject->Open();
    CHECK(ReadToEnd(*fitting) == Lines(1, 2 * kRowsOfPage));
  }
}

TEST_CASE("no source gives more bytes than its profile allows, nor half a row that it calls the end") {
  for (auto& subject : Subjects()) {
    INFO(static_cast<int>(subject->profile.source.type));
    subject->Fill(2 * kRowsOfPage);
    const std::string rows = Lines(1, 2 * kRowsOfPage);
    for (size_t limit : {size_t{1}, Line(1).size() + 1, Lines(1, kRowsOfPage).size() + 1, rows.size() - 1}) {
      subject->profile.limits.max_bytes = static_cast<int64_t>(limit);
      auto source = subject->Open();
      std::string all;
      absl::Status status = ReadUntilError(*source, all);
      CHECK(all.size() <= limit);
      CHECK(all == rows.substr(0, all.size()));
      if (status.ok()) {
        CHECK(source->truncated_by() == "limits.max_bytes");
        CHECK((all.empty() || all.back() == '\n'));
      } else {
        CHECK(Reason(status) == "SOURCE_TOO_LARGE");
      }
    }
  }
}

TEST_CASE("every source that is not there says so with its reason") {
  for (auto& subject : Subjects()) {
    INFO(static_cast<int>(subject->profile.source.type));
    subject->Fill(1);
    subject->profile.retry.max_attempts = 1;
    std::optional<std::string> reason = subject->Remove();
    if (reason) CHECK(Reason(subject->Open()->Next(nullptr).status()) == *reason);
  }
}

TEST_CASE("every source is cancelled before and between its pages") {
  for (auto& subject : Subjects()) {
    INFO(static_cast<int>(subject->profile.source.type));
    subject->Fill(2 * kRowsOfPage);
    auto early = subject->Open();
    early->Cancel();
    early->Cancel();
    CHECK(Reason(early->Next(nullptr).status()) == "CANCELLED");
    auto between = subject->Open();
    REQUIRE_OK(between->Next(nullptr));
    between->Cancel();
    DecodeResult result{kRowsOfPage, std::nullopt, std::nullopt};
    CHECK(Reason(between->Next(&result).status()) == "CANCELLED");
  }
}

TEST_CASE("every source that keeps its reader waiting is cancelled in the middle") {
  for (auto& subject : Subjects()) {
    if (!subject->MakeSlow()) continue;
    INFO(static_cast<int>(subject->profile.source.type));
    auto source = subject->Open();
    std::thread canceller([&] {
      Eventually([&] { return subject->IsAsked(); });
      source->Cancel();
    });
    CHECK(Reason(source->Next(nullptr).status()) == "CANCELLED");
    canceller.join();
  }
}

TEST_CASE("no source moves the watermark by itself") {
  for (auto& subject : Subjects()) {
    INFO(static_cast<int>(subject->profile.source.type));
    subject->Fill(1);
    subject->cursor.set_watermark("2026-01-01T00:00:00Z");
    auto source = subject->Open();
    CHECK(ReadToEnd(*source) == Lines(1, 1));
    Cursor learnt = subject->cursor;
    source->Learn(learnt);
    CHECK(learnt.watermark() == "2026-01-01T00:00:00Z");
  }
}

}  // namespace
}  // namespace chartly::drone
