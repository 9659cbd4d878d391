#include "control/reporter/reporter_component.h"

#include <utility>

#include "common/state/tenant_state.h"
#include "common/status/status.h"

namespace chartly::reporter {

ReporterComponent::ReporterComponent(const ReporterConfig& config, std::unique_ptr<StateStore> store,
                                     const rpc::Authenticator& authenticator, rpc::AuditSink* audit,
                                     const rpc::Peers& peers, Clock& clock)
    : store_(std::move(store)),
      runner_(config.limits),
      tenants_([this, &peers, &clock, timeout = config.scan_timeout, tick = config.tick_interval](
                   const std::string& tenant) -> absl::StatusOr<std::unique_ptr<ReporterTenant>> {
        return std::make_unique<ReporterTenant>(tenant, *store_, runner_, peers, clock, timeout, tick);
      }),
      service_(runner_, tenants_, clock, config.scan_timeout, authenticator, audit) {}

absl::StatusOr<std::unique_ptr<ReporterComponent>> ReporterComponent::Open(const ReporterConfig& config,
                                                                           const rpc::Authenticator& authenticator,
                                                                           rpc::AuditSink* audit,
                                                                           const rpc::Peers& peers, Clock& clock) {
  if (config.limits.memory_bytes_max <= 0 || config.limits.rows_max <= 0 || config.limits.answer_bytes_max <= 0 ||
      config.scan_timeout <= absl::ZeroDuration() || config.tick_interval <= absl::ZeroDuration()) {
    return Error(absl::StatusCode::kInvalidArgument, "CONFIG_INVALID",
                 "reporter: memory, rows, answer size, scan timeout and tick must be positive");
  }
  ASSIGN_OR_RETURN(std::unique_ptr<StateStore> store,
                   OpenEmbeddedStateStore(config.data_dir + "/reporter", clock, config.keep_log_bytes));
  ASSIGN_OR_RETURN(const std::vector<std::string> tenants, TenantsIn(*store));
  std::unique_ptr<ReporterComponent> component(
      new ReporterComponent(config, std::move(store), authenticator, audit, peers, clock));
  RETURN_IF_ERROR(component->tenants_.Open(tenants));
  return component;
}

}  // namespace chartly::reporter
