#include "drone/pipeline/pipeline.h"

#include <fstream>
#include <thread>

#include "absl/strings/str_cat.h"
#include "common/batch/batch.h"
#include "common/profile/profile_parser.h"
#include "common/status/status.h"
#include "common/text/sha256.h"
#include "test/support/http_fixture.h"
#include "test/support/test.h"

namespace chartly::drone {
namespace {

using testing::HttpFixture;

class ListSink final : public BatchSink {
 public:
  absl::Status Append(std::string bytes, int64_t fetched, const Cursor* cursor) override {
    if (cursor != nullptr) watermarks.push_back(cursor->watermark());
    if (batches.size() == refuse_after) return Error(absl::StatusCode::kResourceExhausted, "SPOOL_FULL", "full");
    ASSIGN_OR_RETURN(Batch batch, Batch::Parse(bytes));
    if (batch.fetched() != fetched) return absl::InternalError("the batch does not say how many rows were fetched");
    total += fetched;
    batches.push_back(std::move(batch));
    if (on_batch) on_batch();
    return absl::OkStatus();
  }
  int64_t Rows() const {
    int64_t rows = 0;
    for (const Batch& batch : batches) rows += batch.rows();
    return rows;
  }
  std::vector<Batch> batches;
  std::vector<std::string> watermarks;
  int64_t total = 0;
  size_t refuse_after = ~size_t{0};
  std::function<void()> on_batch;
};

struct World {
  HttpFixture server;
  std::unique_ptr<net::HttpClient> http = net::MakeHttpClient(*net::EgressPolicy::Create({"127.0.0.1/32"}));
  SystemClock clock;
  ListSink sink;

