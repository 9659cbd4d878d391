#include "control/observer/observer_component.h"

#include <cstdlib>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "chartly/v1/observer.grpc.pb.h"
#include "common/net/http_client.h"
#include "common/rpc/grpc_status.h"
#include "common/rpc/health_check.h"
#include "common/status/status.h"

namespace chartly::observer {
namespace {

// The gateway speaks HTTP only; it is asked the question that a load balancer would ask. One that takes TLS only says
// so itself, and that is answer enough: its certificate is for the names that people use.
absl::StatusOr<v1::PartCondition> ProbeGateway(net::HttpClient& http, const std::string& address) {
  net::HttpRequest request;
  request.url = absl::StrCat("http://", address, "/ready");
  request.timeout = kProbeTimeout;
  request.max_redirects = 0;
  request.max_bytes = 64 << 10;
  ASSIGN_OR_RETURN(net::HttpResponse response, http.Send(request));
  if (response.status == 200) return v1::PartCondition();
  if (absl::StrContains(response.body, "\"TLS_REQUIRED\"")) return v1::PartCondition();
  return absl::FailedPreconditionError(absl::StrCat("/ready answered with status ", response.status));
}

// A part of a version before, which does not know the question, can still be asked whether it serves.
absl::StatusOr<v1::PartCondition> ProbePart(const std::shared_ptr<grpc::Channel>& channel, const PartInfo& info) {
  grpc::ClientContext context;
  rpc::Prepare(context, kProbeTimeout);
  v1::GetPartConditionRequest request;
  request.set_part(info.name);
  v1::PartCondition condition;
  const absl::Status status =
      rpc::FromGrpcStatus(v1::PartHealthService::NewStub(channel)->GetPartCondition(&context, request, &condition));
  if (status.ok()) return condition;
  if (absl::IsNotFound(status)) return absl::FailedPreconditionError(status.message());
  if (!absl::IsUnimplemented(status)) return status;
  RETURN_IF_ERROR(rpc::CheckHealth(channel, info.service, kProbeTimeout));
  return v1::PartCondition();
}

absl::StatusOr<std::unique_ptr<PodGates>> OpenGates(const ObserverConfig& config, Clock& clock) {
  auto variable = [](const char* name) {
    const char* value = std::getenv(name);
    return std::string(value == nullptr ? "" : value);
  };
  ASSIGN_OR_RETURN(kube::KubeAccess access, kube::AccessOfPod(variable, config.kube_folder));
  ASSIGN_OR_RETURN(std::unique_ptr<kube::KubeClient> kube, kube::KubeClient::Create(std::move(access)));
  return std::make_unique<PodGates>(std::move(kube), config.gate_selector, clock);
}

}  // namespace

absl::StatusOr<std::unique_ptr<ObserverComponent>> ObserverComponent::Open(const ObserverConfig& config,
                                                                           const rpc::Authenticator& authenticator,
                                                                           rpc::AuditSink* audit,
                                                                           const rpc::Peers& peers, Clock& clock) {
  ObserverDeps deps;
  // The address comes from this process's own flags, not from a request, so every range is allowed.
  std::shared_ptr<net::HttpClient> http = net::MakeHttpClient(net::EgressPolicy::AllowAll());
  deps.probe = [&peers, http](Part part) {
    if (part == Part::kGateway) return ProbeGateway(*http, peers.Address(part));
    return ProbePart(peers.Channel(part), InfoOf(part));
  };
  deps.address = [&peers](Part part) { return peers.Address(part); };
  deps.gateway_address = config.gateway_address;
  std::unique_ptr<ObserverComponent> made(
      new ObserverComponent(std::move(deps), config.backups, authenticator, audit, peers, clock));
  RETURN_IF_ERROR(made->backups_.OpenBucket());
  if (!config.gate_selector.empty()) {
    ASSIGN_OR_RETURN(made->gates_, OpenGates(config, clock));
    made->gates_->Start();
  }
  return made;
}

}  // namespace chartly::observer
