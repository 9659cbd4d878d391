// Holds the runs of a drone to what the owner of its host allows them together (common/profile/consent.h): so much
// processor time on average, and so much memory of the process. Thread-safe.
#ifndef CHARTLY_DRONE_PIPELINE_GOVERNOR_H_
#define CHARTLY_DRONE_PIPELINE_GOVERNOR_H_

#include <atomic>
#include <cstdint>
#include <functional>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "common/clock/clock.h"

namespace chartly::drone {

// What this process took so far, and holds now.
struct ProcessUsage {
  absl::Duration cpu;
  int64_t memory_bytes;  // resident
};
ProcessUsage UsageOfThisProcess();

class Governor {
 public:
  // `cores` and `memory_bytes` of 0 are no limit.
  Governor(double cores, int64_t memory_bytes, Clock& clock, std::function<ProcessUsage()> usage = UsageOfThisProcess);

  // Called by a run after every piece of work. Waits until what the process took fits, at most as long as `cancelled`
  // is false. ResourceExhausted (CONSENT_DENIED) if the process holds more memory than it may.
  absl::Status Admit(const std::atomic<bool>& cancelled);

 private:
  absl::Duration Debt() ABSL_LOCKS_EXCLUDED(mu_);

  const double cores_;
  const int64_t memory_bytes_;
  Clock& clock_;
  const std::function<ProcessUsage()> usage_;
  absl::Mutex mu_;
  absl::Time at_ ABSL_GUARDED_BY(mu_);
  absl::Duration cpu_ ABSL_GUARDED_BY(mu_);     // at at_
  absl::Duration credit_ ABSL_GUARDED_BY(mu_);  // processor time that may still be taken at once
};

}  // namespace chartly::drone

#endif  // CHARTLY_DRONE_PIPELINE_GOVERNOR_H_
