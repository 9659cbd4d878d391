// The memory that reports may take, all together, with the blocks that wait for their next piece (big_memory.h). Header
// only.
#ifndef CHARTLY_CONTROL_REPORTER_MEMORY_BUDGET_H_
#define CHARTLY_CONTROL_REPORTER_MEMORY_BUDGET_H_

#include <atomic>
#include <cstdint>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "common/status/status.h"
#include "control/reporter/big_memory.h"

namespace chartly::reporter {

// Thread-safe.
class MemoryBudget {
 public:
  explicit MemoryBudget(int64_t limit_bytes) : limit_(limit_bytes) {}
  int64_t limit() const { return limit_; }
  int64_t used() const { return used_.load(); }

 private:
  friend class Reservation;
  const int64_t limit_;
  std::atomic<int64_t> used_{0};
};

// What one report holds of the budget; given back when it ends. Thread-safe. The budget must outlive it.
class Reservation {
 public:
  explicit Reservation(MemoryBudget& budget) : budget_(budget) {}
  ~Reservation() {
    budget_.used_ -= held_;
    KeepBigMemory::LeaveRoom(budget_.limit_ - budget_.used_);
  }
  Reservation(const Reservation&) = delete;
  Reservation& operator=(const Reservation&) = delete;

  // Takes `bytes` more. ResourceExhausted (REPORT_TOO_LARGE) if the budget has no more; what is held stays.
  absl::Status Grow(int64_t bytes) {
    if (needed_.fetch_add(bytes) + bytes <= held_.load()) return absl::OkStatus();
    absl::MutexLock lock(&mutex_);
    // In steps, so that rows do not each touch the shared counter.
    int64_t step = needed_ - held_;
    if (step <= 0) return absl::OkStatus();
    if (step < kStep && kStep <= budget_.limit_ / 16) step = kStep;
    if (budget_.used_.fetch_add(step) + step > budget_.limit_) {
      budget_.used_ -= step;
      return Error(absl::StatusCode::kResourceExhausted, "REPORT_TOO_LARGE",
                   absl::StrCat("the report does not fit the ", budget_.limit_ >> 20,
                                " MiB that reports may take; group by a dim that all inputs are joined on, "
                                "add a filter to an input, or raise --report-memory"),
                   {{"limit_bytes", absl::StrCat(budget_.limit_)}});
    }
    held_ += step;
    KeepBigMemory::LeaveRoom(budget_.limit_ - budget_.used_);
    return absl::OkStatus();
  }

  // Gives `bytes` back to what this report may take next. Requires: that many were taken and are free again.
  void Shrink(int64_t bytes) { needed_ -= bytes; }
  int64_t needed() const { return needed_.load(); }

 private:
  static constexpr int64_t kStep = 256 << 10;
  MemoryBudget& budget_;
  absl::Mutex mutex_;  // of those that take more of the budget
  std::atomic<int64_t> needed_{0};
  std::atomic<int64_t> held_{0};
};

}  // namespace chartly::reporter

#endif  // CHARTLY_CONTROL_REPORTER_MEMORY_BUDGET_H_
