// What of a store belongs to one tenant: a store of its own, as far as whoever uses it can tell. Its keys lie under
// tenants/NAME/ in the shared store; those of the default tenant lie as they always did, beside.
//
// Thread-safe. Revisions and leases are of the shared store: a tenant sees that numbers are left out, and no more.
#ifndef CHARTLY_COMMON_STATE_TENANT_STATE_H_
#define CHARTLY_COMMON_STATE_TENANT_STATE_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/state/state_store.h"

namespace chartly {

// `tenant` is a name without '/'. The store must outlive it. Its source is that of the shared store.
std::unique_ptr<StateStore> MakeTenantState(StateStore& store, absl::string_view tenant);

// The tenants that keep anything in the store, the default one left out, each once.
absl::StatusOr<std::vector<std::string>> TenantsIn(const StateStore& store);

}  // namespace chartly

#endif  // CHARTLY_COMMON_STATE_TENANT_STATE_H_
