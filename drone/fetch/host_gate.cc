#include "drone/fetch/host_gate.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/status/status.h"

namespace chartly::drone {
namespace {

constexpr size_t kMaxHosts = 1000;

}  // namespace

absl::Status HostGate::Enter(const std::string& name, double rate, absl::Time deadline,
                             const absl::Notification& stop) {
  {
    absl::MutexLock lock(&mu_);
    absl::Time now = clock_.Now();
    ForgetIdle(now);
    Host& host = hosts_[name];
    if (host.shut && (now < host.shut_until || host.probing)) return ShutError(name, host);
    host.probing = host.shut;
  }
  absl::Status turn = Again(name, rate, deadline, stop);
  if (!turn.ok()) Leave(name, Outcome::kUnknown);
  return turn;
}

absl::Status HostGate::Again(const std::string& name, double rate, absl::Time deadline,
                             const absl::Notification& stop) {
  absl::Duration wait = absl::ZeroDuration();
  if (rate > 0) {
    absl::MutexLock lock(&mu_);
    const absl::Time now = clock_.Now();
    Host& host = hosts_[name];
    absl::Time turn = std::max(now, host.next_turn);
    // Whoever will not wait for its turn takes none.
    if (turn < deadline) host.next_turn = turn + absl::Seconds(1 / rate);
    wait = turn - now;
  }
  const absl::Duration left = deadline - clock_.Now();
  const bool stopped = wait > absl::ZeroDuration() && clock_.WaitFor(std::min(wait, left), stop);
  if (!stopped && wait < left) return absl::OkStatus();
  if (!stopped) {
    return Error(
        absl::StatusCode::kDeadlineExceeded, "RUN_TIMEOUT",
        absl::StrCat("limits.run_timeout of the profile is over before it is its turn to ask ", name, " (limits.rate)"),
        {{"host", name}});
  }
  return Error(absl::StatusCode::kCancelled, "CANCELLED", "the run was cancelled while waiting for its turn");
}

void HostGate::Leave(const std::string& name, Outcome outcome, absl::string_view why) {
  absl::MutexLock lock(&mu_);
  Host& host = hosts_[name];
  bool probed = std::exchange(host.probing, false);
  if (outcome == Outcome::kUnknown) return;
  if (outcome == Outcome::kAnswered) {
    host.shut = false;
    host.failures.clear();
    return;
  }
  absl::Time now = clock_.Now();
  host.last_failure = std::string(why);
  host.failures.push_back(now);
  while (host.failures.front() < now - kBreakerWindow || host.failures.size() > kBreakerFailures) {
    host.failures.pop_front();
  }
  if (!probed && host.failures.size() < kBreakerFailures) return;
  host.shut = true;
  host.shut_until = now + kBreakerPause;
}

absl::Status HostGate::ShutError(const std::string& name, const Host& host) const {
  std::string until = absl::FormatTime(absl::RFC3339_sec, host.shut_until, absl::UTCTimeZone());
  return Error(absl::StatusCode::kUnavailable, "SOURCE_CIRCUIT_OPEN",
               absl::StrCat(name, " failed ", kBreakerFailures, " times within a minute and is left alone until ",
                            until, "; the last failure: ", host.last_failure),
               {{"host", name}, {"until", until}});
}

// Hosts are as many as profiles name, but a profile may be changed again and again.
void HostGate::ForgetIdle(absl::Time now) {
  if (hosts_.size() < kMaxHosts) return;
  for (auto it = hosts_.begin(); it != hosts_.end();) {
    const Host& host = it->second;
    bool idle = !host.probing && host.next_turn <= now && host.shut_until <= now &&
                (host.failures.empty() || host.failures.back() < now - kBreakerWindow);
    it = idle ? hosts_.erase(it) : std::next(it);
  }
}

}  // namespace chartly::drone
