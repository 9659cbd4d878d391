#include "drone/fetch/source.h"

#include <sys/stat.h>

#include <fstream>
#include <thread>

#include "absl/strings/str_cat.h"
#include "common/status/status.h"
#include "common/telemetry/metrics.h"
#include "test/support/http_fixture.h"
#include "test/support/test.h"

namespace chartly::drone {
namespace {

using chartly::testing::Eventually;
using chartly::testing::HttpFixture;
using chartly::testing::Says;
using chartly::testing::TempDir;

// A source over a loopback server, with time that moves only when something waits.
struct World {
  HttpFixture server;
  std::unique_ptr<net::HttpClient> http = net::MakeHttpClient(*net::EgressPolicy::Create({"127.0.0.1"}));
  FakeClock clock;
  TempDir dir;
  Profile profile;

  std::unique_ptr<Source> Open() {
    auto source = OpenSource(profile, {*http, clock, dir.path()});
    REQUIRE_OK(source);
    return *std::move(source);
  }
  World& At(const std::string& target) {
    profile.source.url = server.Url(target);
    return *this;
  }
};

DecodeResult Rows(int64_t rows, std::optional<int64_t> pages = std::nullopt,
                  std::optional<std::string> next = std::nullopt) {
  return {rows, pages, next};
}

std::string BodyOf(const absl::StatusOr<std::optional<Page>>& page) {
  REQUIRE_OK(page);
  if (!page->has_value()) return "(end)";
  auto body = ReadAll(*(*page)->body, 1 << 20);
  REQUIRE_OK(body);
  return *body;
}

TEST_CASE("a source without pagination is one page that says where and when it came from") {
  World world;
  world.server.Map("/x?api_key=s3cret&y=1", {.body = "[]", .headers = {{"Content-Type", "application/json"}}});
  world.profile.source.query = {{"api_key", "s3cret"}, {"y", "1"}};
  auto source = world.At("/x").Open();
  auto page = source->Next(nullptr);
  REQUIRE_OK(page);
  CHECK((*page)->number == 1);
  CHECK((*page)->uri == world.server.Url("/x?api_key=[redacted]&y=1"));
  CHECK((*page)->content_type == "application/json");
  CHECK((*page)->fetched_at == world.clock.Now());
  DecodeResult rows = Rows(3);
  CHECK(BodyOf(source->Next(&rows)) == "(end)");
  CHECK(BodyOf(source->Next(&rows)) == "(end)");
  CHECK(source->truncated_by().empty());
  CHECK(world.server.Count() == 1);
}

TEST_CASE("pages are asked for until the number the payload names") {
  World world;
  for (int i = 1; i <= 3; ++i) world.server.Map("/x?page=" + std::to_string(i), {.body = std::to_string(i)});
  world.profile.source.pagination.type = PaginationType::kPage;
  auto source = world.At("/x").Open();
  DecodeResult rows = Rows(0, 3);
  CHECK(BodyOf(source->Next(nullptr)) == "1");
  CHECK(BodyOf(source->Next(&rows)) == "2");
  CHECK(BodyOf(source->Next(&rows)) == "3");
  CHECK(BodyOf(source->Next(&rows)) == "(end)");
  CHECK(source->truncated_by().empty());
}

TEST_CASE("pages without a known number end at the first empty one, or at max_pages") {
  World world;
  world.server.Map("/p/0", {.body = "a"});
  world.server.Map("/p/1", {.body = "b"});
  world.profile.source.pagination.type = PaginationType::kPage;
  world.profile.source.pagination.start = 0;
  world.At("/p/{page}");
  DecodeResult full = Rows(1);
  DecodeResult empty = Rows(0);
  auto source = world.Open();
  CHECK(BodyOf(source->Next(nullptr)) == "a");
  CHECK(BodyOf(source->Next(&full)) == "b");
  CHECK(BodyOf(source->Next(&empty)) == "(end)");
  CHECK(source->truncated_by().empty());

  world.profile.limits.max_pages = 1;
  auto limited = world.Open();
  CHECK(BodyOf(limited->Next(nullptr)) == "a");
  CHECK(BodyOf(limited->Next(&full)) == "(end)");
  CHECK(limited->truncated_by() == "limits.max_pages");
}

TEST_CASE("the next address may be relative, must not repeat and must stay with allowed hosts") {
  World world;
  world.server.Map("/d/1", {.body = "one"});
  world.server.Map("/d/2?c=x", {.body = "two"});
  world.profile.source.pagination.type = PaginationType::kNextUrl;
  world.profile.source.headers = {{"Authorization", "Bearer s"}};
  auto source = world.At("/d/1").Open();
  DecodeResult to_second = Rows(1, std::nullopt, "2?c=x");
  DecodeResult to_first = Rows(1, std::nullopt, world.server.Url("/d/1"));
  CHECK(BodyOf(source->Next(nullptr)) == "one");
  CHECK(BodyOf(source->Next(&to_second)) == "two");
  CHECK(world.server.requests().back().headers.count("authorization") == 1);
  auto loop = source->Next(&to_first);
  CHECK(Reason(loop.status()) == "PAGINATION_LOOP");
  CHECK(Says(loop.status(), "page 2"));

  auto other = world.Open();
  CHECK(BodyOf(other->Next(nullptr)) == "one");
  DecodeResult away = Rows(1, std::nullopt, "http://other.example.org/x");
  auto denied = other->Next(&away);
  CHECK(Reason(denied.status()) == "EGRESS_DENIED");
  CHECK(Says(denied.status(), "other.example.org"));

  auto last = world.Open();
  CHECK(BodyOf(last->Next(nullptr)) == "one");
  DecodeResult end = Rows(1);
  CHECK(BodyOf(last->Next(&end)) == "(end)");
}

TEST_CASE("credentials do not follow the next address to another origin") {
  World world;
  HttpFixture other;
  world.server.Map("/1", {.body = "one"});
  other.Map("/2", {.body = "two"});
  world.profile.source.pagination.type = PaginationType::kNextUrl;
  world.profile.source.headers = {{"X-API-Key", "s"}};
  auto source = world.At("/1").Open();
  CHECK(BodyOf(source->Next(nullptr)) == "one");
  DecodeResult next = Rows(1, std::nullopt, other.Url("/2"));
  CHECK(BodyOf(source->Next(&next)) == "two");
  CHECK(other.requests().back().headers.count("x-api-key") == 0);
}

TEST_CASE("what may pass is tried again, as often as the profile says") {
  World world;
  world.server.Script("/x", {{.status = 503},
                             {.raw = "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\ncut"},
                             {.status = 429, .headers = {{"Retry-After", "7"}}},
                             {.body = "good"}});
  auto source = world.At("/x").Open();
  absl::Time before = world.clock.Now();
  CHECK(BodyOf(source->Next(nullptr)) == "good");
  CHECK(world.server.Count("/x") == 4);
  CHECK(world.clock.Now() - before >= absl::Seconds(7));
  CHECK(world.clock.Now() - before <= absl::Seconds(9));

  world.server.Map("/down", {.status = 500, .body = "<b>oops</b>"});
  world.profile.retry.max_attempts = 3;
  auto failed = world.At("/down").Open()->Next(nullptr);
  CHECK(Reason(failed.status()) == "SOURCE_HTTP_STATUS");
  CHECK(Says(failed.status(), "after 3 attempts"));
  CHECK(Says(failed.status(), "status 500"));
  CHECK(Says(failed.status(), "<b>oops</b>"));
  CHECK(world.server.Count("/down") == 3);
}

TEST_CASE("what will not pass is asked once: other 4xx, a long Retry-After, a denied address") {
  World world;
  world.server.Map("/none", {.status = 404, .body = "no such series"});
  auto missing = world.At("/none?token=abc").Open()->Next(nullptr);
  CHECK(Reason(missing.status()) == "SOURCE_HTTP_STATUS");
  CHECK(Details(missing.status())["status"] == "404");
  CHECK(Says(missing.status(), "no such series"));
  CHECK_FALSE(Says(missing.status(), "abc"));
  world.server.Map("/quota", {.status = 429, .headers = {{"Retry-After", "86400"}}});
  auto quota = world.At("/quota").Open()->Next(nullptr);
  CHECK(Says(quota.status(), "86400"));
  CHECK(world.server.Count() == 2);

  world.http = net::MakeHttpClient(*net::EgressPolicy::Create({}));
  auto denied = world.At("/x").Open()->Next(nullptr);
  CHECK(Reason(denied.status()) == "EGRESS_DENIED");
  CHECK(world.server.accepted() == 1);
}

TEST_CASE("a server that is not there is named after the last try") {
  World world;
  {
    HttpFixture gone;
    world.profile.source.url = gone.Url("/");
  }
  auto failed = world.Open()->Next(nullptr);
  CHECK(Reason(failed.status()) == "SOURCE_UNREACHABLE");
  CHECK(Says(failed.status(), world.profile.source.url.substr(7, 15)));
}

// What came of a body before it ended or broke off, and how it ended.
std::pair<std::string, absl::Status> Drain(const absl::StatusOr<std::optional<Page>>& page) {
  REQUIRE_OK(page);
  REQUIRE(page->has_value());
  std::string text;
  while (true) {
    auto piece = (*page)->body->Read();
    if (!piece.ok() || piece->empty()) return {text, piece.status()};
    text.append(piece->data(), piece->size());
  }
}

TEST_CASE("max_bytes counts over the whole run and cuts to the byte") {
  World world;
  world.server.Map("/x?page=1", {.body = std::string(600, 'a')});
  world.server.Map("/x?page=2", {.body = std::string(600, 'b')});
  world.profile.source.pagination.type = PaginationType::kPage;
  world.profile.limits.max_bytes = 1000;
  auto source = world.At("/x").Open();
  DecodeResult full = Rows(1);
  CHECK(BodyOf(source->Next(nullptr)).size() == 600);
  auto [second, end] = Drain(source->Next(&full));
  CHECK(second == std::string(400, 'b'));
  CHECK(Reason(end) == "SOURCE_TOO_LARGE");
  CHECK(source->truncated_by() == "limits.max_bytes");
  CHECK(BodyOf(source->Next(&full)) == "(end)");

  world.profile.limits.max_bytes = 500;
  auto limited = world.Open();
  auto [first, failure] = Drain(limited->Next(nullptr));
  CHECK(first == std::string(500, 'a'));
  CHECK(Reason(failure) == "SOURCE_TOO_LARGE");
  CHECK(Says(failure, "limits.max_bytes (500 bytes)"));
  CHECK(limited->truncated_by().empty());
  world.profile.limits.max_bytes = 600;
  CHECK(BodyOf(world.Open()->Next(nullptr)).size() == 600);
}

TEST_CASE("a page is asked for again until a part of it was handed on") {
  World world;
  std::string large(3 << 20, 'x');
  std::string cut = "HTTP/1.1 200 OK\r\nContent-Length: 9999999\r\n\r\n";
  world.server.Script("/x", {{.raw = cut + "early"}, {.raw = cut + large}, {.body = "unreached"}});
  auto source = world.At("/x").Open();
  auto [text, end] = Drain(source->Next(nullptr));
  CHECK(text == large);
  CHECK(Reason(end) == "SOURCE_TRUNCATED");
  CHECK(Says(end, "page 1"));
  CHECK(world.server.Count("/x") == 2);
}

TEST_CASE("pages by offset, by cursor and by link") {
  World world;
  PaginationConfig& pagination = world.profile.source.pagination;
  DecodeResult two = Rows(2);
  DecodeResult none = Rows(0);
  pagination = {.type = PaginationType::kOffset, .param = "offset", .start = 0, .size_param = "limit", .size = 3};
  world.server.Map("/o?limit=3&offset=0", {.body = "a"});
  world.server.Map("/o?limit=3&offset=3", {.body = "b"});
  auto by_size = world.At("/o").Open();
  CHECK(BodyOf(by_size->Next(nullptr)) == "a");
  CHECK(BodyOf(by_size->Next(&two)) == "b");
  CHECK(BodyOf(by_size->Next(&none)) == "(end)");
  pagination.size = 0;
  world.server.Map("/o?offset=0", {.body = "a"});
  world.server.Map("/o?offset=2", {.body = "b"});
  auto by_rows = world.At("/o").Open();
  CHECK(BodyOf(by_rows->Next(nullptr)) == "a");
  CHECK(BodyOf(by_rows->Next(&two)) == "b");

  pagination = {.type = PaginationType::kCursor, .param = "after"};
  world.server.Map("/c", {.body = "a"});
  world.server.Map("/c?after=x%3Dy", {.body = "b"});
  DecodeResult next = Rows(2, std::nullopt, "x=y");
  auto by_cursor = world.At("/c").Open();
  CHECK(BodyOf(by_cursor->Next(nullptr)) == "a");
  CHECK(BodyOf(by_cursor->Next(&next)) == "b");
  CHECK(Reason(by_cursor->Next(&next).status()) == "PAGINATION_LOOP");

  pagination = {.type = PaginationType::kLinkHeader};
  world.server.Map("/l", {.body = "a", .headers = {{"Link", "</m>; rel=\"next\", </z>; rel=last"}}});
  world.server.Map("/m", {.body = "b", .headers = {{"Link", "</l>; rel=prev"}}});
  auto by_link = world.At("/l").Open();
  CHECK(BodyOf(by_link->Next(nullptr)) == "a");
  CHECK(BodyOf(by_link->Next(&two)) == "b");
  CHECK(BodyOf(by_link->Next(&two)) == "(end)");
}

TEST_CASE("a source that does not know the parameter of the page is a loop") {
  World world;
  world.server.Map("/x", {.body = "the same"});
  world.profile.source.pagination.type = PaginationType::kPage;
  auto source = world.At("/x").Open();
  DecodeResult full = Rows(1);
  CHECK(BodyOf(source->Next(nullptr)) == "the same");
  CHECK(BodyOf(source->Next(&full)) == "the same");
  auto loop = source->Next(&full);
  CHECK(Reason(loop.status()) == "PAGINATION_LOOP");
  CHECK(Says(loop.status(), "\"page\""));
}

TEST_CASE("the body of a POST may say which page is meant") {
  World world;
  world.server.Handle(
      "/x", [](const testing::FixtureRequest& request) { return testing::FixtureResponse{.body = request.body}; });
  world.profile.source.method = "POST";
  world.profile.source.body = "{\"page\":{page}}";
  world.profile.source.pagination.type = PaginationType::kPage;
  auto source = world.At("/x").Open();
  DecodeResult full = Rows(1);
  CHECK(BodyOf(source->Next(nullptr)) == "{\"page\":1}");
  CHECK(BodyOf(source->Next(&full)) == "{\"page\":2}");
  CHECK(world.server.Count("/x") == 2);
}

TEST_CASE("failures have a class and a reason of their own") {
  World world;
  world.profile.retry.max_attempts = 1;
  struct Case {
    int status;
    const char* reason;
    const char* failure_class;
  };
  for (const Case& expected : {Case{401, "SOURCE_AUTH", "auth"}, Case{403, "SOURCE_AUTH", "auth"},
                               Case{404, "SOURCE_HTTP_STATUS", "permanent"}, Case{429, "SOURCE_THROTTLED", "throttled"},
                               Case{500, "SOURCE_HTTP_STATUS", "transient"}}) {
    INFO(expected.status);
    world.server.Map("/x", {.status = expected.status});
    absl::Status status = world.At("/x").Open()->Next(nullptr).status();
    CHECK(Reason(status) == expected.reason);
    CHECK(Details(status)["class"] == expected.failure_class);
  }
}

TEST_CASE("Retry-After may be a date, and limits.rate holds for every request of a run") {
  World world;
  std::string date =
      absl::FormatTime("%a, %d %b %E4Y %H:%M:%S GMT", world.clock.Now() + absl::Seconds(20), absl::UTCTimeZone());
  world.server.Script("/x", {{.status = 503, .headers = {{"Retry-After", date}}}, {.body = "good"}});
  absl::Time before = world.clock.Now();
  CHECK(BodyOf(world.At("/x").Open()->Next(nullptr)) == "good");
  CHECK(world.clock.Now() - before >= absl::Seconds(20));
  CHECK(world.clock.Now() - before < absl::Seconds(21));

  for (int page = 1; page <= 4; ++page) {
    world.server.Map(absl::StrCat("/y?page=", page), {.body = absl::StrCat("page ", page)});
  }
  world.profile.limits.rate = 2;
  world.profile.source.pagination.type = PaginationType::kPage;
  auto source = world.At("/y").Open();
  before = world.clock.Now();
  DecodeResult full = Rows(1, 4);
  for (int page = 1; page <= 4; ++page) {
    CHECK(BodyOf(source->Next(page == 1 ? nullptr : &full)) == absl::StrCat("page ", page));
  }
  CHECK(world.clock.Now() - before == absl::Milliseconds(1500));
}

TEST_CASE("limits.rate holds for redirects within the host, and for them alone") {
  World world;
  HttpFixture other;
  other.Map("/far", {.body = "far"});
  world.server.Map("/near", {.status = 302, .headers = {{"Location", "/hop"}}});
  world.server.Map("/hop", {.status = 302, .headers = {{"Location", "/x"}}});
  world.server.Map("/x", {.body = "data"});
  world.server.Map("/away", {.status = 302, .headers = {{"Location", other.Url("/far")}}});
  world.profile.limits.rate = 2;
  const absl::Time before = world.clock.Now();
  CHECK(BodyOf(world.At("/near").Open()->Next(nullptr)) == "data");
  CHECK(world.clock.Now() - before == absl::Seconds(1));
  const absl::Time led_away = world.clock.Now();
  CHECK(BodyOf(world.At("/away").Open()->Next(nullptr)) == "far");
  CHECK(world.clock.Now() == led_away);
}

TEST_CASE("a wall clock that jumps cuts no run off, and keeps nobody from asking") {
  World world;
  FakeClock steady;
  HostGate gate(steady);
  const absl::Duration jump = GENERATE(absl::Hours(2), -absl::Hours(2));
  world.server.Map("/x?page=1", {.body = "a"});
  world.server.Map("/x?page=2", {.body = "b"});
  world.profile.source.pagination.type = PaginationType::kPage;
  world.profile.limits.rate = 1;
  SourceDeps deps{*world.http, world.clock, ""};
  deps.steady = &steady;
  deps.gate = &gate;
  deps.deadline = steady.Now() + absl::Seconds(10);
  auto source = OpenSource(world.At("/x").profile, deps);
  REQUIRE_OK(source);
  CHECK(BodyOf((*source)->Next(nullptr)) == "a");
  world.clock.Advance(jump);
  const absl::Time before = steady.Now();
  DecodeResult full = Rows(1, 2);
  auto page = (*source)->Next(&full);
  CHECK(BodyOf(page) == "b");
  CHECK((*page)->fetched_at == world.clock.Now());
  CHECK(steady.Now() - before == absl::Seconds(1));
  CHECK((*source)->truncated_by().empty());
}

TEST_CASE("failures, tries and waits are counted") {
  World world;
  world.server.Script("/x", {{.status = 429, .headers = {{"Retry-After", "7"}}}, {.body = "data"}});
  auto value = [](const std::string& series) {
    std::string text = ScrapeMetrics();
    size_t at = text.find("\n" + series + " ");
    return at == text.npos ? 0.0 : std::stod(text.substr(at + 1 + series.size()));
  };
  const std::string failures = "chartly_fetch_failures_total{reason=\"SOURCE_THROTTLED\"}";
  const std::string waited = "chartly_fetch_wait_seconds_total{cause=\"retry\"}";
  double failures_before = value(failures);
  double retries_before = value("chartly_fetch_retries_total");
  double waited_before = value(waited);
  CHECK(BodyOf(world.At("/x").Open()->Next(nullptr)) == "data");
  CHECK(value(failures) == failures_before + 1);
  CHECK(value("chartly_fetch_retries_total") == retries_before + 1);
  CHECK(value(waited) >= waited_before + 7 - 1e-6);  // shown with twelve digits
}

TEST_CASE("a host that failed again and again is left alone for a minute by all runs") {
  World world;
  HostGate gate(world.clock);
  world.server.Map("/x", {.status = 500, .body = "broken"});
  world.profile.retry = {.max_attempts = 4, .backoff = absl::Milliseconds(1)};
  world.At("/x");
  auto next = [&] {
    SourceDeps deps{*world.http, world.clock, ""};
    deps.gate = &gate;
    auto source = OpenSource(world.profile, deps);
    REQUIRE_OK(source);
    return (*source)->Next(nullptr).status();
  };
  CHECK(Reason(next()) == "SOURCE_HTTP_STATUS");
  CHECK(Reason(next()) == "SOURCE_HTTP_STATUS");
  absl::Status shut = next();
  CHECK(Reason(shut) == "SOURCE_CIRCUIT_OPEN");
  CHECK(Says(shut, "broken"));
  CHECK(world.server.Count("/x") == 8);
  world.clock.Advance(absl::Seconds(61));
  world.server.Map("/x", {.body = "well again"});
  CHECK_OK(next());
  CHECK_OK(next());
}

TEST_CASE("the first request asks for what is new since the last run, and 304 is a good end") {
  World world;
  world.server.Handle("/x", [](const testing::FixtureRequest& request) {
    auto condition = request.headers.find("if-none-match");
    if (condition != request.headers.end() && condition->second == "\"v1\"") {
      return testing::FixtureResponse{.status = 304};
    }
    return testing::FixtureResponse{.body = "data", .headers = {{"ETag", "\"v1\""}, {"Last-Modified", "then"}}};
  });
  auto first = world.At("/x").Open();
  CHECK(BodyOf(first->Next(nullptr)) == "data");
  SourceDeps deps{*world.http, world.clock, ""};
  first->Learn(deps.cursor);
  CHECK(deps.cursor.etag() == "\"v1\"");
  auto second = OpenSource(world.profile, deps);
  REQUIRE_OK(second);
  CHECK(BodyOf((*second)->Next(nullptr)) == "(end)");
  CHECK((*second)->unmodified());
  CHECK(world.server.requests().back().headers["if-modified-since"] == "then");
  Cursor again;
  (*second)->Learn(again);
  CHECK(again.etag() == "\"v1\"");
}

TEST_CASE("of a source with pages the first is asked for without a condition, since a later one may have changed") {
  World world;
  world.server.Handle("/x?page=1", [](const testing::FixtureRequest& request) {
    if (request.headers.count("if-none-match") + request.headers.count("if-modified-since") > 0) {
      return testing::FixtureResponse{.status = 304};
    }
    return testing::FixtureResponse{.body = "a", .headers = {{"ETag", "\"v1\""}, {"Last-Modified", "then"}}};
  });
  world.server.Map("/x?page=2", {.body = "b"});
  world.profile.source.pagination.type = PaginationType::kPage;
  SourceDeps deps{*world.http, world.clock, ""};
  deps.cursor.set_etag("\"v1\"");
  deps.cursor.set_last_modified("then");
  auto source = OpenSource(world.At("/x").profile, deps);
  REQUIRE_OK(source);
  CHECK(BodyOf((*source)->Next(nullptr)) == "a");
  DecodeResult full = Rows(1);
  CHECK(BodyOf((*source)->Next(&full)) == "b");
  CHECK_FALSE((*source)->unmodified());
}

TEST_CASE("the watermark of the last run is sent in the way the source wants it") {
  World world;
  world.server.Handle(
      "/x", [](const testing::FixtureRequest& request) { return testing::FixtureResponse{.body = request.target}; });
  world.profile.source.incremental = {.field = "dims.time", .param = "since", .initial = "2000-01-01"};
  SourceDeps deps{*world.http, world.clock, ""};
  auto target = [&] {
    auto source = OpenSource(world.At("/x").profile, deps);
    REQUIRE_OK(source);
    return BodyOf((*source)->Next(nullptr));
  };
  CHECK(target() == "/x?since=2000-01-01");
  deps.cursor.set_watermark("2024-03-10T12:00:00Z");
  world.profile.source.incremental.lookback = absl::Hours(24);
  CHECK(target() == "/x?since=2024-03-09T12:00:00Z");
  world.profile.source.incremental.format = "date";
  CHECK(target() == "/x?since=2024-03-09");
  world.profile.source.incremental.format = "epoch_ms";
  CHECK(target() == "/x?since=1709985600000");
  deps.cursor.set_watermark("1709985600000");
  CHECK(target() == "/x?since=1709899200000");
  world.profile.source.incremental.format = "text";
  CHECK(target() == "/x?since=1709985600000");
  deps.cursor.set_watermark("soon");
  world.profile.source.incremental.format = "rfc3339";
  CHECK(Reason(OpenSource(world.profile, deps).status()) == "WATERMARK_INVALID");
}

TEST_CASE("a run past its time is cut off between pages, within one and while it waits") {
  World world;
  world.server.Map("/x?page=1", {.body = "a"});
  world.server.Map("/x?page=2", {.status = 503, .headers = {{"Retry-After", "50"}}});
  world.profile.source.pagination.type = PaginationType::kPage;
  SourceDeps deps{*world.http, world.clock, ""};
  deps.deadline = world.clock.Now() + absl::Seconds(10);
  auto source = OpenSource(world.At("/x").profile, deps);
  REQUIRE_OK(source);
  CHECK(BodyOf((*source)->Next(nullptr)) == "a");
  DecodeResult full = Rows(1);
  absl::Time before = world.clock.Now();
  CHECK(BodyOf((*source)->Next(&full)) == "(end)");
  CHECK((*source)->truncated_by() == "limits.run_timeout");
  CHECK(world.clock.Now() - before == absl::Seconds(10));

  deps.deadline = world.clock.Now() + absl::Seconds(10);
  auto within = OpenSource(world.profile, deps);
  REQUIRE_OK(within);
  auto page = (*within)->Next(nullptr);
  world.clock.Advance(absl::Seconds(11));
  CHECK(Reason(Drain(page).second) == "RUN_TIMEOUT");
  CHECK((*within)->truncated_by() == "limits.run_timeout");
}

TEST_CASE("a POST is sent as the profile writes it") {
  World world;
  world.server.Map("/x", {.body = "[]"});
  world.profile.source.method = "POST";
  world.profile.source.body = "{\"seriesid\":[\"S\"]}";
  CHECK(BodyOf(world.At("/x").Open()->Next(nullptr)) == "[]");
  auto request = world.server.requests().at(0);
  CHECK(request.method == "POST");
  CHECK(request.body == world.profile.source.body);
  CHECK(request.headers["content-type"] == "application/json");
}

TEST_CASE("cancel ends a running fetch and a wait between tries") {
  World world;
  world.server.Map("/slow", {.body = "late", .delay = std::chrono::seconds(60)});
  world.server.Map("/down", {.status = 503});
  world.profile.retry.max_attempts = 1000;
  world.profile.retry.backoff = absl::Seconds(60);
  SystemClock real;
  for (const char* target : {"/slow", "/down"}) {
    INFO(target);
    world.At(target);
    auto source = OpenSource(world.profile, {*world.http, real, ""});
    REQUIRE_OK(source);
    std::thread canceller([&] {
      Eventually([&] { return world.server.Count(target) > 0; });
      (*source)->Cancel();
      (*source)->Cancel();
    });
    auto page = (*source)->Next(nullptr);
    canceller.join();
    CHECK(Reason(page.status()) == "CANCELLED");
    CHECK(Reason((*source)->Next(nullptr).status()) == "CANCELLED");
  }
}

TEST_CASE("a file is read from the source folder and from nowhere else") {
  World world;
  TempDir outside;
  std::ofstream(world.dir.File("a.csv")) << "a,b\n1,2\n";
  std::ofstream(outside.File("secret.csv")) << "secret";
  std::filesystem::create_symlink(outside.File("secret.csv"), world.dir.File("link.csv"));
  std::filesystem::create_symlink(world.dir.File("a.csv"), world.dir.File("inner.csv"));
  std::filesystem::create_directory(world.dir.File("folder"));
  REQUIRE(::mkfifo(world.dir.File("pipe").c_str(), 0600) == 0);
  world.profile.source.type = SourceType::kFile;
  std::unique_ptr<Source> source;
  auto read = [&](const std::string& path) -> absl::StatusOr<std::optional<Page>> {
    world.profile.source.path = path;
    ASSIGN_OR_RETURN(source, OpenSource(world.profile, {*world.http, world.clock, world.dir.path() + "/"}));
    return source->Next(nullptr);
  };
  for (const std::string& good :
       {std::string("a.csv"), std::string("./folder/../a.csv"), std::string("inner.csv"), world.dir.File("a.csv")}) {
    INFO(good);
    auto page = read(good);
    CHECK(BodyOf(page) == "a,b\n1,2\n");
    CHECK((*page)->uri == "file:" + good);
  }
  for (const std::string& bad : {std::string("link.csv"), std::string("../x"), std::string("/etc/passwd"),
                                 outside.File("secret.csv"), world.dir.path() + "x"}) {
    INFO(bad);
    CHECK(Reason(read(bad).status()) == "FILE_OUTSIDE_SOURCE_DIR");
  }
  const auto missing = read("none.csv");
  CHECK(Reason(missing.status()) == "FILE_NOT_FOUND");
  CHECK(Says(missing.status(), world.dir.File("none.csv")));
  CHECK(Reason(read("folder").status()) == "FILE_UNREADABLE");
  CHECK(Reason(read("pipe").status()) == "FILE_UNREADABLE");
  world.profile.limits.max_bytes = 7;
  CHECK(Reason(Drain(read("a.csv")).second) == "SOURCE_TOO_LARGE");
  world.profile.limits.max_bytes = 8;
  CHECK_OK(read("a.csv"));
  CHECK(Reason(OpenSource(world.profile, {*world.http, world.clock, ""}).status()) == "FILE_SOURCES_OFF");
}

}  // namespace
}  // namespace chartly::drone
