#include "control/registry/plan_store.h"

#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/clock/proto_time.h"
#include "common/state/retry.h"
#include "common/status/status.h"

namespace chartly::registry {
namespace {

constexpr char kTimes[] = "plan/time/";
constexpr size_t kTimeDigits = 16;

std::string TextKey(absl::string_view hash) { return absl::StrCat("plan/text/", hash); }
std::string TimeKey(absl::Time time, absl::string_view hash) {
  return absl::StrCat(kTimes, absl::Hex(absl::ToUnixMicros(time), absl::kZeroPad16), hash);
}

}  // namespace

absl::StatusOr<storage::v1::StoredPlan> PlanStore::Get(const std::string& hash, absl::Time now) const {
  auto entry = store_.Get(TextKey(hash));
  if (!entry.ok() && !absl::IsNotFound(entry.status())) return entry.status();
  storage::v1::StoredPlan plan;
  if (entry.ok() && !plan.ParseFromString(entry->value)) {
    return Error(absl::StatusCode::kDataLoss, "STATE_DAMAGED", absl::StrCat("plan ", hash, " is damaged; plan again"));
  }
  if (entry.ok() && FromTimestamp(plan.plan().expire_time()) > now) return plan;
  return NotThere(hash);
}

absl::Status PlanStore::NotThere(const std::string& hash) {
  return Error(absl::StatusCode::kNotFound, "PLAN_NOT_FOUND",
               absl::StrCat("no plan '", hash, "' of the last day is kept; make one with: chartly profile plan"),
               {{"plan", hash}});
}

absl::StatusOr<StateTransaction> PlanStore::Replacing(const storage::v1::StoredPlan& plan) const {
  const std::string& hash = plan.plan().hash();
  StateTransaction transaction;
  ASSIGN_OR_RETURN(std::vector<StateEntry> times, store_.Range(kTimes));
  size_t kept = times.size();
  for (const StateEntry& entry : times) {
    const std::string of = entry.key.substr(sizeof(kTimes) - 1 + kTimeDigits);
    const bool same = of == hash;
    if (!same && kept < kMaxPlans) continue;
    transaction.conditions.push_back({entry.key, entry.revision});
    if (entry.key != TimeKey(FromTimestamp(plan.plan().create_time()), hash)) transaction.deletes.push_back(entry.key);
    if (!same) transaction.deletes.push_back(TextKey(of));
    --kept;
  }
  return transaction;
}

absl::Status PlanStore::Put(const storage::v1::StoredPlan& plan, absl::Time now) {
  return RetryOnConflict([&]() -> absl::Status {
    ASSIGN_OR_RETURN(StateTransaction transaction, Replacing(plan));
    transaction.puts.push_back({TextKey(plan.plan().hash()), plan.SerializeAsString()});
    transaction.puts.push_back({TimeKey(now, plan.plan().hash()), ""});
    return store_.Commit(transaction).status();
  });
}

}  // namespace chartly::registry
