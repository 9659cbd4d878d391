#include "control/releases/releases_component.h"

#include "common/status/status.h"

namespace chartly::releases {

absl::StatusOr<std::unique_ptr<ReleasesComponent>> ReleasesComponent::Open(const ReleasesConfig& config,
                                                                           const rpc::Authenticator& authenticator,
                                                                           rpc::AuditSink* audit, Clock& clock) {
  ASSIGN_OR_RETURN(std::unique_ptr<StateStore> store,
                   OpenEmbeddedStateStore(config.data_dir + "/releases", clock, config.keep_log_bytes));
  std::unique_ptr<ReleasesComponent> component(new ReleasesComponent(std::move(store), authenticator, audit, clock));
  RETURN_IF_ERROR(component->tenants_.Open({}));
  return component;
}

}  // namespace chartly::releases
