#include "control/observer/observer_component.h"

#include "common/rpc/health_check.h"

namespace chartly::observer {

absl::StatusOr<std::unique_ptr<ObserverComponent>> ObserverComponent::Open(const ObserverConfig& config,
                                                                           const rpc::Authenticator& authenticator,
                                                                           rpc::AuditSink* audit,
                                                                           const rpc::Peers& peers, Clock& clock) {
  ObserverDeps deps;
  deps.probe = [&peers](Part part) {
    return rpc::CheckHealth(peers.Channel(part), InfoOf(part).service, kProbeTimeout);
  };
  deps.address = [&peers](Part part) { return peers.Address(part); };
  deps.gateway_address = config.gateway_address;
  return std::unique_ptr<ObserverComponent>(new ObserverComponent(std::move(deps), authenticator, audit, clock));
}

}  // namespace chartly::observer
