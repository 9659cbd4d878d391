#include "control/audit/audit_component.h"

#include <utility>

#include "common/state/tenant_state.h"
#include "common/status/status.h"

namespace chartly::audit {

AuditComponent::AuditComponent(const AuditConfig& config, std::unique_ptr<StateStore> store,
                               const rpc::Authenticator& authenticator, rpc::AuditSink* audit, Clock& clock)
    : secrets_(config.secrets_dir),
      // Whoever starts this process chose the address of the webhook.
      http_(net::MakeHttpClient(net::EgressPolicy::AllowAll())),
      store_(std::move(store)),
      tenants_([this, config, &clock](const std::string& tenant) {
        return AuditTenant::Open(tenant, config, *store_, *http_, secrets_, clock);
      }),
      service_(tenants_, authenticator, audit) {}

absl::StatusOr<std::unique_ptr<AuditComponent>> AuditComponent::Open(const AuditConfig& config,
                                                                     const rpc::Authenticator& authenticator,
                                                                     rpc::AuditSink* audit, Clock& clock) {
  ASSIGN_OR_RETURN(std::unique_ptr<StateStore> store,
                   OpenEmbeddedStateStore(config.data_dir + "/audit", clock, config.keep_log_bytes));
  ASSIGN_OR_RETURN(const std::vector<std::string> tenants, TenantsIn(*store));
  std::unique_ptr<AuditComponent> component(new AuditComponent(config, std::move(store), authenticator, audit, clock));
  RETURN_IF_ERROR(component->tenants_.Open(tenants));
  return component;
}

}  // namespace chartly::audit
