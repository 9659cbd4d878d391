#include "control/audit/audit_component.h"

#include "common/status/status.h"

namespace chartly::audit {

absl::StatusOr<std::unique_ptr<AuditComponent>> AuditComponent::Open(const AuditConfig& config,
                                                                     const rpc::Authenticator& authenticator,
                                                                     rpc::AuditSink* audit, Clock& clock) {
  ASSIGN_OR_RETURN(std::unique_ptr<StateStore> store, OpenEmbeddedStateStore(config.data_dir + "/audit", clock));
  return std::unique_ptr<AuditComponent>(new AuditComponent(std::move(store), authenticator, audit, clock));
}

std::string AuditComponent::Health() {
  absl::Status status = log_.Health();
  return status.ok() ? "" : std::string(status.message());
}

}  // namespace chartly::audit
