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

// How late a time of the schedule may still be taken by a profile that makes up for nothing.
constexpr absl::Duration kOnTime = absl::Minutes(1);

// The last time of the schedule up to `now` that comes after `base`; `slot`, the first after base, if that lies ahead.
absl::Time LatestSlot(const CronSchedule& cron, absl::Time base, absl::Time slot, absl::Time now) {
  for (absl::Duration back : {absl::Hours(1), absl::Hours(25), absl::Hours(24 * 32), absl::Hours(24 * 366)}) {
    absl::Time candidate = cron.Next(std::max(base, now - back));
    if (candidate > now) continue;
    slot = candidate;
    break;
  }
  for (absl::Time next = slot; next <= now; next = cron.Next(next)) slot = next;
  return slot;
}

std::optional<NextRun> NextOfCron(const ProfileSchedule& schedule, const ProfileHistory& history, absl::Time now) {
  absl::Time base = std::max(history.last_slot.value_or(absl::InfinitePast()), schedule.since);
  // A clock that was set back must not keep a profile waiting until it catches up.
  if (base == absl::InfinitePast() || base > now + absl::Minutes(1)) base = now;
  absl::Time slot = schedule.cron->Next(base);
  if (schedule.catch_up != CatchUp::kAll) {
    if (schedule.overlap == Overlap::kSkip && history.last_finished && slot < *history.last_finished) {
      base = std::min(*history.last_finished, now) - absl::Nanoseconds(1);
      slot = schedule.cron->Next(base);
    }
    if (schedule.catch_up == CatchUp::kNone) base = std::max(base, now - kOnTime - schedule.jitter);
    slot = schedule.cron->Next(base);
    if (slot <= now) slot = LatestSlot(*schedule.cron, base, slot, now);
  }
  if (slot == absl::InfiniteFuture()) return std::nullopt;
  return NextRun{slot + JitterOf(schedule, history.last_scheduled_run), 1, kTriggerSchedule, slot};
}

std::optional<NextRun> NextOfInterval(const ProfileSchedule& schedule, const ProfileHistory& history, absl::Time now) {
  if (!history.last_scheduled) return NextRun{now, 1, kTriggerSchedule, now};
  // A clock that was set back must not keep a profile waiting until it catches up.
  if (*history.last_scheduled > now + absl::Minutes(1)) return NextRun{now, 1, kTriggerSchedule, now};
  const absl::Duration interval = std::max(schedule.interval, absl::Seconds(1));
  if (schedule.catch_up == CatchUp::kAll && history.last_slot) {
    absl::Time slot = *history.last_slot + interval;
    return NextRun{slot + JitterOf(schedule, history.last_scheduled_run), 1, kTriggerSchedule, slot};
  }
  absl::Time due = *history.last_scheduled + interval;
  // What came due while a run went on is not made up for; what came due while nothing could run is.
  // Nor does an end that was noted while the clock was ahead say how long the run went on.
  const bool ended = history.last_finished && *history.last_finished <= now + absl::Minutes(1);
  if (schedule.overlap == Overlap::kSkip && ended && due < *history.last_finished) {
    due += absl::Ceil(*history.last_finished - due, interval);
  }
  const absl::Time missed = now - kOnTime - schedule.jitter;
  if (schedule.catch_up == CatchUp::kNone && due < missed) due += absl::Ceil(missed - due, interval);
  return NextRun{due + JitterOf(schedule, history.last_scheduled_run), 1, kTriggerSchedule, due};
}

std::optional<NextRun> NextScheduled(const ProfileSchedule& schedule, const ProfileHistory& history, absl::Time now) {
  if (!schedule.enabled || schedule.paused) return std::nullopt;
  return schedule.cron != nullptr ? NextOfCron(schedule, history, now) : NextOfInterval(schedule, history, now);
}

// A drone makes the attempts of a request itself and holds to what the source asked for. Left for a whole run is what a
// drone cannot make good: its own loss, and a body that broke off behind rows that were handed on.
bool NeedsAnotherRun(const ProfileHistory::Failure& failure) {
  const std::string& reason = failure.reason;
  if (absl::StartsWith(reason, "DRONE_") || absl::StartsWith(reason, "SPOOL_")) return true;
  bool broke_off = reason == "SOURCE_TRUNCATED" || reason == "SOURCE_TIMEOUT" || reason == "SOURCE_TOO_SLOW";
  return broke_off && failure.took_rows;
}

}  // namespace

absl::Time RetryAllowedAt(const RequestRate& budget, const std::vector<absl::Time>& retries, absl::Time now) {
  if (budget.requests <= 0) return absl::InfinitePast();
  // What a clock that was set back puts into the future does not count: it would keep the profile waiting.
  auto past =
      std::find_if(retries.begin(), retries.end(), [&](absl::Time retry) { return retry <= now + absl::Minutes(1); });
  if (retries.end() - past < budget.requests) return absl::InfinitePast();
  return past[budget.requests - 1] + budget.period;
}

std::optional<NextRun> NextRetryOf(const ProfileSchedule& schedule, const ProfileHistory& history, absl::Time now) {
  if (!history.failure) return std::nullopt;
  const ProfileHistory::Failure& failure = *history.failure;
  if (failure.attempt >= schedule.max_attempts || !NeedsAnotherRun(failure)) return std::nullopt;
  if (failure.trigger == kTriggerSchedule && (!schedule.enabled || schedule.paused)) return std::nullopt;
  absl::Time finished = std::min(failure.finished, now);
  absl::Time due = std::max(finished + RetryDelay(schedule.backoff, failure.attempt),
                            RetryAllowedAt(schedule.retry_budget, history.retries, now));
  return NextRun{due, failure.attempt + 1, failure.trigger};
}

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
  std::optional<NextRun> retry = NextRetryOf(schedule, history, now);
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
