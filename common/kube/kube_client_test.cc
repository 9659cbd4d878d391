#include "common/kube/kube_client.h"

#include <fstream>

#include "absl/strings/str_cat.h"
#include "common/status/status.h"
#include "test/support/http_fixture.h"
#include "test/support/temp_dir.h"
#include "test/support/test.h"

namespace chartly::kube {
namespace {

constexpr char kPods[] = R"({"kind":"PodList","metadata":{"resourceVersion":"9","continue":"NEXT"},"items":[{
  "metadata":{"name":"web-1","uid":"u-1","resourceVersion":"7","generation":2,"labels":{"a":"b"}},
  "spec":{"nodeName":"n","readinessGates":[{"conditionType":"x.io/y"}],
    "containers":[{"name":"web","image":"web:v1","ports":[{"name":"admin","containerPort":8190},{"containerPort":1}]},
                  {"name":"side","image":"side:v2"}]},
  "status":{"phase":"Running","podIP":"10.1.2.3",
    "conditions":[{"type":"Ready","status":"False","reason":"ReadinessGatesNotReady","observedGeneration":2}],
    "containerStatuses":[{"name":"web","imageID":"web@sha256:1","restartCount":3}]}},
  {"metadata":{"name":"web-2","uid":"u-2","deletionTimestamp":"2026-01-01T00:00:00Z"},"spec":{"containers":[]}}]})";

std::string Without(std::string text, const std::string& piece) {
  return text.replace(text.find(piece), piece.size(), "");
}

std::unique_ptr<KubeClient> Client(const std::string& url, const std::string& token_file = "") {
  auto made = KubeClient::Create({url, token_file, "", "shop"});
  REQUIRE_OK(made);
  return *std::move(made);
}

}  // namespace

TEST_CASE("pods are read with what the API says of them, and what it leaves out is empty") {
  std::string next;
  auto pods = ParsePods(kPods, next);
  REQUIRE_OK(pods);
  CHECK(next == "NEXT");
  REQUIRE(pods->size() == 2);
  const KubePod& pod = (*pods)[0];
  CHECK(pod.name == "web-1");
  CHECK(pod.resource_version == "7");
  CHECK(pod.generation == 2);
  CHECK_FALSE(pod.ending);
  CHECK(pod.labels.at("a") == "b");
  CHECK(pod.gates == std::vector<std::string>{"x.io/y"});
  CHECK(pod.conditions.at("Ready").reason == "ReadinessGatesNotReady");
  CHECK(pod.conditions.at("Ready").observed_generation == 2);
  REQUIRE(pod.containers.size() == 2);
  CHECK(pod.containers[0].restarts == 3);
  CHECK(pod.containers[0].image_id == "web@sha256:1");
  CHECK(pod.containers[0].has_status);
  CHECK_FALSE(pod.containers[1].has_status);
  CHECK(pod.ports == std::map<std::string, int>{{"admin", 8190}});
  CHECK((*pods)[1].ending);
  CHECK((*pods)[1].ip.empty());
  CHECK(Reason(ParsePods("<html>", next).status()) == "KUBE_ANSWER_INVALID");
  CHECK(Reason(ParsePods("{}", next).status()) == "KUBE_ANSWER_INVALID");
}

TEST_CASE("all pages are listed with the token that the file holds now") {
  testing::TempDir folder;
  std::ofstream(folder.File("token")) << "first\n";
  testing::HttpFixture server;
  server.Map("/api/v1/namespaces/shop/pods?labelSelector=a%3Db%2Cc&limit=500&resourceVersion=0", {.body = kPods});
  server.Map("/api/v1/namespaces/shop/pods?labelSelector=a%3Db%2Cc&limit=500&continue=NEXT",
             {.body = Without(kPods, R"(,"continue":"NEXT")")});
  auto client = Client(server.Url(""), folder.File("token"));
  auto pods = client->ListPods("a=b,c");
  REQUIRE_OK(pods);
  CHECK(pods->size() == 4);
  CHECK(server.requests()[0].headers.at("authorization") == "Bearer first");
  std::ofstream(folder.File("token")) << "second\n";
  REQUIRE_OK(client->ListPods("a=b,c"));
  CHECK(server.requests().back().headers.at("authorization") == "Bearer second");
  std::filesystem::remove(folder.File("token"));
  CHECK(Reason(client->ListPods("a=b,c").status()) == "FILE_UNREADABLE");
}

