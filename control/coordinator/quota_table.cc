#include "control/coordinator/quota_table.h"

#include <algorithm>
#include <iterator>

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "common/clock/proto_time.h"
#include "common/status/status.h"
#include "common/telemetry/log.h"
#include "common/telemetry/metrics.h"

namespace chartly::coordinator {
namespace {

constexpr size_t kMaxNameBytes = 255;
constexpr int kMaxTurnsAtOnce = 64;
constexpr absl::Duration kMinLead = absl::Seconds(2);
// Part of a period in which a drone may begin the request of a turn, and in which the request may then still be on its
// way; both cost as much of the quota.
constexpr double kWidth = 0.035;
constexpr double kOnTheWay = 0.035;
constexpr absl::Duration kMaxWidth = absl::Milliseconds(1500);
constexpr double kMaxUncertainty = 0.25;  // part of a period; who knows the time no better gets turns that it misses
constexpr absl::Duration kStricterLasts = absl::Minutes(1);
constexpr absl::Duration kMinPause = absl::Seconds(1);
constexpr absl::Duration kMaxUnaskedPause = absl::Seconds(10);
constexpr absl::Duration kMaxPause = absl::Hours(1);
constexpr double kMinShare = 1.0 / 16;
constexpr double kShareStep = 1.0 / 8;
constexpr absl::Duration kShareTime = absl::Seconds(10);
constexpr absl::Duration kForgottenAfter = absl::Minutes(10);
constexpr int kLostBeats = 3;

absl::Duration Micros(int64_t micros) { return absl::Microseconds(micros); }

bool IsValid(const v1::QuotaNeed& need) {
  return !need.quota().empty() && need.quota().size() <= kMaxNameBytes && need.requests() >= 1 &&
         need.requests() <= kMaxQuotaRequests && Micros(need.period_us()) >= absl::Milliseconds(1) &&
         Micros(need.period_us()) <= absl::Hours(1);
}

double RateOf(int64_t requests, absl::Duration period) {
  return static_cast<double>(requests) / absl::ToDoubleSeconds(period);
}

}  // namespace

QuotaTable::QuotaTable(const QuotaTableOptions& options, StateStore& store)
    : options_(options), lead_(std::max(kMinLead, 2.5 * options.heartbeat_interval)), store_(store) {}

absl::Status QuotaTable::Load(absl::Time now) {
  ASSIGN_OR_RETURN(std::vector<StateEntry> found, store_.Range(kQuotaPrefix));
  for (const StateEntry& stored : found) {
    storage::v1::StoredQuota quota;
    if (!quota.ParseFromString(stored.value) || quota.requests() < 1 || quota.requests() > kMaxQuotaRequests ||
        quota.period_us() < 1) {
      return Error(absl::StatusCode::kDataLoss, "STATE_CORRUPT",
                   absl::StrCat("the stored quota ", stored.key, " cannot be read; restore the coordinator's folder"));
    }
    Entry& entry = entries_[std::string(absl::StripPrefix(stored.key, kQuotaPrefix))];
    entry.requests = quota.requests();
    entry.period = Micros(quota.period_us());
    entry.turns.SetLimit(entry.requests, entry.period);
    // No turn ends later than this, unless the machine's clock went back while nothing ran.
    const absl::Time latest = now + 2 * lead_;
    std::vector<absl::Time> ends;
    for (int64_t end : quota.ends_us()) ends.push_back(std::min(latest, absl::FromUnixMicros(end)));
    entry.turns.Restore(ends);
    entry.turns.AssumeTaken(std::min(now, absl::FromUnixMicros(quota.written_us())),
                            std::min(latest, absl::FromUnixMicros(quota.reserved_us())));
    entry.share = std::clamp(quota.share(), kMinShare, 1.0);
    entry.raised = now;
    entry.paused_until = std::min(now + kMaxPause, absl::FromUnixMicros(quota.paused_us()));
    entry.asked = now;
  }
  return absl::OkStatus();
}

QuotaTable::Entry* QuotaTable::FindOrAdd(const v1::QuotaNeed& need, absl::Time now) {
  auto it = entries_.find(need.quota());
  if (it == entries_.end()) {
    if (entries_.size() >= options_.quotas_max) {
      LogWarn("a quota is not kept: there are too many", {{"quota", need.quota()}});
      return nullptr;
    }
    it = entries_.try_emplace(need.quota()).first;
    it->second.raised = now;
  }
  it->second.asked = now;
  return &it->second;
}

// Revisions and profiles may state different limits for one source.
void QuotaTable::TakeLimit(Entry& entry, const v1::QuotaNeed& need, absl::Time now) const {
  const absl::Duration period = Micros(need.period_us());
  const bool same = entry.requests == need.requests() && entry.period == period;
  const bool stricter = entry.requests == 0 || RateOf(need.requests(), period) < RateOf(entry.requests, entry.period);
  if (!same && !stricter && now < entry.limit_asked + kStricterLasts) return;
  entry.limit_asked = now;
  entry.requests = need.requests();
  entry.period = period;
  entry.turns.SetLimit(entry.requests, entry.period);
}

void QuotaTable::TakeBack(Entry& entry, const std::string& drone_id, const v1::QuotaNeed& need, absl::Time now) const {
  for (int64_t begin_us : need.returned_us()) {
    auto turn = entry.given.find(absl::FromUnixMicros(begin_us));
    if (turn == entry.given.end() || turn->second.drone_id != drone_id || turn->first <= now) continue;
    entry.back[turn->first] = turn->second.end;
    entry.given.erase(turn);
    Count("chartly_quota_turns_total", 1, "returned");
  }
}

void QuotaTable::Throttle(const std::string& name, Entry& entry, const v1::QuotaNeed& need, absl::Time now) const {
  entry.throttled += need.throttled();
  Count("chartly_quota_throttled_total", need.throttled());
  const absl::Duration unasked = std::clamp(entry.period, kMinPause, kMaxUnaskedPause);
  const absl::Duration pause = need.retry_after_us() > 0 ? std::min(Micros(need.retry_after_us()), kMaxPause) : unasked;
  // What drones hear while all of them stop is of the same excess.
  if (now >= entry.paused_until) {
    entry.share = std::max(kMinShare, entry.share / 2);
    LogWarn("a source is asked too often; all drones leave it alone for a while",
            {{"quota", name}, {"pause", absl::FormatDuration(pause)}, {"share", absl::StrCat(entry.share)}});
  }
  entry.paused_until = std::max(entry.paused_until, now + pause);
  entry.raised = entry.paused_until;
  entry.given.clear();
  entry.back.clear();
  entry.reserved = absl::InfinitePast();  // so that the pause is written
}

void QuotaTable::Recover(Entry& entry, absl::Time now) {
  const absl::Duration step = std::max(kShareTime, entry.period);
  while (entry.share < 1 && now >= entry.raised + step) {
    entry.share = std::min(1.0, entry.share + kShareStep);
    entry.raised += step;
  }
  entry.turns.SetShare(entry.share);
}

bool QuotaTable::Reserve(const std::string& name, const Entry& entry, absl::Time now,
                         StateTransaction& transaction) const {
  if (entry.reserved >= now + lead_) return false;
  storage::v1::StoredQuota stored;
  stored.set_requests(entry.requests);
  stored.set_period_us(absl::ToInt64Microseconds(entry.period));
  for (absl::Time end : entry.turns.ends()) stored.add_ends_us(absl::ToUnixMicros(end));
  stored.set_written_us(absl::ToUnixMicros(now));
  stored.set_reserved_us(absl::ToUnixMicros(now + 2 * lead_));
  stored.set_share(entry.share);
  stored.set_paused_us(entry.paused_until > now ? absl::ToUnixMicros(entry.paused_until) : 0);
  transaction.puts.push_back({absl::StrCat(kQuotaPrefix, name), stored.SerializeAsString()});
  return true;
}

void QuotaTable::ForgetIdle(absl::Time now, StateTransaction& transaction) {
  if (now < tidied_ + absl::Minutes(1)) return;
  tidied_ = now;
  for (auto it = entries_.begin(); it != entries_.end();) {
    const absl::Time last = std::max(it->second.asked, it->second.paused_until);
    if (now < last + kForgottenAfter + 2 * it->second.period) {
      ++it;
      continue;
    }
    transaction.deletes.push_back(absl::StrCat(kQuotaPrefix, it->first));
    it = entries_.erase(it);
  }
}

void QuotaTable::Wait(Entry& entry, const std::string& drone_id, absl::Time since, absl::Time now) const {
  StopWaiting(entry, drone_id);
  entry.waiters[drone_id] = {since, now};
  entry.queue.emplace(since, drone_id);
}

void QuotaTable::StopWaiting(Entry& entry, absl::string_view drone_id) {
  auto it = entry.waiters.find(drone_id);
  if (it == entry.waiters.end()) return;
  entry.queue.erase({it->second.since, it->first});
  entry.waiters.erase(it);
}

absl::Time QuotaTable::LostBefore(absl::Time now) const {
  return now - std::max(kMinLead, kLostBeats * options_.heartbeat_interval);
}

int64_t QuotaTable::Ahead(Entry& entry, absl::string_view drone_id, int64_t most, absl::Time now) const {
  const absl::Time lost_before = LostBefore(now);
  int64_t ahead = 0;
  for (auto it = entry.queue.begin(); it != entry.queue.end() && it->second != drone_id && ahead < most;) {
    auto waiter = entry.waiters.find(it->second);
    if (waiter->second.asked < lost_before) {
      entry.waiters.erase(waiter);
      it = entry.queue.erase(it);
      continue;
    }
    ++ahead;
    ++it;
  }
  return ahead;
}

int64_t QuotaTable::Available(const Entry& entry, absl::Time now, absl::Time horizon) {
  const absl::Time first = entry.turns.Next(std::max(now, entry.paused_until));
  const int64_t fresh = first > horizon ? 0 : (horizon - first) / entry.turns.Step() + 1;
  return fresh + static_cast<int64_t>(entry.back.size());
}

void QuotaTable::Give(Entry& entry, const std::string& drone_id, const v1::QuotaNeed& need, absl::Duration uncertainty,
                      absl::Time now, v1::QuotaGrant& grant) const {
  entry.given.erase(entry.given.begin(), entry.given.upper_bound(now));
  entry.back.erase(entry.back.begin(), entry.back.upper_bound(now));
  if (entry.paused_until > now) grant.set_paused_until_us(absl::ToUnixMicros(entry.paused_until));
  if (need.waiting() <= 0) return StopWaiting(entry, drone_id);
  auto waits = entry.waiters.find(drone_id);
  Wait(entry, drone_id, waits == entry.waiters.end() ? now : waits->second.since, now);
  const absl::Time horizon = now + lead_;
  // Who waits longest has the first choice; what nobody of them takes in time is for whoever comes.
  const absl::Time urgent = now + 1.25 * options_.heartbeat_interval;
  int64_t available = Available(entry, now, horizon);
  const int64_t ahead = Ahead(entry, drone_id, available, now);
  const absl::Duration width =
      std::max(std::min(kWidth * entry.period, kMaxWidth), 2 * std::min(uncertainty, kMaxUncertainty * entry.period));
  const absl::Duration on_the_way = std::min(kOnTheWay * entry.period, kMaxWidth);
  const int wanted = std::min(need.waiting(), kMaxTurnsAtOnce);
  while (grant.turns_size() < wanted) {
    const bool again = !entry.back.empty();
    const absl::Time begin = again ? entry.back.begin()->first : entry.turns.Next(std::max(now, entry.paused_until));
    const absl::Time end = again ? entry.back.begin()->second : begin + width + on_the_way;
    if (begin > horizon || end > entry.reserved || (ahead >= available && begin > urgent)) break;
    --available;
    if (again) entry.back.erase(entry.back.begin());
    if (!again) entry.turns.Take(begin, end);
    entry.given[begin] = {drone_id, end};
    v1::QuotaTurn& turn = *grant.add_turns();
    turn.set_begin_us(absl::ToUnixMicros(begin));
    turn.set_end_us(absl::ToUnixMicros(end - on_the_way));
  }
  entry.turns_given += grant.turns_size();
  Count("chartly_quota_turns_total", grant.turns_size(), "given");
  if (grant.turns_size() == need.waiting()) return StopWaiting(entry, drone_id);
  if (grant.turns_size() > 0) Wait(entry, drone_id, now, now);
}

absl::Status QuotaTable::Answer(const std::string& drone_id, const v1::QuotaReport& report, absl::Time now,
                                v1::QuotaAnswer& answer) {
  StateTransaction transaction;
  std::vector<std::pair<const v1::QuotaNeed*, Entry*>> needs;
  std::vector<Entry*> reserved;
  ForgetIdle(now, transaction);
  for (const v1::QuotaNeed& need : report.needs()) {
    Entry* entry = IsValid(need) ? FindOrAdd(need, now) : nullptr;
    if (entry == nullptr) continue;
    TakeLimit(*entry, need, now);
    TakeBack(*entry, drone_id, need, now);
    if (need.throttled() > 0) Throttle(need.quota(), *entry, need, now);
    Recover(*entry, now);
    const bool writes = need.waiting() > 0 || need.throttled() > 0;
    if (writes && Reserve(need.quota(), *entry, now, transaction)) reserved.push_back(entry);
    needs.emplace_back(&need, entry);
  }
  if (!transaction.puts.empty() || !transaction.deletes.empty()) {
    RETURN_IF_ERROR(Annotate(store_.Commit(transaction).status(), "write what is given out of quotas"));
  }
  for (Entry* entry : reserved) entry->reserved = now + 2 * lead_;
  for (auto& [need, entry] : needs) {
    v1::QuotaGrant& grant = *answer.add_grants();
    grant.set_quota(need->quota());
    Give(*entry, drone_id, *need, Micros(std::max<int64_t>(0, report.uncertainty_us())), now, grant);
  }
  answer.set_sent_us(report.sent_us());
  return absl::OkStatus();
}

std::vector<v1::SourceQuota> QuotaTable::List(absl::string_view after, size_t limit, absl::Time now) const {
  std::vector<v1::SourceQuota> found;
  for (auto it = entries_.upper_bound(after); it != entries_.end() && found.size() < limit; ++it) {
    const Entry& entry = it->second;
    v1::SourceQuota& quota = found.emplace_back();
    quota.set_quota(it->first);
    quota.set_requests(entry.requests);
    quota.set_period_ms(absl::ToInt64Milliseconds(entry.period));
    quota.set_share_percent(static_cast<int32_t>(entry.share * 100));
    quota.set_waiting_drones(
        static_cast<int32_t>(std::count_if(entry.waiters.begin(), entry.waiters.end(), [&](const auto& waiter) {
          return waiter.second.asked >= LostBefore(now);
        })));
    quota.set_turns(entry.turns_given);
    quota.set_throttled(entry.throttled);
    if (entry.paused_until > now) *quota.mutable_paused_until() = ToTimestamp(entry.paused_until);
  }
  return found;
}

}  // namespace chartly::coordinator
