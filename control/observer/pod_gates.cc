#include "control/observer/pod_gates.h"

#include <algorithm>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "common/status/status.h"
#include "common/telemetry/log.h"
#include "common/telemetry/metrics.h"

namespace chartly::observer {
namespace {

constexpr char kVersionLabel[] = "app.kubernetes.io/version";
constexpr char kAdminPort[] = "admin";

bool WaitsFor(const kube::KubePod& pod) {
  if (pod.ending || std::find(pod.gates.begin(), pod.gates.end(), kHealthGate) == pod.gates.end()) return false;
  auto known = pod.conditions.find(kHealthGate);
  return known == pod.conditions.end() || known->second.status != "True";
}

std::string UrlOf(const kube::KubePod& pod, int port, absl::string_view path) {
  const std::string host = absl::StrContains(pod.ip, ':') ? absl::StrCat("[", pod.ip, "]") : pod.ip;
  return absl::StrCat("http://", host, ":", port, path);
}

// Whether what the node said is of the pod as it is now: of this generation, where the cluster counts them, and of all
// its containers.
bool IsStale(const kube::KubePod& pod, const kube::KubeCondition& ready) {
  if (ready.observed_generation != 0 && pod.generation != 0 && ready.observed_generation != pod.generation) return true;
  return std::any_of(pod.containers.begin(), pod.containers.end(),
                     [](const kube::KubeContainer& container) { return !container.has_status; });
}

// The pod itself: that it takes work, and that it is of the version that it is said to be.
GateVerdict Ask(const kube::KubePod& pod, int port, const PodAnswer& ask) {
  const absl::StatusOr<net::HttpResponse> ready = ask(UrlOf(pod, port, "/ready"));
  if (!ready.ok()) return {false, "Unreachable", absl::StrCat("/ready: ", ready.status().message())};
  if (ready->status != 200) return {false, "NotReady", absl::StrCat("/ready answers with ", ready->status)};
  const absl::StatusOr<net::HttpResponse> health = ask(UrlOf(pod, port, "/health"));
  if (!health.ok()) return {false, "Unreachable", absl::StrCat("/health: ", health.status().message())};
  if (health->status != 200) return {false, "Unhealthy", absl::StrCat("/health answers with ", health->status)};
  const auto label = pod.labels.find(kVersionLabel);
  const std::string version = label == pod.labels.end() ? "" : label->second;
  if (version.empty() || !absl::StrContains(health->body, absl::StrCat("\"version\":\"", version, "\""))) {
    return {false, "OtherVersion", absl::StrCat("/health does not say the version of its label, '", version, "'")};
  }
  return {true, "Healthy", absl::StrCat("answers ready, with version ", version)};
}

}  // namespace

GateVerdict JudgePod(const kube::KubePod& pod, const PodAnswer& ask) {
  const auto ready = pod.conditions.find("ContainersReady");
  if (ready == pod.conditions.end() || ready->second.status != "True") {
    return {false, "ContainersNotReady", "its containers are not ready"};
  }
  if (IsStale(pod, ready->second)) return {false, "StatusStale", "its node has not told of it as it is now"};
  const auto port = pod.ports.find(kAdminPort);
  if (port == pod.ports.end() || pod.ip.empty()) {
    return {false, "NoAddress", absl::StrCat("it has no address, or no port named ", kAdminPort)};
  }
  return Ask(pod, port->second, ask);
}

// The addresses come from the API of the cluster that the process was given, so every range is allowed.
PodGates::PodGates(std::unique_ptr<kube::KubeClient> kube, std::string selector, Clock& clock, absl::Duration interval)
    : kube_(std::move(kube)),
      http_(net::MakeHttpClient(net::EgressPolicy::AllowAll())),
      selector_(std::move(selector)),
      interval_(interval),
      clock_(clock) {}

void PodGates::Start() {
  thread_ = std::thread([this] { Run(); });
}

void PodGates::Shutdown() {
  cancel_ = true;
  {
    absl::MutexLock lock(&mu_);
    stopped_ = true;
  }
  if (thread_.joinable()) thread_.join();
}

void PodGates::Run() {
  while (true) {
    Tell(Look().status());
    absl::MutexLock lock(&mu_);
    if (mu_.AwaitWithTimeout(absl::Condition(&stopped_), interval_)) return;
  }
}

// One line when it begins to fail and one when it works again, not one a round.
void PodGates::Tell(const absl::Status& status) {
  if (absl::IsCancelled(status)) return;
  if (!status.ok()) Count("chartly_readiness_gate_faults_total");
  const std::string fault(status.message());
  if (fault.empty() == fault_.empty()) return;
  fault_ = fault;
  if (fault.empty()) return LogInfo("readiness gates are set again");
  LogWarn("readiness gates cannot be set, so no new pod becomes ready", {{"error", fault}});
}

absl::StatusOr<int> PodGates::Look() {
  ASSIGN_OR_RETURN(const std::vector<kube::KubePod> pods, kube_->ListPods(selector_, &cancel_));
  int waiting = 0;
  absl::Status fault;
  for (const kube::KubePod& pod : pods) {
    if (!WaitsFor(pod)) continue;
    const absl::StatusOr<bool> waits = LookAt(pod);
    // One pod that cannot be written holds up no other.
    if (!waits.ok()) fault = waits.status();
    if (!waits.ok() || *waits) ++waiting;
    if (cancel_) break;
  }
  SetGauge("chartly_readiness_gates_waiting", waiting);
  if (!fault.ok()) return fault;
  return waiting;
}

absl::StatusOr<bool> PodGates::LookAt(const kube::KubePod& pod) {
  const GateVerdict verdict = JudgePod(pod, [this](const std::string& url) {
    net::HttpRequest request;
    request.url = url;
    request.timeout = kGateTimeout;
    request.max_redirects = 0;
    request.max_bytes = 64 << 10;
    request.cancel = &cancel_;
    return http_->Send(request);
  });
  if (cancel_) return absl::CancelledError("stopping");
  const auto known = pod.conditions.find(kHealthGate);
  // The reason tells what changed; a message that differs in its wording is not worth a write.
  if (known != pod.conditions.end() && !verdict.well && known->second.reason == verdict.reason) return true;
  const absl::Status written =
      kube_->SetCondition(pod, kHealthGate, {verdict.well ? "True" : "False", verdict.reason, verdict.message, 0},
                          absl::FormatTime("%Y-%m-%dT%H:%M:%SZ", clock_.Now(), absl::UTCTimeZone()), &cancel_);
  // It changed since it was read, or went: the next round judges it as it is then.
  if (absl::IsAborted(written) || absl::IsNotFound(written)) return true;
  RETURN_IF_ERROR(Annotate(written, pod.name));
  Count("chartly_readiness_verdicts_total", 1, verdict.well ? "well" : "not_well");
  if (verdict.well) LogInfo("a pod may serve", {{"pod", pod.name}, {"verdict", verdict.message}});
  return !verdict.well;
}

}  // namespace chartly::observer
