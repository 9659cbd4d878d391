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
namespace {

// Between two questions for the ledger of one run: that goes on, that its drone has ended (the first; the next ones are
// each twice as long), and that was given up before its end came.
constexpr absl::Duration kLedgerPause = absl::Seconds(1);
constexpr absl::Duration kEndLedgerPause = absl::Milliseconds(25);
constexpr absl::Duration kLateLedgerPause = absl::Seconds(5);

bool HasLabels(const v1::Drone& drone, const Labels& wanted) {
  return std::all_of(wanted.begin(), wanted.end(), [&](const auto& label) {
    auto it = drone.labels().find(label.first);
    return it != drone.labels().end() && it->second == label.second;
  });
}

}  // namespace

Coordinator::Coordinator(const CoordinatorOptions& options, StateStore& store, Clock& clock, EventLog& events)
    : options_(options),
      store_(store),
      clock_(clock),
      steady_(options.steady == nullptr ? clock : *options.steady),
      steady_epoch_(absl::ToUnixMicros(clock.Now())),
      events_(events),
      inbox_(options.webhooks, store, clock),
      quotas_({options.heartbeat_interval}, store) {}

absl::Status Coordinator::Load() {
  absl::MutexLock lock(&mu_);
  RETURN_IF_ERROR(drones_.Load(store_, clock_.Now(), steady_.Now()));
  std::vector<const DroneEntry*> working;
  for (const auto& [id, entry] : drones_.all()) {
    lease_ends_.Set(id, steady_.Now() + Lease());
    if (IsActive(&entry)) working.push_back(&entry);
  }
  RETURN_IF_ERROR(plan_.Load(store_, working));
  RETURN_IF_ERROR(rollouts_.Load(store_));
  RETURN_IF_ERROR(quotas_.Load(steady_.Now()));
  RETURN_IF_ERROR(shadows_.Load(store_));
  RETURN_IF_ERROR(backfills_.Load(store_));
  RETURN_IF_ERROR(inbox_.Load());
  return runs_.Load(store_);
}

absl::Duration Coordinator::Lease() const { return std::max(3 * options_.heartbeat_interval, options_.lease_min); }

bool Coordinator::IsActive(const DroneEntry* entry) const {
  return entry != nullptr && StateOf(*entry, steady_.Now(), Lease()) == v1::DRONE_STATE_ACTIVE;
}

bool Coordinator::MayDo(const DroneEntry* entry, const PlacementConfig& placement) const {
  return IsActive(entry) && HasLabels(entry->drone, placement.labels);
}

int Coordinator::FreePlaces(const DroneEntry& entry) const {
  int taken = 0;
  for (int64_t sequence : runs_.OpenOfDrone(entry.drone.drone_id())) {
    // A run whose rows are only on the way takes no place.
    taken += runs_.At(sequence).progress.finished() ? 0 : 1;
  }
  return entry.drone.capacity() - taken;
}

int Coordinator::PlacesFor(const RunRecord& record, const DroneEntry& entry) const {
  return FreePlaces(entry) - (record.beside() && entry.drone.capacity() > 1 ? 1 : 0);
}

std::vector<DroneSlot> Coordinator::SlotsFor(const PlacementConfig& placement) const {
  std::vector<DroneSlot> slots;
  for (const auto& [id, entry] : drones_.all()) {
    if (!MayDo(&entry, placement)) continue;
    slots.push_back({id, entry.drone.epoch(), FreePlaces(entry)});
  }
  return slots;
}

void Coordinator::SetState(DroneEntry& entry, v1::DroneState state) {
  entry.drone.set_state(state);
  const std::string& id = entry.drone.drone_id();
  if (state != v1::DRONE_STATE_OFFLINE && !lease_ends_.Has(id)) lease_ends_.Set(id, steady_.Now() + Lease());
  if (state == v1::DRONE_STATE_ACTIVE) {
    plan_.SetDrone(entry.drone);
  } else {
    plan_.RemoveDrone(id);
  }
  Publish(entry);
}