  RunSpec Spec(const std::string& more, const std::string& path = "/data") {
    std::string yaml =
        absl::StrCat("id: people\nname: People\nversion: 1.0.0\nsource:\n  type: http_rest\n  url: ", server.Url(path),
                     "\n  format: json\n", more,
                     "\nmapping:\n  id: {to: dims.person.id, type: integer, required: true}\n"
                     "  age: {to: measures.age, type: integer, min: 0}\n");
    auto profile = ParseProfileOrError("people.yaml", yaml);
    REQUIRE_OK(profile);
    return {*profile, "run-1", "drone-1"};
  }
  v1::RunEnd Run(const std::string& more) {
    Pipeline pipeline(Spec(more), {*http, clock, "", sink, nullptr});
    return pipeline.Run();
  }
};

std::string Rows(int from, int count) {
  std::string rows = "[";
  for (int i = from; i < from + count; ++i)
    absl::StrAppend(&rows, i > from ? "," : "", "{\"id\":", i, ",\"age\":", i % 90, "}");
  return rows + "]";
}

testing::FixtureResponse Json(const std::string& body) {
  return {.status = 200, .body = body, .headers = {{"Content-Type", "application/json"}}, .delay = {}, .raw = ""};
}

const char kPaged[] = "  pagination: {type: page, param: page}\n";

TEST_CASE("pages become batches that know where every row came from") {
  World world;
  world.server.Map("/data?page=1", Json(Rows(1, 3)));
  world.server.Map("/data?page=2", Json(Rows(4, 2)));
  world.server.Map("/data?page=3", Json("[]"));
  int64_t told = 0;
  Pipeline pipeline(world.Spec(kPaged), {*world.http, world.clock, "", world.sink,
                                         [&told](int64_t fetched, int64_t, int) { told = fetched; }});
  v1::RunEnd end = pipeline.Run();
  CHECK(end.error() == "");
  CHECK(end.error_reason() == "");
  CHECK(end.fetched() == 5);
  CHECK(told == 5);
  CHECK(end.pages() == 3);
  CHECK_FALSE(end.truncated());
  CHECK(end.run_id() == "run-1");
  CHECK(end.started_at().seconds() > 0);
  REQUIRE(world.sink.batches.size() == 2);
  const Batch& second = world.sink.batches[1];
  CHECK(second.header().source_uri() == world.server.Url("/data?page=2"));
  CHECK(second.header().payload_sha256() == Sha256Hex(Rows(4, 2)));
  CHECK(second.header().run_id() == "run-1");
  CHECK(second.header().drone_id() == "drone-1");
  CHECK(second.header().revision() == end.revision());
  CHECK(end.revision().find("profiles/people@sha256:") == 0);
  CHECK(second.SourcePage(1) == 2);
  CHECK(second.SourceRow(1) == 2);
  CHECK(second.Get(Role::kDim, "person.id", 1) == Value::Integer(5));
}

TEST_CASE("a large page becomes several batches and no row is lost between them") {
  World world;
  world.server.Map("/data", Json(Rows(0, 40000)));
  v1::RunEnd end = world.Run("");
  CHECK(end.error() == "");
  CHECK(end.fetched() == 40000);
  CHECK(world.sink.batches.size() >= 3);
  CHECK(world.sink.Rows() == 40000);
  CHECK(world.sink.total == 40000);
}

TEST_CASE("limits.max_records cuts off and says so, exactly as many rows are no cut") {
  World world;
  world.server.Map("/data", Json(Rows(0, 10)));
  v1::RunEnd cut = world.Run("limits: {max_records: 7}");
  CHECK(cut.fetched() == 7);
  CHECK(cut.truncated());
  CHECK(cut.error_reason() == "");
  CHECK(cut.error().find("limits.max_records") != std::string::npos);
  v1::RunEnd whole = world.Run("limits: {max_records: 10}");
  CHECK(whole.fetched() == 10);
  CHECK_FALSE(whole.truncated());
}

TEST_CASE("filtered and quarantined rows are counted, and the balance closes") {
  World world;
  world.server.Map("/data", Json(R"([{"id":1,"age":5},{"id":2,"age":-1},{"id":"x","age":1},{"id":3,"age":50}])"));
  v1::RunEnd end = world.Run("filter: age < 40");
  CHECK(end.error() == "");
  CHECK(end.fetched() == 4);
  REQUIRE(world.sink.batches.size() == 1);
  CHECK(world.sink.batches[0].rows() == 1);
  CHECK(world.sink.batches[0].header().filtered() == 1);
  CHECK(world.sink.batches[0].header().quarantined_size() == 2);
}

TEST_CASE("on_invalid: fail_run fails naming page, row and field, and hands on what came before") {
  World world;
  world.server.Map("/data?page=1", Json(Rows(1, 3)));
  world.server.Map("/data?page=2", Json(R"([{"id":4,"age":1},{"id":5,"age":"old"},{"id":6,"age":2}])"));
  v1::RunEnd end = world.Run(absl::StrCat(kPaged, "on_invalid: fail_run\n"));
  CHECK(end.error_reason() == "ROW_INVALID");
  INFO(end.error());
  CHECK(end.error().find("page 2") != std::string::npos);
  CHECK(end.error().find("row 2") != std::string::npos);
  CHECK(end.error().find("age") != std::string::npos);
  CHECK(end.fetched() == world.sink.total);
  CHECK(end.fetched() == 5);
}

TEST_CASE("an error in a later page fails the run and keeps the pages before it") {
  World world;
  world.server.Map("/data?page=1", Json(Rows(1, 3)));
  world.server.Map("/data?page=2", Json("<html>maintenance</html>"));
  v1::RunEnd end = world.Run(kPaged);
  CHECK(end.error_reason().find("PAYLOAD_") == 0);
  CHECK(end.fetched() == 3);
  CHECK(world.sink.total == 3);
  CHECK_FALSE(end.cancelled());
}

TEST_CASE("a source without rows is a run that succeeds with none") {
  World world;
  world.server.Map("/data", Json("[]"));
  v1::RunEnd end = world.Run("");
  CHECK(end.error_reason() == "");
  CHECK(end.fetched() == 0);
  CHECK(world.sink.batches.empty());
}

TEST_CASE("an unreachable source, a missing file and a refused batch each end the run with their reason") {
  World world;
  world.server.Map("/data", {.status = 404, .body = "no", .headers = {}, .delay = {}, .raw = ""});
  CHECK(world.Run("retry: {max_attempts: 1}").error_reason() == "SOURCE_HTTP_STATUS");
  auto profile = ParseProfileOrError("f.yaml",
                                     "id: f\nname: F\nversion: 1.0.0\nsource: {type: file, path: none.json}\n"
                                     "mapping:\n  a: dims.a\n");
  REQUIRE_OK(profile);
  testing::TempDir dir;
  Pipeline file({*profile, "r", "d"}, {*world.http, world.clock, dir.path(), world.sink, nullptr});
  CHECK(file.Run().error_reason() == "FILE_NOT_FOUND");
  world.server.Map("/data", Json(Rows(0, 20000)));
  world.sink.refuse_after = 1;
  v1::RunEnd refused = world.Run("");
  CHECK(refused.error_reason() == "SPOOL_FULL");
  CHECK(refused.fetched() == world.sink.total);
}

TEST_CASE("cancel ends a run that waits for its source, or is between batches") {
  World world;
  world.server.Map("/data", {.status = 200, .body = "[]", .headers = {}, .delay = std::chrono::seconds(5), .raw = ""});
  Pipeline waiting(world.Spec(""), {*world.http, world.clock, "", world.sink, nullptr});
  v1::RunEnd end;
  std::thread runner([&] { end = waiting.Run(); });
  CHECK(testing::Eventually([&] { return world.server.Count("/data") > 0; }));
  auto begin = std::chrono::steady_clock::now();
  waiting.Cancel();
  runner.join();
  CHECK(std::chrono::steady_clock::now() - begin < std::chrono::seconds(3));
  CHECK(end.cancelled());
  CHECK(end.error_reason() == "RUN_CANCELLED");

  world.server.Map("/data", Json(Rows(0, 30000)));
  Pipeline working(world.Spec(""), {*world.http, world.clock, "", world.sink, nullptr});
  world.sink.on_batch = [&] { working.Cancel(); };
  end = working.Run();
  CHECK(end.cancelled());
  CHECK(end.fetched() == world.sink.total);
  CHECK(end.fetched() < 30000);
}

TEST_CASE("what a run must show and does not makes it partial, with its rows kept") {
  World world;
  world.server.Map("/data", Json(R"([{"id":1,"age":5},{"id":"x","age":1},{"id":3,"age":50}])"));
  v1::RunEnd good = world.Run("expect: {min_records: 2, max_quarantined: 34%}");
  CHECK_FALSE(good.truncated());
  v1::RunEnd few = world.Run("expect: {min_records: 3}");
  CHECK(few.truncated());
  CHECK(few.error_reason() == "EXPECTATION_FAILED");
  CHECK(few.error() == "the run gave 2 records, expect.min_records is 3");
  CHECK(few.fetched() == 3);
  v1::RunEnd bad = world.Run("expect: {max_quarantined: 33%}");
  CHECK(bad.error_reason() == "EXPECTATION_FAILED");
  CHECK(bad.error() == "1 of 3 rows are in quarantine, expect.max_quarantined is 33%");
}

TEST_CASE("the next run begins where the last one that ended well got to") {
  World world;
  world.server.Map("/data", Json(Rows(1, 3)));
  Cursor cursor;
  std::string since = "  incremental: {field: dims.person.id, param: since, format: text}\n";
  auto run = [&](const std::string& more) {
    PipelineDeps deps{*world.http, world.clock, "", world.sink};
    deps.cursor = cursor;
    Pipeline pipeline(world.Spec(since + more), deps);
    v1::RunEnd end = pipeline.Run();
    if (pipeline.cursor()) cursor = *pipeline.cursor();
    return end;
  };
  CHECK(run("").error() == "");
  CHECK(world.server.requests().back().target == "/data");
  CHECK(cursor.watermark() == "3");
  world.server.Map("/data", Json(Rows(3, 5)));
  run("");
  CHECK(world.server.requests().back().target == "/data?since=3");
  CHECK(cursor.watermark() == "7");
  world.server.Map("/data", Json("[]"));
  run("");
  CHECK(cursor.watermark() == "7");
  CHECK(world.sink.watermarks.empty());

  world.server.Map("/data", Json(Rows(20, 5)));
  CHECK(run("limits: {max_records: 2}").truncated());
  CHECK(cursor.watermark() == "7");
  run("filter: id < 22");
  CHECK(world.server.requests().back().target == "/data");  // another revision begins anew
  CHECK(cursor.watermark() == "21");
}

TEST_CASE("a source that gives the oldest first moves the watermark with every batch") {
  World world;
  world.server.Map("/data?page=1", Json(Rows(1, 3)));
  world.server.Map("/data?page=2", Json(Rows(4, 2)));
  world.server.Map("/data?page=3", {.status = 404});
  Pipeline pipeline(
      world.Spec("  incremental: {field: id, param: since, format: text, order: ascending}\n  pagination: "
                 "{type: page}\n"),
      {*world.http, world.clock, "", world.sink});
  CHECK(pipeline.Run().error_reason() == "SOURCE_HTTP_STATUS");
  CHECK(world.sink.watermarks == std::vector<std::string>{"3", "5"});
  CHECK_FALSE(pipeline.cursor());
}

TEST_CASE("the watermark may be a field that no record has") {
  World world;
  world.server.Map("/data", Json(R"([{"id":1,"age":5,"at":"2024-02-01"},{"id":2,"age":5,"at":"2024-03-01"},)"
                                 R"({"id":3,"age":5},{"id":"x","age":5,"at":"2030-01-01"}])"));
  Pipeline pipeline(world.Spec("  incremental: {field: at, param: since, format: date}\n"),
                    {*world.http, world.clock, "", world.sink});
  CHECK(pipeline.Run().fetched() == 4);
  REQUIRE(pipeline.cursor());
  CHECK(pipeline.cursor()->watermark() == "2024-03-01");
}

TEST_CASE("a source without anything new is a run that succeeds and says so") {
  World world;
  world.server.Handle("/data", [](const testing::FixtureRequest& request) {
    bool known = request.headers.count("if-none-match") > 0;
    return testing::FixtureResponse{
        .status = known ? 304 : 200, .body = known ? "" : Rows(1, 3), .headers = {{"ETag", "e"}}};
  });
  PipelineDeps deps{*world.http, world.clock, "", world.sink};
  Pipeline first(world.Spec(""), deps);
  CHECK_FALSE(first.Run().unmodified());
  REQUIRE(first.cursor());
  deps.cursor = *first.cursor();
  Pipeline second(world.Spec(""), deps);
  v1::RunEnd end = second.Run();
  CHECK(end.unmodified());
  CHECK(end.error_reason() == "");
  CHECK(end.fetched() == 0);
  CHECK(second.cursor()->etag() == "e");
  CHECK(world.sink.Rows() == 3);
}

TEST_CASE("a run of a backfill asks for its part of time and leaves the watermark alone") {
  World world;
  auto answer = Json(Rows(1, 3));
  answer.headers["ETag"] = "e";
  world.server.Handle("/data", [&](const testing::FixtureRequest&) { return answer; });
  const std::string source =
      "  query: {from: \"{partition.start}\", to: \"{partition.last}\"}\n  partition: {window: 2d}\n"
      "  incremental: {field: dims.person.id, param: since, format: text, order: ascending}\n";
  PipelineDeps deps{*world.http, world.clock, "", world.sink};
  deps.cursor.set_watermark("2");
  deps.cursor.set_etag("e");
  RunSpec spec = world.Spec(source);
  deps.cursor.set_revision(absl::StrCat("profiles/people@", spec.profile.revision));
  absl::Time start = absl::FromCivil(absl::CivilDay(2020, 2, 1), absl::UTCTimeZone());
  spec.partition = TimePart{start, absl::FromCivil(absl::CivilDay(2020, 3, 1), absl::UTCTimeZone())};
  Pipeline part(spec, deps);
  v1::RunEnd end = part.Run();
  CHECK(end.error() == "");
  CHECK(end.fetched() == 3);
  CHECK(world.server.requests().back().target == "/data?from=2020-02-01&to=2020-02-29");
  CHECK(world.server.requests().back().headers.count("if-none-match") == 0);
  CHECK_FALSE(part.cursor());
  CHECK(world.sink.watermarks.empty());

  // Without a part the window up to now is asked for, and the watermark goes on.
  Pipeline live(world.Spec(source), deps);
  CHECK(live.Run().error() == "");
  std::string today = absl::FormatTime("%E4Y-%m-%d", world.clock.Now(), absl::UTCTimeZone());
  CHECK(world.server.requests().back().target.find(absl::StrCat("to=", today)) != std::string::npos);
  CHECK(world.server.requests().back().target.find("since=2") != std::string::npos);
  CHECK(live.cursor()->watermark() == "3");
}

TEST_CASE("a part of time is refused by a source that has no place for it") {
  World world;
  world.server.Map("/data", Json(Rows(1, 3)));
  RunSpec spec = world.Spec("");
  spec.partition = TimePart{absl::UnixEpoch(), absl::UnixEpoch() + absl::Hours(24)};
  Pipeline pipeline(spec, {*world.http, world.clock, "", world.sink});
  CHECK(pipeline.Run().error_reason() == "PROFILE_NOT_PARTITIONED");
  CHECK(world.server.requests().empty());
}

TEST_CASE("a run past its time is partial and keeps what it has") {
  World world;
  FakeClock clock;
  world.server.Map("/data?page=1", Json(Rows(1, 3)));
  world.server.Map("/data?page=2", Json(Rows(4, 3)));
  world.sink.on_batch = [&] { clock.Advance(absl::Seconds(40)); };
  Pipeline pipeline(world.Spec(std::string(kPaged) + "limits: {run_timeout: 30s}\n"),
                    {*world.http, clock, "", world.sink});
  v1::RunEnd end = pipeline.Run();
  CHECK(end.truncated());
  CHECK(end.error_reason() == "RUN_TIMEOUT");
  CHECK(end.fetched() == 3);
}

}  // namespace
}  // namespace chartly::drone
