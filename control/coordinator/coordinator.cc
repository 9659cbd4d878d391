#include "control/coordinator/coordinator.h"

#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/strip.h"
#include "common/clock/proto_time.h"
#include "common/status/status.h"
#include "common/telemetry/log.h"
#include "common/telemetry/metrics.h"
#include "control/coordinator/run_outcome.h"

namespace chartly::coordinator {

Coordinator::Coordinator(const CoordinatorOptions& options, StateStore& store, Clock& clock, EventLog& events)
    : options_(options), store_(store), clock_(clock), events_(events), inbox_(options.webhooks, store, clock) {}

absl::Status Coordinator::Load() {
  absl::MutexLock lock(&mu_);
  RETURN_IF_ERROR(drones_.Load(store_, clock_.Now()));
  RETURN_IF_ERROR(inbox_.Load());
  return runs_.Load(store_);
}

absl::Duration Coordinator::Lease() const { return std::max(3 * options_.heartbeat_interval, options_.lease_min); }

bool Coordinator::IsActive(const DroneEntry* entry) const {
  return entry != nullptr && StateOf(*entry, clock_.Now(), Lease()) == v1::DRONE_STATE_ACTIVE;
}

std::vector<DroneSlot> Coordinator::Slots() const {
  std::vector<DroneSlot> slots;
  for (const auto& [id, entry] : drones_.all()) {
    if (!IsActive(&entry)) continue;
    int taken = 0;
    for (int64_t sequence : runs_.OpenOfDrone(id)) {
      // A run whose rows are only on the way takes no place.
      taken += runs_.At(sequence).progress.finished() ? 0 : 1;
    }
    slots.push_back({id, entry.drone.epoch(), entry.drone.capacity() - taken});
  }
  return slots;
}

void Coordinator::Publish(const RunRecord& record) { events_.Append(Describe(record), clock_.Now()); }

void Coordinator::Finish(RunRecord& record) {
  absl::string_view status = v1::RunStatus_Name(record.status());
  Count("chartly_runs_total", 1, absl::AsciiStrToLower(absl::StripPrefix(status, "RUN_STATUS_")));
  runs_.Touch(record);
  Publish(record);
}

void Coordinator::Publish(DroneEntry& entry) { events_.Append(DescribeDrone(entry), clock_.Now()); }

std::string Coordinator::NewRunId() {
  // Begins with the time, for people; the rest makes it unique also where clocks go back.
  std::string time = absl::FormatTime("%Y%m%dt%H%M%S", clock_.Now(), absl::UTCTimeZone());
  while (true) {
    std::string id = absl::StrFormat("%s-%012x", time, absl::Uniform<uint64_t>(random_) & 0xffffffffffff);
    if (runs_.Find(id) == nullptr) return id;
  }
}

RunRecord& Coordinator::MakeRun(const ProfileEntry& profile, const std::string& trigger, int attempt) {
  v1::Run run;
  run.set_run_id(NewRunId());
  run.set_name(absl::StrCat("runs/", run.run_id()));
  run.set_profile_id(profile.id);
  run.set_revision(profile.revision);
  run.set_status(v1::RUN_STATUS_SCHEDULED);
  *run.mutable_create_time() = ToTimestamp(clock_.Now());
  run.set_trigger(trigger);
  run.set_attempt(attempt);
  std::vector<int64_t> deliveries = WaitingDeliveries(profile);
  RunRecord& record = runs_.Add(std::move(run));
  record.content = profile.content;
  record.deliveries = std::move(deliveries);
  return record;
}

void Coordinator::Place(RunRecord& record, std::vector<DroneSlot>& slots) {
  const DroneSlot* chosen = PickDrone(record.run.profile_id(), slots);
  if (chosen == nullptr) return;
  runs_.Assign(record, chosen->drone_id, chosen->epoch);
  --slots[static_cast<size_t>(chosen - slots.data())].free;
}

void Coordinator::SetProfile(const v1::Profile& profile) {
  absl::MutexLock lock(&mu_);
  profiles_.Set(profile);
}

void Coordinator::RemoveProfile(absl::string_view profile_id) {
  absl::MutexLock lock(&mu_);
  // What waits for a profile goes with it, but only if it was here: a registry that lost its state deletes nothing.
  if (profiles_.Find(profile_id) != nullptr) inbox_.Forget(std::string(profile_id), runs_.along());
  profiles_.Remove(profile_id);
  CancelScheduled({std::string(profile_id)});
}

void Coordinator::RetainProfiles(const std::set<std::string>& ids) {
  absl::MutexLock lock(&mu_);
  CancelScheduled(profiles_.RetainOnly(ids));
}

void Coordinator::CancelScheduled(const std::set<std::string>& profile_ids) {
  for (const std::string& id : profile_ids) {
    RunTable::Sequences open = runs_.OpenOfProfile(id);
    for (int64_t sequence : open) {
      RunRecord& record = runs_.At(sequence);
      if (record.status() != v1::RUN_STATUS_SCHEDULED) continue;
      EndWithoutLedger(record, v1::RUN_STATUS_CANCELLED, "PROFILE_DELETED", "its profile was deleted", clock_.Now());
      Finish(record);
    }
  }
}

std::vector<std::string> Coordinator::RunsAwaitingLedger() {
  absl::MutexLock lock(&mu_);
  absl::Time now = clock_.Now();
  std::vector<std::string> ids;
  for (int64_t sequence : runs_.open()) {
    const RunRecord& record = runs_.At(sequence);
    if (!record.run.drone_id().empty()) ids.push_back(record.run.run_id());
  }
  RunTable::Sequences unended = runs_.unended();
  for (int64_t sequence : unended) {
    RunRecord& record = runs_.At(sequence);
    if (now - FromTimestamp(record.run.finished_at()) > options_.late_end) {
      runs_.GiveUpEnd(record);
    } else if (now >= record.next_ledger) {
      record.next_ledger = now + absl::Seconds(5);
      ids.push_back(record.run.run_id());
    }
  }
  return ids;
}

void Coordinator::TakeLedger(const v1::RunLedger& ledger) {
  absl::MutexLock lock(&mu_);
  RunRecord* record = runs_.Find(ledger.run_id());
  if (record == nullptr || record->external() || record->ended) return;
  bool before_final = IsFinal(record->status());
  if (!ApplyLedger(*record, ledger, clock_.Now())) return;
  if (record->ended) SettleDeliveries(*record, ledger.end());
  if (record->ended && !before_final) return Finish(*record);
  if (record->ended) {
    LogInfo("late end of a run", {{"run", record->run.run_id()}});
    runs_.Touch(*record);
  }
  Publish(*record);
}

}  // namespace chartly::coordinator
