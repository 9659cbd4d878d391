#include "control/coordinator/scheduler.h"

#include <algorithm>

#include "absl/strings/match.h"
#include "control/coordinator/assignment.h"

namespace chartly::coordinator {
namespace {

// A part of the jitter that looks random and is the same whenever it is asked for.
absl::Duration JitterOf(const ProfileSchedule& schedule, absl::string_view run_id) {
  double part = static_cast<double>(RendezvousWeight("jitter", run_id) >> 11) / static_cast<double>(uint64_t{1} << 53);
  return schedule.jitter * part;
}

std::optional<NextRun> NextScheduled(const ProfileSchedule& schedule, const ProfileHistory& history, absl::Time now) {
  if (!schedule.enabled || schedule.paused) return std::nullopt;
  if (!history.last_scheduled) return NextRun{now, 1, kTriggerSchedule};
  // A clock that was set back must not keep a profile waiting until it catches up.
  if (*history.last_scheduled > now + absl::Minutes(1)) return NextRun{now, 1, kTriggerSchedule};
  const absl::Duration interval = std::max(schedule.interval, absl::Seconds(1));
  absl::Time due = *history.last_scheduled + interval;
  // What came due while a run went on is not made up for; what came due while nothing could run is.
  if (schedule.overlap == Overlap::kSkip && history.last_finished && due < *history.last_finished) {
    due += absl::Ceil(*history.last_finished - due, interval);
  }
  return NextRun{due + JitterOf(schedule, history.last_scheduled_run), 1, kTriggerSchedule};
}

// A drone makes the attempts of a request itself and holds to what the source asked for. Left for a whole run is what a
// drone cannot make good: its own loss, and a body that broke off behind rows that were handed on.
bool NeedsAnotherRun(const ProfileHistory::Failure& failure) {
  const std::string& reason = failure.reason;
  if (absl::StartsWith(reason, "DRONE_") || absl::StartsWith(reason, "SPOOL_")) return true;
  bool broke_off = reason == "SOURCE_TRUNCATED" || reason == "SOURCE_TIMEOUT" || reason == "SOURCE_TOO_SLOW";
  return broke_off && failure.took_rows;
}

std::optional<NextRun> NextRetry(const ProfileSchedule& schedule, const ProfileHistory& history, absl::Time now) {
  if (!history.failure) return std::nullopt;
  const ProfileHistory::Failure& failure = *history.failure;
  if (failure.attempt >= schedule.max_attempts || !NeedsAnotherRun(failure)) return std::nullopt;
  if (failure.trigger == kTriggerSchedule && (!schedule.enabled || schedule.paused)) return std::nullopt;
  absl::Time finished = std::min(failure.finished, now);
  return NextRun{finished + RetryDelay(schedule.backoff, failure.attempt), failure.attempt + 1, failure.trigger};
}

}  // namespace

bool IsRetryable(absl::string_view error_reason) {
  for (absl::string_view permanent :
       {"PROFILE_", "PAYLOAD_", "EXPRESSION_", "EGRESS_", "MAPPING_", "ROW_", "SOURCE_TOO_LARGE"}) {
    if (absl::StartsWith(error_reason, permanent)) return false;
  }
  return true;
}

absl::Duration RetryDelay(absl::Duration backoff, int attempt) {
  absl::Duration delay = std::max(backoff, absl::Milliseconds(1));
  for (int i = 1; i < attempt && delay < absl::Minutes(5); ++i) delay *= 2;
  return std::min(delay, absl::Minutes(5));
}

std::optional<NextRun> NextRunOf(const ProfileSchedule& schedule, const ProfileHistory& history, absl::Time now) {
  if (history.open) return std::nullopt;
  std::optional<NextRun> scheduled = NextScheduled(schedule, history, now);
  std::optional<NextRun> retry = NextRetry(schedule, history, now);
  if (!scheduled || !retry) return scheduled ? scheduled : retry;
  return retry->due < scheduled->due ? retry : scheduled;
}

std::optional<NextRun> NextWebhookRun(const ProfileSchedule& schedule, const ProfileHistory& history, absl::Time now) {
  if (history.open || !schedule.enabled || schedule.paused) return std::nullopt;
  if (!history.failure) return NextRun{now, 1, kTriggerWebhook};
  const ProfileHistory::Failure& failure = *history.failure;
  absl::Time due = std::min(failure.finished, now) + RetryDelay(schedule.backoff, failure.attempt);
  return NextRun{due, failure.attempt + 1, kTriggerWebhook};
}

}  // namespace chartly::coordinator
