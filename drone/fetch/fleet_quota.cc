#include "drone/fetch/fleet_quota.h"

#include <algorithm>
#include <iterator>

#include "absl/strings/str_cat.h"
#include "common/status/status.h"

namespace chartly::drone {
namespace {

constexpr absl::Duration kLook = absl::Milliseconds(50);  // for the end of the run, while there is nothing else to do
constexpr int64_t kMostRequests = 1000;                   // that the protocol takes; more become as many in less time
constexpr double kDrift = 0.0002;                         // of two steady clocks
constexpr size_t kMaxQuotas = 1000;

absl::Status NoTurn(const std::string& name, bool over) {
  if (!over) {
    return Error(absl::StatusCode::kCancelled, "CANCELLED", "the run was cancelled while waiting for its turn");
  }
  return Error(absl::StatusCode::kDeadlineExceeded, "RUN_TIMEOUT",
               absl::StrCat("limits.run_timeout of the profile is over before the quota ", name,
                            " of the fleet gives a turn (limits.fleet_rate)"),
               {{"quota", name}});
}

}  // namespace

FleetQuota::Quota& FleetQuota::Find(const std::string& name, const FleetRate& rate) {
  for (auto it = quotas_.begin(); quotas_.size() >= kMaxQuotas && it != quotas_.end();) {
    it = it->second.waiting == 0 && it->first != name ? quotas_.erase(it) : std::next(it);
  }
  Quota& quota = quotas_[name];
  const int64_t parts = (rate.requests + kMostRequests - 1) / kMostRequests;
  quota.requests = rate.requests / parts;
  quota.period = rate.period * quota.requests / rate.requests;
  return quota;
}

bool FleetQuota::DropMissed(Quota& quota, absl::Time now) {
  const size_t before = quota.turns.size();
  while (!quota.turns.empty() && quota.turns.begin()->second.end < now) quota.turns.erase(quota.turns.begin());
  return quota.turns.size() < before;
}

bool FleetQuota::TakeTurn(Quota& quota, absl::Time now, absl::Time& look_again) {
  look_again = now + kLook;
  if (quota.turns.empty()) return false;
  const Turn& first = quota.turns.begin()->second;
  if (first.begin > now) {
    look_again = std::min(look_again, first.begin);
    return false;
  }
  quota.turns.erase(quota.turns.begin());
  return true;
}

void FleetQuota::Leave(Quota& quota) {
  --quota.waiting;
  ReturnSurplus(quota);
}

void FleetQuota::ReturnSurplus(Quota& quota) {
  while (quota.turns.size() > static_cast<size_t>(quota.waiting)) {
    auto last = std::prev(quota.turns.end());
    quota.returned.insert(last->first);
    quota.turns.erase(last);
  }
}

absl::Status FleetQuota::Enter(const std::string& name, const FleetRate& rate, Clock& clock, absl::Time deadline,
                               const absl::Notification& stop) {
  {
    absl::MutexLock lock(&mu_);
    ++Find(name, rate).waiting;
  }
  bool ask = true;  // once for each turn that is wanted; the beats that follow ask again by themselves
  while (true) {
    {
      absl::MutexLock lock(&mu_);
      Quota& quota = Find(name, rate);
      const absl::Time now = steady_.Now();
      absl::Time look_again;
      ask = DropMissed(quota, now) || ask;
      const bool taken = TakeTurn(quota, now, look_again);
      const bool over = clock.Now() >= deadline;
      if (taken || over || stop.HasBeenNotified()) {
        Leave(quota);
        return taken ? absl::OkStatus() : NoTurn(name, over);
      }
      ask = ask && wake_ && quota.turns.size() < static_cast<size_t>(quota.waiting);
      if (!ask) changed_.WaitWithTimeout(&mu_, look_again - now);
    }
    if (ask) wake_();
    ask = false;
  }
}

void FleetQuota::Throttled(const std::string& name, const FleetRate& rate, absl::Duration retry_after) {
  {
    absl::MutexLock lock(&mu_);
    Quota& quota = Find(name, rate);
    ++quota.throttled;
    quota.retry_after = std::max(quota.retry_after, retry_after);
  }
  if (wake_) wake_();
}

bool FleetQuota::Report(v1::QuotaReport& report) {
  absl::MutexLock lock(&mu_);
  if (quotas_.empty()) return false;
  sent_us_ = absl::ToUnixMicros(steady_.Now());
  report.set_sent_us(sent_us_);
  if (clock_epoch_ != 0) report.set_uncertainty_us(absl::ToInt64Microseconds(ahead_most_ - ahead_least_));
  for (auto& [name, quota] : quotas_) {
    const int64_t lacking = quota.waiting - static_cast<int64_t>(quota.turns.size());
    quota.told_returned = quota.returned;
    quota.told_throttled = quota.throttled;
    if (lacking <= 0 && quota.returned.empty() && quota.throttled == 0) continue;
    v1::QuotaNeed& need = *report.add_needs();
    need.set_quota(name);
    need.set_requests(quota.requests);
    need.set_period_us(absl::ToInt64Microseconds(quota.period));
    need.set_waiting(static_cast<int32_t>(std::max<int64_t>(0, lacking)));
    for (int64_t begin : quota.returned) need.add_returned_us(begin);
    need.set_throttled(quota.throttled);
    need.set_retry_after_us(absl::ToInt64Microseconds(quota.retry_after));
  }
  return true;
}

void FleetQuota::Take(const v1::QuotaAnswer& answer) {
  absl::MutexLock lock(&mu_);
  const absl::Time now = steady_.Now();
  if (answer.sent_us() <= 0 || answer.sent_us() > absl::ToUnixMicros(now)) return;
  TakeClock(answer, now);
  if (answer.sent_us() == sent_us_) {
    for (auto& [name, quota] : quotas_) {
      for (int64_t begin : quota.told_returned) quota.returned.erase(begin);
      quota.throttled -= quota.told_throttled;
      if (quota.throttled == 0) quota.retry_after = absl::ZeroDuration();
      quota.told_returned.clear();
      quota.told_throttled = 0;
    }
  }
  for (const v1::QuotaGrant& grant : answer.grants()) TakeGrant(grant);
  changed_.SignalAll();
}

void FleetQuota::TakeClock(const v1::QuotaAnswer& answer, absl::Time now) {
  const absl::Time shown = absl::FromUnixMicros(answer.clock_us());
  const absl::Duration least = shown - now;
  const absl::Duration most = shown - absl::FromUnixMicros(answer.sent_us());
  const absl::Duration drift = kDrift * (now - clock_seen_);
  const bool same = clock_epoch_ == answer.clock_epoch();
  const absl::Duration held_least = std::max(least, ahead_least_ - drift);
  const absl::Duration held_most = std::min(most, ahead_most_ + drift);
  clock_seen_ = now;
  clock_epoch_ = answer.clock_epoch();
  // What contradicts itself is not believed: the newest answer stands alone.
  const bool fits = same && held_least <= held_most;
  ahead_least_ = fits ? held_least : least;
  ahead_most_ = fits ? held_most : most;
}

void FleetQuota::TakeGrant(const v1::QuotaGrant& grant) {
  auto found = quotas_.find(grant.quota());
  if (found == quotas_.end()) return;
  Quota& quota = found->second;
  // Turns of the time in which the source is left alone are void.
  quota.turns.erase(quota.turns.begin(), quota.turns.lower_bound(grant.paused_until_us()));
  for (const v1::QuotaTurn& turn : grant.turns()) {
    quota.turns[turn.begin_us()] = {absl::FromUnixMicros(turn.begin_us()) - ahead_least_,
                                    absl::FromUnixMicros(turn.end_us()) - ahead_most_};
  }
  ReturnSurplus(quota);
}

}  // namespace chartly::drone
