#include "common/http/admin.h"

#include "absl/strings/match.h"
#include "common/http/error_body.h"
#include "test/support/test.h"

namespace chartly::http {
namespace {

class Recorder final : public Reply {
 public:
  void Send(Response response) override { sent = std::move(response); }
  void StartStream(Response) override {}
  bool Write(std::string) override { return false; }
  void End() override {}
  void OnRoom(std::function<void()>) override {}
  void OnGone(std::function<void()>) override {}
  Response sent;
};

Response Ask(const AdminDeps& deps, const std::string& path, const std::string& method = "GET") {
  Request request;
  request.method = method;
  request.path = path;
  Recorder reply;
  REQUIRE(ServeAdmin(deps, request, reply));
  return reply.sent;
}

TEST_CASE("health names each part and is 503 while one fails") {
  std::map<std::string, PartCondition> parts = {{"registry", {}}, {"spool", {}}};
  AdminDeps deps{"chartly-control", "1.2.3", [&] { return parts; }, [] { return true; }};
  Response good = Ask(deps, "/health");
  CHECK(good.status == 200);
  CHECK(
      good.body ==
      R"({"status":"ok","process":"chartly-control","version":"1.2.3","services":{"registry":{"status":"ok"},"spool":{"status":"ok"}}})"
      "\n");
  parts["registry"].amiss = "the spool";
  Response waits = Ask(deps, "/health");
  CHECK(waits.status == 200);
  CHECK(absl::StrContains(waits.body, R"("status":"degraded")"));
  CHECK(absl::StrContains(waits.body, R"("registry":{"status":"degraded","message":"the spool"})"));
  parts["spool"].problem = "disk \"full\"";
  Response bad = Ask(deps, "/health");
  CHECK(bad.status == 503);
  CHECK(absl::StrContains(bad.body, R"("spool":{"status":"failing","message":"disk \"full\""})"));
  const std::string metrics = Ask(deps, "/metrics").body;
  CHECK(absl::StrContains(metrics, R"(chartly_part_condition{part="registry"} 1)"));
  CHECK(absl::StrContains(metrics, R"(chartly_part_condition{part="spool"} 2)"));
  parts = {{"registry", {}}, {"spool", {}}};
  CHECK(absl::StrContains(Ask(deps, "/metrics").body, R"(chartly_part_condition{part="spool"} 0)"));
}

TEST_CASE("ready follows the process, and other methods are refused") {
  bool ready = false;
  AdminDeps deps{"x", "1", nullptr, [&] { return ready; }};
  CHECK(Ask(deps, "/ready").status == 503);
  ready = true;
  CHECK(Ask(deps, "/ready").status == 200);
  CHECK(Ask(deps, "/ready", "POST").status == 405);
  CHECK(Ask(deps, "/metrics").status == 200);
}

TEST_CASE("other paths are left to the caller") {
  Request request;
  request.method = "GET";
  request.path = "/healthy";
  Recorder reply;
  CHECK_FALSE(ServeAdmin(AdminDeps{}, request, reply));
}

}  // namespace
}  // namespace chartly::http
