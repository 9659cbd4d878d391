#include "drone/pipeline/shadow_run.h"

#include "absl/strings/str_cat.h"
#include "common/profile/profile_parser.h"
#include "common/status/status.h"
#include "drone/pipeline/pipeline.h"
#include "test/support/http_fixture.h"
#include "test/support/test.h"

namespace chartly::drone {
namespace {

class CountingSink final : public BatchSink {
 public:
  absl::Status Append(std::string, int64_t fetched, const Cursor*) override {
    total += fetched;
    return absl::OkStatus();
  }
  int64_t total = 0;
};

struct World {
  testing::HttpFixture server;
  std::unique_ptr<net::HttpClient> http = net::MakeHttpClient(*net::EgressPolicy::Create({"127.0.0.1/32"}));
  SystemClock clock;
  CountingSink sink;
  v1::RunEnd end;

  Profile ProfileOf(const std::string& reading, const std::string& rest) {
    auto profile = ParseProfileOrError(
        "people.yaml",
        absl::StrCat("id: people\nversion: 1.0.0\nsource: {type: http_rest, url: \"", server.Url("/data"),
                     "\", pagination: {type: page, pages: pages}, ", reading, "}\n", rest));
    REQUIRE_OK(profile);
    return *profile;
  }
  // Pages of so many rows.
  void Serve(int pages, int rows) {
    server.Handle("/data", [=](const testing::FixtureRequest& request) {
      const size_t at = request.target.find("page=");
      const int page = at == std::string::npos ? 1 : std::atoi(request.target.c_str() + at + 5);
      std::string body = absl::StrCat("{\"pages\":", pages, ",\"rows\":[");
      for (int row = 0; row < rows; ++row) {
        absl::StrAppend(&body, row == 0 ? "" : ",", "{\"id\":", page * 1'000'000 + row, ",\"age\":", row % 90, "}");
      }
      return testing::FixtureResponse{
          .status = 200, .body = absl::StrCat(body, "]}"), .headers = {}, .delay = {}, .raw = "", .stream = nullptr};
    });
  }
  v1::ShadowResult Try(const Profile& running, const Profile& tried) {
    ShadowRun shadow(running, tried, nullptr);
    PipelineDeps deps{*http, clock, "", sink};
    deps.shadow = &shadow;
    Pipeline pipeline({running, "run-1", "drone-1"}, std::move(deps));
    end = pipeline.Run();
    return shadow.Finish(end.error_reason(), end.error());
  }
};

const char kMapping[] = "mapping: {id: dims.id, age: measures.age}\nkey: [dims.id]\n";
const char kReading[] = "format: json, records: \"rows[*]\"";

TEST_CASE("the same mapping over large pages finds no record that differs") {
  World world;
  world.Serve(3, 60'000);
  Profile profile = world.ProfileOf(kReading, kMapping);
  v1::ShadowResult result = world.Try(profile, profile);
  CHECK(world.end.error_reason().empty());
  CHECK(world.sink.total == 180'000);
  CHECK(world.server.Count() == 3);
  CHECK(result.error_reason().empty());
  CHECK(result.same() + result.uncompared() == 180'000);
  // A page that is read as a whole gives its records to one side first: some of them may not fit.
  CHECK(result.same() > 20'000);
  CHECK(result.changed() + result.lost() + result.added() == 0);
}

TEST_CASE("a text that cannot read the payload is told, and the run goes on") {
  World world;
  world.Serve(2, 100);
  Profile running = world.ProfileOf(kReading, kMapping);
  v1::ShadowResult result = world.Try(running, world.ProfileOf("format: json, records: \"nothing[*]\"", kMapping));
  CHECK(world.end.error_reason().empty());
  CHECK(world.sink.total == 200);
  CHECK(result.error_reason() == "PAYLOAD_NO_RECORDS");
  CHECK(result.lost() == 200);
  result = world.Try(running, world.ProfileOf("format: xml, records: a.b", kMapping));
  CHECK(world.end.error_reason().empty());
  CHECK_FALSE(result.error_reason().empty());
}

TEST_CASE("a run that is cut off by a limit is tried as far as it came") {
  World world;
  world.Serve(2, 30'000);
  Profile running = world.ProfileOf(kReading, absl::StrCat(kMapping, "limits: {max_records: 40000}\n"));
  v1::ShadowResult result = world.Try(running, world.ProfileOf(kReading, kMapping));
  CHECK(world.end.truncated());
  CHECK(world.end.fetched() == 40'000);
  CHECK(result.running().records() == 40'000);
  CHECK(result.shadow().records() == 40'000);
  CHECK(result.lost() + result.added() == 0);
}

}  // namespace
}  // namespace chartly::drone
