#include "control/observer/pod_gates.h"

#include <mutex>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "common/status/status.h"
#include "test/support/http_fixture.h"
#include "test/support/test.h"

namespace chartly::observer {
namespace {

constexpr char kPods[] = "/api/v1/namespaces/shop/pods";

// An API of a cluster with pods whose admin port is that of the server itself, so it answers for them, too.
struct Cluster {
  Cluster() {
    Show({Pod()});
    server.Map("/ready", {.body = "{\"ready\":true}"});
    server.Map("/health", {.body = R"({"status":"ok","version":"1.2.3"})"});
    server.Map(absl::StrCat(kPods, "/web/status"), {.body = "{}"});
    auto client = kube::KubeClient::Create({server.Url(""), "", "", "shop"});
    REQUIRE_OK(client);
    gates = std::make_unique<PodGates>(*std::move(client), "a=b", clock, absl::Milliseconds(1));
  }

  // A pod that waits, and all else about it is well.
  std::string Pod() const {
    return absl::StrReplaceAll(
        R"({"metadata":{"name":"web","uid":"u","resourceVersion":"5","generation":2,"labels":{"app.kubernetes.io/version":"1.2.3"}},
            "spec":{"readinessGates":[{"conditionType":"argocd.argoproj.io/health"}],
                    "containers":[{"name":"web","ports":[{"name":"admin","containerPort":PORT}]}]},
            "status":{"podIP":"127.0.0.1","conditions":[{"type":"ContainersReady","status":"True","observedGeneration":2}],
                      "containerStatuses":[{"name":"web","restartCount":0}]}})",
        {{"PORT", std::to_string(server.port())}});
  }
  std::string PodWith(const std::string& from, const std::string& to) const {
    std::string pod = Pod();
    const size_t at = pod.find(from);
    REQUIRE(at != std::string::npos);
    return pod.replace(at, from.size(), to);
  }
  void Show(const std::vector<std::string>& pods) {
    server.Map(kPods, {.body = absl::StrCat(R"({"metadata":{},"items":[)", absl::StrJoin(pods, ","), "]}")});
  }
  // What was written of pods: the bodies.
  std::vector<std::string> Written() const {
    std::vector<std::string> bodies;
    for (const auto& request : server.requests()) {
      if (request.method == "PATCH") bodies.push_back(request.body);
    }
    return bodies;
  }
  int Waiting() {
    auto waiting = gates->Look();
    REQUIRE_OK(waiting);
    return *waiting;
  }

  testing::HttpFixture server;
  FakeClock clock;
  std::unique_ptr<PodGates> gates;
};

bool Has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

}  // namespace

TEST_CASE("a pod that does well gets its gate opened, as the pod that was read") {
  Cluster cluster;
  CHECK(cluster.Waiting() == 0);
  REQUIRE(cluster.Written().size() == 1);
  const std::string body = cluster.Written()[0];
  CHECK(Has(body, R"("uid":"u","resourceVersion":"5")"));
  CHECK(Has(body, R"("type":"argocd.argoproj.io/health","status":"True","reason":"Healthy")"));
}

TEST_CASE("a pod that does not do well waits, and its condition says why") {
  Cluster cluster;
  const auto [from, to, reason] = GENERATE(table<std::string, std::string, std::string>({
      {R"("ContainersReady","status":"True")", R"("ContainersReady","status":"False")", "ContainersNotReady"},
      {R"("ContainersReady")", R"("Initialized")", "ContainersNotReady"},
      {R"("observedGeneration":2)", R"("observedGeneration":1)", "StatusStale"},
      {R"({"name":"web","restartCount":0})", "", "StatusStale"},
      {R"("podIP":"127.0.0.1",)", "", "NoAddress"},
      {R"("name":"admin")", R"("name":"http")", "NoAddress"},
      {R"("podIP":"127.0.0.1")", R"("podIP":"127.0.0.9")", "Unreachable"},
      {R"("app.kubernetes.io/version":"1.2.3")", R"("app.kubernetes.io/version":"1.2.4")", "OtherVersion"},
      {R"("app.kubernetes.io/version":"1.2.3")", "", "OtherVersion"},
  }));
  INFO(reason << " " << to);
  cluster.Show({cluster.PodWith(from, to)});
  CHECK(cluster.Waiting() == 1);
  REQUIRE(cluster.Written().size() == 1);
  CHECK(Has(cluster.Written()[0], absl::StrCat(R"("status":"False","reason":")", reason, "\"")));
}

TEST_CASE("what the pod itself answers counts") {
  Cluster cluster;
  const auto [path, reason] =
      GENERATE(table<std::string, std::string>({{"/ready", "NotReady"}, {"/health", "Unhealthy"}}));
  cluster.server.Map(path, {.status = 503, .body = "{}"});
  CHECK(cluster.Waiting() == 1);
  CHECK(Has(cluster.Written().at(0), absl::StrCat("\"reason\":\"", reason, "\"")));
}

TEST_CASE("a verdict that says nothing new is not written again") {
  Cluster cluster;
  cluster.server.Map("/ready", {.status = 503, .body = "{}"});
  const std::string told = R"({"type":"argocd.argoproj.io/health","status":"False","reason":"NotReady"},{"type":"Con)";
  cluster.Show({cluster.PodWith(R"({"type":"Con)", told)});
  CHECK(cluster.Waiting() == 1);
  CHECK(cluster.Written().empty());
}

TEST_CASE("a gate that is open, a pod that has none and one that ends are left alone") {
  Cluster cluster;
  cluster.server.Map("/ready", {.status = 503, .body = "{}"});
  const std::string open = R"({"type":"argocd.argoproj.io/health","status":"True"},{"type":"Con)";
  cluster.Show({cluster.PodWith(R"({"type":"Con)", open), cluster.PodWith("argocd.argoproj.io/health", "other.io/gate"),
                cluster.PodWith(R"("uid":"u")", R"("uid":"u","deletionTimestamp":"2026-01-01T00:00:00Z")")});
  CHECK(cluster.Waiting() == 0);
  CHECK(cluster.Written().empty());
  CHECK(cluster.server.Count("/ready") == 0);
}

TEST_CASE("a pod that changed since it was read is judged again, and a refusal holds up no other pod") {
  Cluster cluster;
  cluster.server.Script(absl::StrCat(kPods, "/web/status"), {{.status = 409, .body = "{}"}, {.body = "{}"}});
  CHECK(cluster.Waiting() == 1);
  CHECK(cluster.Waiting() == 0);
  cluster.server.Map(absl::StrCat(kPods, "/first/status"), {.status = 403, .body = R"({"message":"no"})"});
  cluster.Show({cluster.PodWith(R"("name":"web","uid")", R"("name":"first","uid")"), cluster.Pod()});
  const size_t before = cluster.Written().size();
  CHECK(Reason(cluster.gates->Look().status()) == "KUBE_REFUSED");
  CHECK(cluster.Written().size() == before + 2);
}

TEST_CASE("it looks on its own until it is shut down, also after the API was away") {
  Cluster cluster;
  const std::string list = absl::StrCat(kPods, "?labelSelector=a%3Db&limit=500&resourceVersion=0");
  cluster.server.Script(list,
                        {{.status = 503, .body = "{}"}, {.body = absl::StrCat("{\"items\":[", cluster.Pod(), "]}")}});
  cluster.gates->Start();
  CHECK(testing::Eventually([&] { return !cluster.Written().empty(); }));
  cluster.gates->Shutdown();
  const int count = cluster.server.Count();
  cluster.gates->Shutdown();
  CHECK(cluster.server.Count() == count);
}

}  // namespace chartly::observer
