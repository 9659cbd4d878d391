#include <algorithm>
#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/clock/proto_time.h"
#include "common/status/status.h"
#include "common/telemetry/log.h"
#include "common/telemetry/metrics.h"
#include "control/coordinator/coordinator.h"
#include "control/coordinator/run_outcome.h"

namespace chartly::coordinator {
namespace {

constexpr int kMaxSearches = 64;

}  // namespace

void Coordinator::SetGauges() {
  // Counting a large fleet takes a while, and nobody looks more often.
  if (clock_.Now() >= gauges_set_ && clock_.Now() < gauges_set_ + absl::Seconds(1)) return;
  gauges_set_ = clock_.Now();
  std::map<v1::DroneState, double> drones;
  for (const auto& [id, entry] : drones_.all()) ++drones[entry.drone.state()];
  SetGauge("chartly_drones", drones[v1::DRONE_STATE_ACTIVE], "active");
  SetGauge("chartly_drones", drones[v1::DRONE_STATE_DRAINING], "draining");
  SetGauge("chartly_drones", drones[v1::DRONE_STATE_OFFLINE], "offline");
  SetGauge("chartly_profiles", static_cast<double>(profiles_.all().size()));
  SetGauge("chartly_runs_active", static_cast<double>(runs_.open().size()));
  std::map<v1::PartitionState, int64_t> partitions = backfills_.Totals();
  SetGauge("chartly_backfill_partitions", static_cast<double>(partitions[v1::PARTITION_STATE_WAITING]), "waiting");
  SetGauge("chartly_backfill_partitions", static_cast<double>(partitions[v1::PARTITION_STATE_RUNNING]), "running");
  SetGauge("chartly_backfill_partitions", static_cast<double>(partitions[v1::PARTITION_STATE_FAILED]), "failed");
  WebhookInbox::Totals webhooks = inbox_.totals();
  SetGauge("chartly_webhook_waiting", static_cast<double>(webhooks.waiting));
  SetGauge("chartly_webhook_waiting_bytes", static_cast<double>(webhooks.bytes));
  SetGauge("chartly_webhook_aside", static_cast<double>(webhooks.aside));
}

void Coordinator::UpdateDrones() {
  const absl::Time now = steady_.Now();
  for (const std::string& id : lease_ends_.TakeDue(now)) {
    DroneEntry* entry = drones_.Find(id);
    if (entry == nullptr) continue;
    v1::DroneState state = StateOf(*entry, now, Lease());
    if (state != v1::DRONE_STATE_OFFLINE) {
      lease_ends_.Set(id, entry->heard + Lease() + absl::Milliseconds(1));
    } else if (state != entry->drone.state()) {
      LogWarn("drone is offline", {{"drone", id}});
      SetState(*entry, state);
    }
  }
}

void Coordinator::FollowScheduled(RunRecord& record) {
  if (record.run.drone_id().empty()) return;
  const DroneEntry* drone = drones_.Find(record.run.drone_id());
  v1::DroneState state = drone == nullptr ? v1::DRONE_STATE_OFFLINE : StateOf(*drone, steady_.Now(), Lease());
  bool same_epoch = drone != nullptr && drone->drone.epoch() == record.lease_epoch;
  if (record.ordered) {
    if (state == v1::DRONE_STATE_OFFLINE || !same_epoch) Replace(record);
  } else if (state != v1::DRONE_STATE_ACTIVE && record.run.has_replay()) {
    Replace(record);  // nobody else has its payloads
  } else if (state != v1::DRONE_STATE_ACTIVE) {
    runs_.Assign(record, "", 0);  // placed anew below
  } else if (!same_epoch) {
    runs_.Assign(record, record.run.drone_id(), drone->drone.epoch());
  }
}

void Coordinator::Replace(RunRecord& record) {
  // The drone may have begun it and died before it could tell, and its spool may hold the end. A run is never done
  // twice under one id, so another takes its place, as the same attempt.
  EndWithoutLedger(record, v1::RUN_STATUS_FAILED, "DRONE_LOST",
                   absl::StrCat("drone ", record.run.drone_id(), " went before it told of the run"), clock_.Now());
  Finish(record);
  const ProfileEntry* profile = profiles_.Find(record.run.profile_id());
  // A backfill sees to its partitions, and payloads are where they are.
  if (profile == nullptr || record.beside()) return;
  RunRecord& other = MakeRun(*profile, record.run.trigger(), std::max(record.run.attempt(), 1));
  // For the same time of the schedule, which else would be due anew.
  if (record.run.has_schedule_time()) *other.run.mutable_schedule_time() = record.run.schedule_time();
  runs_.Touch(other);
  Publish(other);
}

bool Coordinator::StillWorksOn(const DroneEntry& drone, const RunRecord& record) const {
  if (drone.drone.epoch() != record.lease_epoch) return false;
  // Rows of it may be in the spool; with an empty one and without a word of the run, nothing more will come.
  if (drone.drone.spool_bytes() > 0) return true;
  return steady_.Now() - record.reported <= Lease();
}

void Coordinator::FollowRunning(RunRecord& record) {
  const absl::Time now = steady_.Now();
  const DroneEntry* drone = drones_.Find(record.run.drone_id());
  bool offline = drone == nullptr || StateOf(*drone, now, Lease()) == v1::DRONE_STATE_OFFLINE;
  if (!offline && StillWorksOn(*drone, record)) {
    record.lost_deadline = absl::InfiniteFuture();
    return;
  }
  // A drone that came back sends the end of its earlier runs from its spool: give it time.
  if (!offline && record.lost_deadline == absl::InfiniteFuture()) record.lost_deadline = now + options_.lost_grace;
  if (!offline && now < record.lost_deadline) return;
  v1::RunStatus status = record.cancel_requested ? v1::RUN_STATUS_CANCELLED : v1::RUN_STATUS_FAILED;
  EndWithoutLedger(record, status, "DRONE_LOST",
                   absl::StrCat("drone ", record.run.drone_id(),
                                offline ? " was not heard of for longer than its lease" : " no longer knows the run"),
                   clock_.Now());
  Finish(record);
}

void Coordinator::FollowRun(RunRecord& record) {
  if (record.status() == v1::RUN_STATUS_SCHEDULED) return FollowScheduled(record);
  FollowRunning(record);
}

void Coordinator::UpdateDueTime(const std::string& profile_id) {
  const ProfileEntry* profile = profiles_.Find(profile_id);
  if (profile == nullptr) return due_runs_.Remove(profile_id);
  std::optional<NextRun> next = NextOf(*profile, runs_.HistoryOf(profile_id), clock_.Now());
  due_runs_.Set(profile_id, next ? next->due : absl::InfiniteFuture());
}

void Coordinator::UpdateDueTimes() {
  const absl::Time now = clock_.Now();
  // A clock that was set back changes when everything is due.
  if (now < last_step_) {
    for (const auto& [id, profile] : profiles_.all()) rescheduled_.insert(id);
  }
  last_step_ = now;
  for (const std::string& id : runs_.TakeChangedProfiles()) rescheduled_.insert(id);
  // Deliveries come without a change of a run.
  for (const std::string& id : profiles_.webhooks()) rescheduled_.insert(id);
  for (const std::string& id : std::exchange(rescheduled_, {})) UpdateDueTime(id);
}

RunRecord& Coordinator::MakeCopy(const ProfileEntry& profile, absl::Time slot) {
  RunRecord& record = MakeRun(profile, kTriggerSchedule, 1);
  *record.run.mutable_schedule_time() = ToTimestamp(slot);
  runs_.Touch(record);
  Publish(record);
  return record;
}

void Coordinator::MakeCopies(const ProfileEntry& profile, absl::Time slot) {
  std::set<std::string> doers;
  size_t copies = 0;
  for (int64_t sequence : runs_.OfNewestSlot(profile.id)) {
    const RunRecord& record = runs_.At(sequence);
    if (!record.counts()) continue;
    ++copies;  // also one that waits for a drone: it goes to one of the holders
    doers.insert(record.run.drone_id());
  }
  const std::vector<std::string> holders = plan_.planner().DronesOf(profile.id);
  if (holders.empty() && copies == 0) MakeCopy(profile, slot);
  for (const std::string& id : holders) {
    if (copies >= holders.size()) return;
    if (doers.count(id) > 0) continue;
    RunRecord& record = MakeCopy(profile, slot);
    ++copies;
    const DroneEntry* entry = drones_.Find(id);
    if (IsActive(entry) && FreePlaces(*entry) > 0) Give(record, *entry);
  }
}

void Coordinator::JoinHolders() {
  for (const std::string& id : plan_.TakeChanged()) {
    const ProfileEntry* profile = profiles_.Find(id);
    if (profile == nullptr || profile->placement.redundancy <= 1) continue;
    const RunTable::Sequences& runs = runs_.OfNewestSlot(id);
    if (std::none_of(runs.begin(), runs.end(), [&](int64_t sequence) { return runs_.At(sequence).open(); })) continue;
    const absl::Time slot = FromTimestamp(runs_.At(*runs.begin()).run.schedule_time());
    MakeCopies(*profile, slot);
  }
}

void Coordinator::MakeScheduledRuns(const ProfileEntry& profile, const NextRun& next) {
  // Each drone that holds it does the run, for the other's sake. A retry is one run.
  if (next.slot) runs_.BeginSlot(profile.id);
  if (next.slot && profile.placement.redundancy > 1) return MakeCopies(profile, *next.slot);
  RunRecord& record = MakeRun(profile, next.trigger, next.attempt);
  if (next.slot) *record.run.mutable_schedule_time() = ToTimestamp(*next.slot);
  runs_.Touch(record);
  Publish(record);
}

void Coordinator::MakeDueRuns() {
  const absl::Time now = clock_.Now();
  for (const std::string& id : due_runs_.TakeDue(now)) {
    const ProfileEntry* profile = profiles_.Find(id);
    if (profile == nullptr) continue;
    std::optional<NextRun> next = NextOf(*profile, runs_.HistoryOf(id), now);
    if (next && next->due <= now) {
      MakeScheduledRuns(*profile, *next);
    } else {
      due_runs_.Set(id, next ? next->due : absl::InfiniteFuture());
    }
  }
}

void Coordinator::PlaceWaitingRuns() {
  int searched = 0;
  auto place = [&](RunRecord& record) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    if (PlaceWithHolder(record)) return;
    // Looking through a whole fleet takes a while: the rest has its turn in the next steps.
    if (++searched <= kMaxSearches) PlaceElsewhere(record);
  };
  std::vector<RunRecord*> beside;
  for (int64_t sequence : runs_.open()) {
    RunRecord& record = runs_.At(sequence);
    if (record.status() != v1::RUN_STATUS_SCHEDULED || !record.run.drone_id().empty()) continue;
    record.beside() ? beside.push_back(&record) : place(record);
  }
  for (RunRecord* record : beside) place(*record);
}

absl::Status Coordinator::Tick() {
  absl::MutexLock lock(&mu_);
  return Step();
}

absl::Status Coordinator::Step() {
  UpdateDrones();
  plan_.Step(steady_.Now());
  RunTable::Sequences open = runs_.open();
  for (int64_t sequence : open) FollowRun(runs_.At(sequence));
  FollowShadows();
  UpdateDueTimes();
  MakeDueRuns();
  JoinHolders();
  FollowBackfills();
  PlaceWaitingRuns();
  runs_.Prune(options_.runs_max);
  SetGauges();
  RETURN_IF_ERROR(Flush());
  return inbox_.ForgetOldIds();
}

}  // namespace chartly::coordinator
