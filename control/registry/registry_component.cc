#include "control/registry/registry_component.h"

#include "common/status/status.h"

namespace chartly::registry {

absl::StatusOr<std::unique_ptr<RegistryComponent>> RegistryComponent::Open(const RegistryConfig& config,
                                                                           const rpc::Authenticator& authenticator,
                                                                           rpc::AuditSink* audit,
                                                                           const rpc::Peers& peers, Clock& clock) {
  ASSIGN_OR_RETURN(std::unique_ptr<StateStore> store,
                   OpenEmbeddedStateStore(config.data_dir + "/registry", clock, config.keep_log_bytes));
  std::unique_ptr<RegistryComponent> component(
      new RegistryComponent(std::move(store), authenticator, audit, peers, clock));
  RETURN_IF_ERROR(component->tenants_.Open({}));
  return component;
}

}  // namespace chartly::registry
