// Which refusals go to the audit log one by one and which are counted: whoever is refused a million times must neither
// hide nor fill the disk. Of each kind (address, caller, method, outcome) and minute the first is recorded, and at the
// end of the minute how many more there were. Thread-safe; bounded.
#ifndef CHARTLY_COMMON_RPC_REFUSAL_LEDGER_H_
#define CHARTLY_COMMON_RPC_REFUSAL_LEDGER_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "common/rpc/audit_sink.h"

namespace chartly::rpc {

class RefusalLedger {
 public:
  static constexpr size_t kMaxKinds = 128;

  // At most so many kinds a minute; what does not fit is counted together.
  explicit RefusalLedger(size_t max_kinds = kMaxKinds) : max_kinds_(max_kinds) {}
  size_t max_kinds() const { return max_kinds_; }

  // Whether this one is to be recorded; else it is counted.
  bool Take(const AuditEntry& entry, absl::Time now);
  // What was counted in minutes that are over, or, with `all`, so far.
  std::vector<AuditEntry> Due(absl::Time now, bool all = false);

 private:
  struct Kind {
    AuditEntry first;
    int64_t more = 0;
  };

  const size_t max_kinds_;
  absl::Mutex mu_;
  absl::Time since_ ABSL_GUARDED_BY(mu_) = absl::InfinitePast();
  std::map<std::string, Kind> kinds_ ABSL_GUARDED_BY(mu_);
  std::vector<AuditEntry> due_ ABSL_GUARDED_BY(mu_);

  bool IsOver(absl::Time now) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void EndMinute() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
};

// How many kinds the ledgers of this process take, in place of kMaxKinds: more disk that strangers can fill, for those
// who must have every refusal by itself. Requires: called before there are threads.
void RecordRefusals(size_t max_kinds);
// What RecordRefusals said.
size_t RecordedRefusals();

}  // namespace chartly::rpc

#endif  // CHARTLY_COMMON_RPC_REFUSAL_LEDGER_H_
