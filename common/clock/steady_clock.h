// Time that neither jumps nor goes back: that of the machine when this was made, and then what its steady clock has
// measured since. For what is measured against other moments of one process only. Thread-safe.
#ifndef CHARTLY_COMMON_CLOCK_STEADY_CLOCK_H_
#define CHARTLY_COMMON_CLOCK_STEADY_CLOCK_H_

#include <chrono>

#include "absl/time/clock.h"
#include "common/clock/clock.h"

namespace chartly {

class SteadyClock final : public Clock {
 public:
  absl::Time Now() const override {
    return start_ + absl::FromChrono(std::chrono::steady_clock::now() - steady_start_);
  }
  bool WaitFor(absl::Duration duration, const absl::Notification& stop) override {
    return stop.WaitForNotificationWithTimeout(duration);
  }

 private:
  const absl::Time start_ = absl::Now();
  const std::chrono::steady_clock::time_point steady_start_ = std::chrono::steady_clock::now();
};

// What such a clock of the whole process shows.
inline absl::Time SteadyNow() {
  static const SteadyClock& clock = *new SteadyClock();
  return clock.Now();
}

}  // namespace chartly

#endif  // CHARTLY_COMMON_CLOCK_STEADY_CLOCK_H_
