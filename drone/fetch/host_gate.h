// What all runs of a drone owe a host together: no more requests a second than the profile allows, and none for a
// while after it failed again and again. Thread-safe.
#ifndef CHARTLY_DRONE_FETCH_HOST_GATE_H_
#define CHARTLY_DRONE_FETCH_HOST_GATE_H_

#include <deque>
#include <map>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "absl/synchronization/notification.h"
#include "absl/time/time.h"
#include "common/clock/clock.h"

namespace chartly::drone {

inline constexpr size_t kBreakerFailures = 8;
inline constexpr absl::Duration kBreakerWindow = absl::Seconds(60);
inline constexpr absl::Duration kBreakerPause = absl::Seconds(60);

class HostGate {
 public:
  enum class Outcome {
    kAnswered,  // whatever it said, the host is there and able
    kFailed,    // no answer, a cut-off one, or a 5xx
    kUnknown,   // given up by us
  };

  explicit HostGate(Clock& clock) : clock_(clock) {}

  // Waits for the turn of a request to `host` (host:port) at `rate` a second (0: at once), at most until `deadline` or
  // `stop`. DeadlineExceeded (RUN_TIMEOUT) or Cancelled (CANCELLED) then; Unavailable (SOURCE_CIRCUIT_OPEN) if the host
  // failed kBreakerFailures times within kBreakerWindow and kBreakerPause is not over, after which one request at a
  // time may try it. Each OK needs a Leave.
  absl::Status Enter(const std::string& host, double rate, absl::Time deadline, const absl::Notification& stop);
  // The same for a further request of one that has entered, such as a redirect: waits for its turn alone, and needs no
  // Leave.
  absl::Status Again(const std::string& host, double rate, absl::Time deadline, const absl::Notification& stop);
  // How the request went; `why` is told to those who find the gate shut.
  void Leave(const std::string& host, Outcome outcome, absl::string_view why = "");

 private:
  struct Host {
    absl::Time next_turn = absl::InfinitePast();
    std::deque<absl::Time> failures;
    absl::Time shut_until = absl::InfinitePast();
    bool shut = false;
    bool probing = false;  // shut, but one request tries
    std::string last_failure;
  };
  absl::Status ShutError(const std::string& name, const Host& host) const;
  void ForgetIdle(absl::Time now) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  Clock& clock_;
  absl::Mutex mu_;
  std::map<std::string, Host> hosts_ ABSL_GUARDED_BY(mu_);
};

}  // namespace chartly::drone

#endif  // CHARTLY_DRONE_FETCH_HOST_GATE_H_