TEST_CASE("a condition is written for the pod as it was read, and its time only where it turns") {
  testing::HttpFixture server;
  server.Map("/api/v1/namespaces/shop/pods/web-1/status", {.body = "{}"});
  std::string next;
  auto pods = ParsePods(kPods, next);
  REQUIRE_OK(pods);
  auto client = Client(server.Url(""));
  REQUIRE_OK(client->SetCondition((*pods)[0], "x.io/y", {"True", "Well", "says \"yes\"", 0}, "2026-01-01T00:00:00Z"));
  auto first = server.requests().back();
  CHECK(first.method == "PATCH");
  CHECK(first.headers.at("content-type") == "application/strategic-merge-patch+json");
  CHECK(first.body == R"({"metadata":{"uid":"u-1","resourceVersion":"7"},"status":{"conditions":[{"type":"x.io/y",)"
                      R"("status":"True","reason":"Well","message":"says \"yes\"","lastTransitionTime":)"
                      R"("2026-01-01T00:00:00Z"}]}})");
  REQUIRE_OK(client->SetCondition((*pods)[0], "Ready", {"False", "Other", "", 0}, "2026-01-01T00:00:00Z"));
  CHECK(server.requests().back().body.find("lastTransitionTime") == std::string::npos);
}

TEST_CASE("what the API refuses keeps its message and gets a reason") {
  const auto [status, reason, code] =
      GENERATE(table<int, std::string, absl::StatusCode>({{401, "KUBE_REFUSED", absl::StatusCode::kUnauthenticated},
                                                          {403, "KUBE_REFUSED", absl::StatusCode::kPermissionDenied},
                                                          {404, "KUBE_NOT_FOUND", absl::StatusCode::kNotFound},
                                                          {409, "KUBE_CONFLICT", absl::StatusCode::kAborted},
                                                          {422, "KUBE_FAILED", absl::StatusCode::kFailedPrecondition},
                                                          {503, "KUBE_FAILED", absl::StatusCode::kUnavailable}}));
  testing::HttpFixture server;
  server.Map("/api/v1/namespaces/shop/pods", {.status = status, .body = R"({"kind":"Status","message":"not you"})"});
  absl::Status listed = Client(server.Url(""))->ListPods("").status();
  CHECK(Reason(listed) == reason);
  CHECK(listed.code() == code);
  CHECK(testing::Says(listed, "not you"));
}

TEST_CASE("a log comes piece by piece, and a refusal as an error") {
  testing::HttpFixture server;
  server.Map(
      "/api/v1/namespaces/shop/pods/web-1/log?timestamps=true&container=web&previous=true&sinceTime="
      "2026-01-01T00%3A00%3A00Z&tailLines=10",
      {.body = "t one\n"});
  auto client = Client(server.Url(""));
  auto log = client->OpenLog({"web-1", "web", true, "2026-01-01T00:00:00Z", 10});
  REQUIRE_OK(log);
  auto piece = (*log)->Read();
  REQUIRE_OK(piece);
  CHECK(*piece == "t one\n");
  CHECK(Reason(client->OpenLog({"web-2", "web"}).status()) == "KUBE_NOT_FOUND");
}

TEST_CASE("a pod finds the API by its environment and its account") {
  testing::TempDir folder;
  std::map<std::string, std::string> variables = {{"KUBERNETES_SERVICE_HOST", "fd00::1"},
                                                  {"KUBERNETES_SERVICE_PORT", "443"}};
  auto variable = [&](const char* name) { return variables[name]; };
  CHECK(Reason(AccessOfPod(variable, folder.path()).status()) == "KUBE_NOT_IN_POD");
  std::ofstream(folder.File("token")) << "t";
  std::ofstream(folder.File("namespace")) << "shop\n";
  auto access = AccessOfPod(variable, folder.path());
  REQUIRE_OK(access);
  CHECK(access->url == "https://[fd00::1]:443");
  CHECK(access->name_space == "shop");
  CHECK(access->ca_file == folder.File("ca.crt"));
  variables.erase("KUBERNETES_SERVICE_PORT");
  CHECK(Reason(AccessOfPod(variable, folder.path()).status()) == "KUBE_NOT_IN_POD");
  CHECK(Reason(KubeClient::Create({"kube.example", "", "", "shop"}).status()) == "URL_INVALID");
}

}  // namespace chartly::kube
