// The only source of time. Product code takes a Clock&, so that a test can move time by an hour in a microsecond.
// Thread-safe.
#ifndef CHARTLY_COMMON_CLOCK_CLOCK_H_
#define CHARTLY_COMMON_CLOCK_CLOCK_H_

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/synchronization/notification.h"
#include "absl/time/time.h"

namespace chartly {

class Clock {
 public:
  virtual ~Clock() = default;
  // Wall time.
  virtual absl::Time Now() const = 0;
  // Waits for `duration` or until `stop` is notified; says whether it was stopped.
  virtual bool WaitFor(absl::Duration duration, const absl::Notification& stop) = 0;
};

// The clock of the machine.
class SystemClock final : public Clock {
 public:
  absl::Time Now() const override;
  bool WaitFor(absl::Duration duration, const absl::Notification& stop) override;
};

// Stands still until it is told to move. WaitFor moves it by the duration and returns at once.
class FakeClock final : public Clock {
 public:
  explicit FakeClock(absl::Time start = absl::UnixEpoch() + absl::Hours(24 * 365 * 50));
  absl::Time Now() const override;
  bool WaitFor(absl::Duration duration, const absl::Notification& stop) override;
  void Advance(absl::Duration duration);

 private:
  mutable absl::Mutex mu_;
  absl::Time now_ ABSL_GUARDED_BY(mu_);
};

}  // namespace chartly

#endif  // CHARTLY_COMMON_CLOCK_CLOCK_H_