void Coordinator::Finish(RunRecord& record) {
  absl::string_view status = v1::RunStatus_Name(record.status());
  Count("chartly_runs_total", 1, absl::AsciiStrToLower(absl::StripPrefix(status, "RUN_STATUS_")));
  runs_.Touch(record);
  Publish(record);
  const ProfileEntry* profile = profiles_.Find(record.run.profile_id());
  if (profile == nullptr) return;
  // A run over kept payloads says nothing of who reaches the source.
  if (!record.run.has_replay()) plan_.TakeOutcome(*profile, record.run, steady_.Now());
  if (record.beside() || record.status() != v1::RUN_STATUS_FAILED) return;
  const absl::Time allowed =
      RetryAllowedAt(profile->schedule.retry_budget, runs_.HistoryOf(profile->id).retries, clock_.Now());
  if (allowed > clock_.Now() && NextRetryOf(profile->schedule, runs_.HistoryOf(profile->id), clock_.Now())) {
    TellPutOff(*profile, record, allowed);
  }
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

RunRecord& Coordinator::MakeRun(const ProfileEntry& profile, const std::string& trigger, int attempt, v1::Run of) {
  v1::Run run = std::move(of);
  run.set_run_id(NewRunId());
  run.set_name(absl::StrCat("runs/", run.run_id()));
  run.set_profile_id(profile.id);
  run.set_revision(profile.revision);
  run.set_status(v1::RUN_STATUS_SCHEDULED);
  *run.mutable_create_time() = ToTimestamp(clock_.Now());
  run.set_trigger(trigger);
  run.set_attempt(attempt);
  std::vector<int64_t> deliveries = IsBeside(run) ? std::vector<int64_t>() : WaitingDeliveries(profile);
  RunRecord& record = runs_.Add(std::move(run));
  record.content = profile.content;
  record.deliveries = std::move(deliveries);
  return record;
}

bool Coordinator::PlaceWithHolder(RunRecord& record) {
  const ProfileEntry* profile = profiles_.Find(record.run.profile_id());
  // Runs that are done for each other's sake go to different drones.
  const bool redundant = profile != nullptr && profile->placement.redundancy > 1 && !record.beside();
  const std::set<std::string> workers = redundant ? WorkersBeside(record) : std::set<std::string>();
  for (const std::string& drone_id : plan_.planner().DronesOf(record.run.profile_id())) {
    const DroneEntry* entry = drones_.Find(drone_id);
    if (!IsActive(entry) || PlacesFor(record, *entry) <= 0) continue;
    if (workers.count(drone_id) > 0) continue;
    Give(record, *entry);
    return true;
  }
  return false;
}

std::set<std::string> Coordinator::WorkersBeside(const RunRecord& record) const {
  std::set<std::string> workers;
  const std::string& profile_id = record.run.profile_id();
  for (int64_t sequence : runs_.OpenOfProfile(profile_id)) {
    if (!runs_.At(sequence).beside()) workers.insert(runs_.At(sequence).run.drone_id());
  }
  const RunTable::Sequences& same_time = runs_.OfNewestSlot(profile_id);
  for (int64_t sequence : same_time.contains(record.sequence) ? same_time : RunTable::Sequences()) {
    const RunRecord& other = runs_.At(sequence);
    if (other.counts()) workers.insert(other.run.drone_id());
  }
  workers.erase("");
  return workers;
}

bool Coordinator::PlaceElsewhere(RunRecord& record) {
  const ProfileEntry* profile = profiles_.Find(record.run.profile_id());
  std::vector<DroneSlot> slots = SlotsFor(profile == nullptr ? PlacementConfig() : profile->placement);
  if (record.beside()) {
    for (DroneSlot& slot : slots) slot.free = PlacesFor(record, *drones_.Find(slot.drone_id));
  }
  if (profile != nullptr && profile->placement.redundancy > 1 && !record.beside()) {
    const std::set<std::string> workers = WorkersBeside(record);
    for (DroneSlot& slot : slots) slot.free = workers.count(slot.drone_id) > 0 ? 0 : slot.free;
  }
  const DroneSlot* chosen = PickDrone(record.run.profile_id(), slots);
  if (chosen == nullptr) return false;
  Give(record, *drones_.Find(chosen->drone_id));
  return true;
}

bool Coordinator::Place(RunRecord& record) { return PlaceWithHolder(record) || PlaceElsewhere(record); }

std::string Coordinator::NextDroneOf(const ProfileEntry& profile) const {
  std::vector<std::string> holders = plan_.planner().DronesOf(profile.id);
  if (!holders.empty()) return holders.front();
  std::vector<DroneSlot> slots = SlotsFor(profile.placement);
  const DroneSlot* chosen = PickDrone(profile.id, slots, /*ignore_capacity=*/true);
  return chosen == nullptr ? "" : chosen->drone_id;
}

absl::Status Coordinator::Flush() {
  StateTransaction assignments;
  plan_.AddTo(assignments);
  rollouts_.AddTo(assignments);
  shadows_.AddTo(assignments);
  backfills_.AddTo(assignments);
  const RunTable::Sequences written = runs_.dirty();
  RETURN_IF_ERROR(runs_.Flush(store_, assignments));
  plan_.Written();
  rollouts_.Written();
  shadows_.Written();
  backfills_.Written();
  for (int64_t sequence : std::exchange(told_runs_, {})) {
    const RunRecord* record = runs_.Held(sequence);
    if (record != nullptr) events_.Append(Describe(*record), clock_.Now());
  }
  for (const std::string& id : std::exchange(told_rollouts_, {})) TellRollout(id);
  TellNews(written);
  return absl::OkStatus();
}

void Coordinator::FlushOrWarn() {
  absl::Status written = Flush();
  if (!written.ok()) LogWarn("changes not written at once", {{"error", written.ToString()}});
}

void Coordinator::TellNews(const RunTable::Sequences& written) {
  if (listener_ == nullptr) return;
  std::set<std::string> drones;
  for (int64_t sequence : written) {
    const RunRecord& record = runs_.At(sequence);
    if (!record.open() || record.run.drone_id().empty()) continue;
    if (record.status() == v1::RUN_STATUS_SCHEDULED || record.cancel_requested) drones.insert(record.run.drone_id());
  }
  if (!drones.empty()) listener_->OnNews({drones.begin(), drones.end()});
}

void Coordinator::SetProfile(const v1::Profile& profile) {
  absl::MutexLock lock(&mu_);
  if (!profiles_.Set(profile)) return;
  const ProfileEntry& entry = *profiles_.Find(profile.id());
  plan_.SetProfile(entry);
  const size_t running = rollouts_.running();
  rollouts_.SetProfile(entry, clock_.Now());
  rescheduled_.insert(profile.id());
  if (rollouts_.running() == running) return;
  PublishRollout(profile.id());
  FlushOrWarn();
}

void Coordinator::RemoveProfile(absl::string_view profile_id) {
  absl::MutexLock lock(&mu_);
  // What waits for a profile goes with it, but only if it was here: a registry that lost its state deletes nothing.
  if (profiles_.Find(profile_id) != nullptr) inbox_.Forget(std::string(profile_id), runs_.along());
  profiles_.Remove(profile_id);
  plan_.RemoveProfile(profile_id);
  rollouts_.RemoveProfile(profile_id);
  shadows_.RemoveProfile(profile_id);
  EndBackfillsOf(profile_id);
  rescheduled_.insert(std::string(profile_id));
  CancelScheduled({std::string(profile_id)});
  FlushOrWarn();
}

void Coordinator::RetainProfiles(const std::set<std::string>& ids) {
  absl::MutexLock lock(&mu_);
  std::set<std::string> removed = profiles_.RetainOnly(ids);
  for (const std::string& id : removed) {
    plan_.RemoveProfile(id);
    rollouts_.RemoveProfile(id);
    shadows_.RemoveProfile(id);
    EndBackfillsOf(id);
  }
  rescheduled_.insert(removed.begin(), removed.end());
  plan_.Begin();
  CancelScheduled(removed);
  FlushOrWarn();
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

bool Coordinator::TakeLedgerTurn(RunRecord& record, absl::Duration first, absl::Duration most, absl::Time steady) {
  if (steady < record.next_ledger) return false;
  record.ledger_pause = std::min(most, std::max(first, 2 * record.ledger_pause));
  record.next_ledger = steady + record.ledger_pause;
  return true;
}

bool Coordinator::MayStillEnd(RunRecord& record) const {
  if (record.last_ledger == absl::InfiniteFuture()) {
    // After a restart it may have ended long ago, as far as the wall clock can be believed.
    const absl::Duration ago = clock_.Now() - FromTimestamp(record.run.finished_at());
    record.last_ledger = steady_.Now() + options_.late_end - std::clamp(ago, absl::ZeroDuration(), options_.late_end);
  }
  return steady_.Now() <= record.last_ledger;
}

std::vector<std::string> Coordinator::RunsAwaitingLedger() {
  absl::MutexLock lock(&mu_);
  const absl::Time now = steady_.Now();
  std::vector<std::string> ids;
  for (int64_t sequence : runs_.open()) {
    RunRecord& record = runs_.At(sequence);
    // Of what no drone was told of, nothing can have arrived.
    if (!record.ordered) continue;
    const absl::Duration first = record.progress.finished() ? kEndLedgerPause : kLedgerPause;
    if (TakeLedgerTurn(record, first, kLedgerPause, now)) ids.push_back(record.run.run_id());
  }
  RunTable::Sequences unended = runs_.unended();
  for (int64_t sequence : unended) {
    RunRecord& record = runs_.At(sequence);
    if (!MayStillEnd(record)) {
      runs_.GiveUpEnd(record);
    } else if (TakeLedgerTurn(record, kLateLedgerPause, kLateLedgerPause, now)) {
      ids.push_back(record.run.run_id());
    }
  }
  return ids;
}

void Coordinator::TakeLedgers(const std::vector<v1::RunLedger>& ledgers) {
  absl::MutexLock lock(&mu_);
  for (const v1::RunLedger& ledger : ledgers) TakeOneLedger(ledger);
  FlushOrWarn();
}

void Coordinator::TakeOneLedger(const v1::RunLedger& ledger) {
  RunRecord* record = runs_.Find(ledger.run_id());
  if (record == nullptr || record->external() || record->ended) return;
  bool before_final = IsFinal(record->status());
  if (!ApplyLedger(*record, ledger, clock_.Now())) return;
  if (record->ended) SettleDeliveries(*record, ledger.end());
  if (record->ended && !record->beside()) JudgeRollout(*record, ledger.end());
  if (record->ended && !before_final) return Finish(*record);
  if (record->ended) {
    LogInfo("late end of a run", {{"run", record->run.run_id()}});
    runs_.Touch(*record);
  }
  Publish(*record);
}

}  // namespace chartly::coordinator
