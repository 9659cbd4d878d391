#include "control/releases/releases_component.h"

#include "common/status/status.h"

namespace chartly::releases {

absl::StatusOr<std::unique_ptr<ReleasesComponent>> ReleasesComponent::Open(const ReleasesConfig& config,
                                                                           const rpc::Authenticator& authenticator,
                                                                           rpc::AuditSink* audit, Clock& clock) {
  ASSIGN_OR_RETURN(std::unique_ptr<StateStore> store, OpenEmbeddedStateStore(config.data_dir + "/releases", clock));
  return std::unique_ptr<ReleasesComponent>(new ReleasesComponent(std::move(store), authenticator, audit, clock));
}

std::string ReleasesComponent::Health() {
  absl::Status status = ledger_.Health();
  return status.ok() ? "" : std::string(status.message());
}

}  // namespace chartly::releases
