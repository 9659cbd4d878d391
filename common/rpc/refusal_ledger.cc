#include "common/rpc/refusal_ledger.h"

#include <utility>

#include "absl/strings/str_cat.h"

namespace chartly::rpc {
namespace {

constexpr absl::Duration kPeriod = absl::Minutes(1);
constexpr char kOthers[] = "others";

size_t recorded_refusals = RefusalLedger::kMaxKinds;

std::string KindOf(const AuditEntry& entry) {
  return absl::StrCat(entry.address, "\n", entry.actor, "\n", entry.action, "\n", entry.outcome);
}

}  // namespace

void RefusalLedger::EndMinute() {
  for (auto& [name, kind] : kinds_) {
    if (kind.more == 0) continue;
    kind.first.request_id.clear();
    kind.first.detail = absl::StrCat(kind.more, " more within a minute");
    // A round that nobody fetched is not kept for ever.
    if (due_.size() < 2 * max_kinds_) due_.push_back(std::move(kind.first));
  }
  kinds_.clear();
}

// Also if the clock was set back: what is refused must not go unrecorded until it has caught up.
bool RefusalLedger::IsOver(absl::Time now) const { return absl::AbsDuration(now - since_) >= kPeriod; }

bool RefusalLedger::Take(const AuditEntry& entry, absl::Time now) {
  absl::MutexLock lock(&mu_);
  if (IsOver(now)) {
    EndMinute();
    since_ = now;
  }
  auto found = kinds_.find(KindOf(entry));
  if (found != kinds_.end()) {
    ++found->second.more;
    return false;
  }
  if (kinds_.size() < max_kinds_) {
    kinds_[KindOf(entry)].first = entry;
    return true;
  }
  Kind& others = kinds_[kOthers];
  if (others.more++ == 0) {
    others.first = {};
    others.first.actor = kOthers;
    others.first.action = "Refused";
    others.first.outcome = entry.outcome;
  }
  return false;
}

std::vector<AuditEntry> RefusalLedger::Due(absl::Time now, bool all) {
  absl::MutexLock lock(&mu_);
  if (all || IsOver(now)) EndMinute();
  return std::exchange(due_, {});
}

void RecordRefusals(size_t max_kinds) { recorded_refusals = max_kinds; }

size_t RecordedRefusals() { return recorded_refusals; }

}  // namespace chartly::rpc
