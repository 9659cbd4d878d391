#include "control/coordinator/coordinator_component.h"

#include <filesystem>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/state/tenant_state.h"
#include "common/status/status.h"

namespace chartly::coordinator {

CoordinatorComponent::CoordinatorComponent(const CoordinatorConfig& config, std::unique_ptr<StateStore> store,
                                           const rpc::Authenticator& authenticator, rpc::AuditSink* audit,
                                           const rpc::Peers& peers, Clock& clock)
    : store_(std::move(store)),
      tenants_([this, config, &peers, &clock](const std::string& tenant) {
        return CoordinatorTenant::Open(tenant, config, *store_, peers, clock);
      }),
      service_(tenants_, authenticator, audit) {}

absl::StatusOr<std::unique_ptr<CoordinatorComponent>> CoordinatorComponent::Open(
    const CoordinatorConfig& config, const rpc::Authenticator& authenticator, rpc::AuditSink* audit,
    const rpc::Peers& peers, Clock& clock) {
  if (config.heartbeat_interval < absl::Milliseconds(10) || config.runs_max == 0) {
    return Error(absl::StatusCode::kInvalidArgument, "CONFIG_INVALID",
                 "coordinator: heartbeat_interval must be at least 10ms and runs_max at least 1");
  }
  std::string folder = config.data_dir + "/coordinator";
  std::error_code made;
  std::filesystem::create_directories(config.data_dir, made);  // opening the store tells if this failed
  absl::StatusOr<std::unique_ptr<StateStore>> store = OpenEmbeddedStateStore(folder, clock, config.keep_log_bytes);
  if (!store.ok()) return Annotate(store.status(), absl::StrCat("open coordinator state ", folder));
  ASSIGN_OR_RETURN(const std::vector<std::string> tenants, TenantsIn(**store));
  std::unique_ptr<CoordinatorComponent> component(
      new CoordinatorComponent(config, *std::move(store), authenticator, audit, peers, clock));
  RETURN_IF_ERROR(component->tenants_.Open(tenants));
  return component;
}

}  // namespace chartly::coordinator
