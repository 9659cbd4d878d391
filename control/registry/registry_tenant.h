// The registry of one tenant: its profiles, plans and watches. Thread-safe.
#ifndef CHARTLY_CONTROL_REGISTRY_REGISTRY_TENANT_H_
#define CHARTLY_CONTROL_REGISTRY_REGISTRY_TENANT_H_

#include <memory>
#include <string>

#include "common/clock/clock.h"
#include "common/rpc/peers.h"
#include "common/state/state_store.h"
#include "common/state/tenant_state.h"
#include "control/registry/coordinator_preview.h"
#include "control/registry/profile_planner.h"
#include "control/registry/registry.h"
#include "control/registry/watch_board.h"

namespace chartly::registry {

struct RegistryTenant {
  // All must outlive it.
  RegistryTenant(const std::string& tenant, StateStore& shared, const rpc::Peers& peers, Clock& clock)
      : store(MakeTenantState(shared, tenant)),
        registry(*store, clock),
        preview(peers.ForTenant(tenant)),
        planner(registry.store(), *store, preview, clock),
        watches(registry.store()) {}
  // Empty if all is well; else what is wrong.
  std::string Health() {
    const absl::Status status = registry.Health();
    return status.ok() ? "" : std::string(status.message());
  }
  // Ends the watches.
  void Shutdown() { watches.Shutdown(); }

  const std::unique_ptr<StateStore> store;
  Registry registry;
  CoordinatorPreview preview;
  ProfilePlanner planner;
  WatchBoard watches;
};

}  // namespace chartly::registry

#endif  // CHARTLY_CONTROL_REGISTRY_REGISTRY_TENANT_H_
