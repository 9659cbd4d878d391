#include <algorithm>
#include <map>
#include <optional>

#include "absl/strings/str_cat.h"
#include "common/status/status.h"
#include "common/telemetry/log.h"
#include "common/telemetry/metrics.h"
#include "control/coordinator/coordinator.h"
#include "control/coordinator/run_outcome.h"

namespace chartly::coordinator {

void Coordinator::SetGauges() const {
  std::map<v1::DroneState, double> drones;
  for (const auto& [id, entry] : drones_.all()) ++drones[entry.drone.state()];
  SetGauge("chartly_drones", drones[v1::DRONE_STATE_ACTIVE], "active");
  SetGauge("chartly_drones", drones[v1::DRONE_STATE_DRAINING], "draining");
  SetGauge("chartly_drones", drones[v1::DRONE_STATE_OFFLINE], "offline");
  SetGauge("chartly_profiles", static_cast<double>(profiles_.all().size()));
  SetGauge("chartly_runs_active", static_cast<double>(runs_.open().size()));
  WebhookInbox::Totals webhooks = inbox_.totals();
  SetGauge("chartly_webhook_waiting", static_cast<double>(webhooks.waiting));
  SetGauge("chartly_webhook_waiting_bytes", static_cast<double>(webhooks.bytes));
  SetGauge("chartly_webhook_aside", static_cast<double>(webhooks.aside));
}

void Coordinator::UpdateDrones() {
  for (auto& [id, entry] : drones_.all()) {
    v1::DroneState state = StateOf(entry, clock_.Now(), Lease());
    if (state == entry.drone.state()) continue;
    if (state == v1::DRONE_STATE_OFFLINE) LogWarn("drone is offline", {{"drone", id}});
    entry.drone.set_state(state);
    Publish(entry);
  }
}

void Coordinator::FollowScheduled(RunRecord& record) {
  if (record.run.drone_id().empty()) return;
  const DroneEntry* drone = drones_.Find(record.run.drone_id());
  v1::DroneState state = drone == nullptr ? v1::DRONE_STATE_OFFLINE : StateOf(*drone, clock_.Now(), Lease());
  bool same_epoch = drone != nullptr && drone->drone.epoch() == record.lease_epoch;
  if (record.ordered) {
    if (state == v1::DRONE_STATE_OFFLINE || !same_epoch) Replace(record);
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
  if (profile == nullptr) return;
  Publish(MakeRun(*profile, record.run.trigger(), std::max(record.run.attempt(), 1)));
}

bool Coordinator::StillWorksOn(const DroneEntry& drone, const RunRecord& record) const {
  if (drone.drone.epoch() != record.lease_epoch) return false;
  // Rows of it may be in the spool; with an empty one and without a word of the run, nothing more will come.
  if (drone.drone.spool_bytes() > 0) return true;
  return clock_.Now() - record.reported <= Lease();
}

void Coordinator::FollowRunning(RunRecord& record) {
  absl::Time now = clock_.Now();
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
                   now);
  Finish(record);
}

void Coordinator::FollowRun(RunRecord& record) {
  if (record.status() == v1::RUN_STATUS_SCHEDULED) return FollowScheduled(record);
  FollowRunning(record);
}

void Coordinator::MakeDueRuns() {
  absl::Time now = clock_.Now();
  for (const auto& [id, profile] : profiles_.all()) {
    std::optional<NextRun> next = NextOf(profile, runs_.HistoryOf(id), now);
    if (!next || next->due > now) continue;
    Publish(MakeRun(profile, next->trigger, next->attempt));
  }
}

void Coordinator::PlaceWaitingRuns() {
  std::vector<DroneSlot> slots = Slots();
  if (slots.empty()) return;
  for (int64_t sequence : runs_.open()) {
    RunRecord& record = runs_.At(sequence);
    if (record.status() == v1::RUN_STATUS_SCHEDULED && record.run.drone_id().empty()) Place(record, slots);
  }
}

absl::Status Coordinator::Tick() {
  absl::MutexLock lock(&mu_);
  return Step();
}

absl::Status Coordinator::Step() {
  UpdateDrones();
  RunTable::Sequences open = runs_.open();
  for (int64_t sequence : open) FollowRun(runs_.At(sequence));
  MakeDueRuns();
  PlaceWaitingRuns();
  runs_.Prune(options_.runs_max);
  SetGauges();
  RETURN_IF_ERROR(runs_.Flush(store_));
  return inbox_.ForgetOldIds();
}

}  // namespace chartly::coordinator
