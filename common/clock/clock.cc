#include "common/clock/clock.h"

#include "absl/time/clock.h"

namespace chartly {

absl::Time SystemClock::Now() const { return absl::Now(); }

bool SystemClock::WaitFor(absl::Duration duration, const absl::Notification& stop) {
  return stop.WaitForNotificationWithTimeout(duration);
}

FakeClock::FakeClock(absl::Time start) : now_(start) {}

absl::Time FakeClock::Now() const {
  absl::MutexLock lock(&mu_);
  return now_;
}

bool FakeClock::WaitFor(absl::Duration duration, const absl::Notification& stop) {
  Advance(duration);
  return stop.HasBeenNotified();
}

void FakeClock::Advance(absl::Duration duration) {
  absl::MutexLock lock(&mu_);
  now_ += duration;
}

}  // namespace chartly
