#include "control/registry/registry_component.h"

#include "common/status/status.h"

namespace chartly::registry {

absl::StatusOr<std::unique_ptr<RegistryComponent>> RegistryComponent::Open(const RegistryConfig& config,
                                                                           const rpc::Authenticator& authenticator,
                                                                           rpc::AuditSink* audit,
                                                                           const rpc::Peers& peers, Clock& clock) {
  ASSIGN_OR_RETURN(std::unique_ptr<StateStore> store, OpenEmbeddedStateStore(config.data_dir + "/registry", clock));
  return std::unique_ptr<RegistryComponent>(
      new RegistryComponent(std::move(store), authenticator, audit, peers, clock));
}

std::string RegistryComponent::Health() {
  absl::Status status = registry_.Health();
  return status.ok() ? "" : std::string(status.message());
}

}  // namespace chartly::registry
