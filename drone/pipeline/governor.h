// Holds the runs of a drone to what the owner of its host allows them together (common/profile/consent.h): so much
// processor time on average, and so much memory of the process. Thread-safe.
#ifndef CHARTLY_DRONE_PIPELINE_GOVERNOR_H_
#define CHARTLY_DRONE_PIPELINE_GOVERNOR_H_

#include <atomic>
#include <cstdint>
#include <functional>
#include <set>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "common/clock/clock.h"

namespace chartly::drone {

// A decoder that holds a document whole ends it at 6 MiB, and takes up to four times as much for where its tokens are.
inline constexpr int64_t kTakenPerByte = 5;
inline constexpr int64_t kMostOfARun = kTakenPerByte * (int64_t{6} << 20);

// What this process took so far, and holds now.
struct ProcessUsage {
  absl::Duration cpu;
  int64_t memory_bytes;  // resident
};
ProcessUsage UsageOfThisProcess();

class Governor {
 public:
  // What one run that reads pages is about to take of the memory, promised before it takes it. A run alone may go on as
  // long as the process holds no more than it may; several only if there is room for all that is promised. Given back
  // with the object. Not thread-safe, but each run has its own.
  class Share {
   public:
    // `governor` outlives this; null promises everything.
    explicit Share(Governor* governor);
    ~Share();
    Share(const Share&) = delete;
    Share& operator=(const Share&) = delete;

    // Promises `bytes` more, at most kMostOfARun in all. Without room it waits for other runs, and says
    // ResourceExhausted (CONSENT_DENIED) after a while, or at once where all runs wait and this one began last.
    absl::Status Grow(int64_t bytes, const std::atomic<bool>& cancelled);
    // What was promised has been taken by now, or is not needed any more.
    void Settle();

   private:
    Governor* const governor_;
    int64_t number_ = 0;  // grows from share to share
    int64_t promised_ = 0;
  };

  // `cores` and `memory_bytes` of 0 are no limit.
  Governor(double cores, int64_t memory_bytes, Clock& clock, std::function<ProcessUsage()> usage = UsageOfThisProcess);

  // Called by a run after every piece of work. Waits until what the process took fits, at most as long as `cancelled`
  // is false. ResourceExhausted (CONSENT_DENIED) if the process holds more memory than it may.
  absl::Status Admit(const std::atomic<bool>& cancelled);

 private:
  bool Promise(int64_t bytes) ABSL_LOCKS_EXCLUDED(mu_);
  absl::Status AwaitPromise(int64_t bytes, int64_t number, const std::atomic<bool>& cancelled) ABSL_LOCKS_EXCLUDED(mu_);
  void SetWaiting(int64_t number, bool waits) ABSL_LOCKS_EXCLUDED(mu_);
  bool IsLastOfAllWaiting(int64_t number) const ABSL_LOCKS_EXCLUDED(mu_);
  absl::Status MemoryError() const;
  absl::Duration Debt() ABSL_LOCKS_EXCLUDED(mu_);

  const double cores_;
  const int64_t memory_bytes_;
  Clock& clock_;
  const std::function<ProcessUsage()> usage_;
  mutable absl::Mutex mu_;
  int64_t promised_ ABSL_GUARDED_BY(mu_) = 0;
  size_t shares_ ABSL_GUARDED_BY(mu_) = 0;
  int64_t last_number_ ABSL_GUARDED_BY(mu_) = 0;
  std::set<int64_t> waiting_ ABSL_GUARDED_BY(mu_);  // numbers of shares
  absl::Time at_ ABSL_GUARDED_BY(mu_);
  absl::Duration cpu_ ABSL_GUARDED_BY(mu_);     // at at_
  absl::Duration credit_ ABSL_GUARDED_BY(mu_);  // processor time that may still be taken at once
};

}  // namespace chartly::drone

#endif  // CHARTLY_DRONE_PIPELINE_GOVERNOR_H_
