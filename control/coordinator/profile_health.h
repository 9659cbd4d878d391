// How a profile does, told from what arrived and not from who is up: fresh, late, silent, or broken for a cause. Pure.
#ifndef CHARTLY_CONTROL_COORDINATOR_PROFILE_HEALTH_H_
#define CHARTLY_CONTROL_COORDINATOR_PROFILE_HEALTH_H_

#include <optional>
#include <string>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "chartly/v1/coordinator.pb.h"

namespace chartly::coordinator {

// What is known of a profile.
struct HealthFacts {
  bool scheduled = true;  // switched on and not paused
  absl::Duration window;  // data may be so old
  std::optional<absl::Time> last_data;
  absl::Time since;  // from when on it was to run
  // The newest run that is final, unless something newer arrived.
  std::string error_reason;
  std::string error;
  bool failed = false;
  absl::Duration clock_skew;           // of the drone of that run
  std::optional<absl::Time> unplaced;  // since when a run waits for a drone
};

struct HealthVerdict {
  v1::ProfileHealth health = v1::PROFILE_HEALTH_UNSPECIFIED;
  v1::BrokenCause cause = v1::BROKEN_CAUSE_UNSPECIFIED;
  std::string detail;
};

// A drone whose clock is further off is named.
inline constexpr absl::Duration kMaxClockSkew = absl::Seconds(30);

// Who has to do something about a failure.
v1::BrokenCause CauseOf(absl::string_view error_reason);

HealthVerdict JudgeHealth(const HealthFacts& facts, absl::Time now);

}  // namespace chartly::coordinator

#endif  // CHARTLY_CONTROL_COORDINATOR_PROFILE_HEALTH_H_
