// Keeps the last plans for a day, at most 32 of them, the oldest going first:
//
//   plan/text/{hash}             storage.v1.StoredPlan
//   plan/time/{micros}{hash}     empty; sorts by when the plan was made
//
// Thread-safe. The store must outlive it.
#ifndef CHARTLY_CONTROL_REGISTRY_PLAN_STORE_H_
#define CHARTLY_CONTROL_REGISTRY_PLAN_STORE_H_

#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "chartly/storage/v1/registry.pb.h"
#include "common/state/state_store.h"

namespace chartly::registry {

class PlanStore {
 public:
  static constexpr size_t kMaxPlans = 32;
  static constexpr absl::Duration kLifetime = absl::Hours(24);

  explicit PlanStore(StateStore& store) : store_(store) {}
  // NotFound (PLAN_NOT_FOUND).
  static absl::Status NotThere(const std::string& hash);
  // NotFound (PLAN_NOT_FOUND) if there is none, or its day is over.
  absl::StatusOr<storage::v1::StoredPlan> Get(const std::string& hash, absl::Time now) const;
  // Keeps a plan, made `now`, in place of one with its hash.
  absl::Status Put(const storage::v1::StoredPlan& plan, absl::Time now);

 private:
  absl::StatusOr<StateTransaction> Replacing(const storage::v1::StoredPlan& plan) const;

  StateStore& store_;
};

}  // namespace chartly::registry

#endif  // CHARTLY_CONTROL_REGISTRY_PLAN_STORE_H_
