#include <algorithm>
#include <cstdlib>
#include <map>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/clock/proto_time.h"
#include "common/config/parts.h"
#include "common/profile/profile.h"
#include "common/status/status.h"
#include "common/telemetry/log.h"
#include "control/coordinator/coordinator.h"
#include "control/coordinator/run_outcome.h"

namespace chartly::coordinator {
namespace {

constexpr int kMaxCapacity = 1024;
constexpr int kMaxLabels = 64;
constexpr size_t kSmallFleet = 1000;
constexpr size_t kMaxConsentBytes = size_t{64} << 10;
// Profile texts in one answer; the rest follows with the next heartbeat.
constexpr size_t kMaxOrderBytes = size_t{4} << 20;

absl::Status DroneUnknown(absl::string_view drone_id) {
  return Error(absl::StatusCode::kNotFound, "DRONE_UNKNOWN",
               absl::StrCat("drone ", drone_id, " is not known; it must register"), {{"drone_id", drone_id}});
}

absl::Status CheckRegistration(const v1::RegisterDroneRequest& request) {
  if (!IsValidId(request.drone_id())) {
    return Error(absl::StatusCode::kInvalidArgument, "DRONE_ID_INVALID",
                 absl::StrCat("drone_id \"", request.drone_id(),
                              "\" must be 1 to 63 of a-z 0-9 . _ - and begin with a letter or digit"));
  }
  if (request.capacity() < 0 || request.capacity() > kMaxCapacity) {
    return Error(absl::StatusCode::kInvalidArgument, "DRONE_CAPACITY_INVALID",
                 absl::StrCat("capacity is ", request.capacity(), "; it must be 0 (the default, 4) to ", kMaxCapacity));
  }
  if (request.labels_size() > kMaxLabels) {
    return Error(absl::StatusCode::kInvalidArgument, "DRONE_LABELS_INVALID",
                 absl::StrCat("a drone has at most ", kMaxLabels, " labels"));
  }
  if (request.consent().ByteSizeLong() > kMaxConsentBytes) {
    return Error(absl::StatusCode::kInvalidArgument, "DRONE_CONSENT_INVALID",
                 absl::StrCat("a drone tells at most ", kMaxConsentBytes, " bytes of consent"));
  }
  return absl::OkStatus();
}

}  // namespace

v1::Drone Coordinator::DescribeDrone(const DroneEntry& entry) const {
  v1::Drone drone = entry.drone;
  drone.set_state(StateOf(entry, steady_.Now(), Lease()));
  *drone.mutable_last_seen() = ToTimestamp(entry.last_seen);
  drone.set_heartbeat_interval_ms(static_cast<int32_t>(absl::ToInt64Milliseconds(options_.heartbeat_interval)));
  if (std::abs(drone.clock_skew_ms()) > absl::ToInt64Milliseconds(kMaxClockSkew)) drone.add_findings("CLOCK_SKEWED");
  if (!drone.version().empty() && drone.version() != kVersion) drone.add_findings("VERSION_DIFFERS");
  return drone;
}

absl::StatusOr<v1::Drone> Coordinator::RegisterDrone(const v1::RegisterDroneRequest& request) {
  return RegisterDrones({&request}).front();
}

std::vector<absl::StatusOr<v1::Drone>> Coordinator::RegisterDrones(
    const std::vector<const v1::RegisterDroneRequest*>& requests) {
  std::vector<absl::StatusOr<v1::Drone>> results(requests.size(), absl::UnknownError("not taken"));
  absl::MutexLock lock(&mu_);
  for (size_t first = 0; first < requests.size();) first += RegisterGroup(requests, first, results);
  // A large fleet that comes all at once is planned for all at once, by the next tick.
  if (drones_.all().size() > kSmallFleet) return results;
  // What waits for a drone is in the answer to its first heartbeat. Should writing it fail, the next tick tries again
  // and says so.
  absl::Status placed = Step();
  if (!placed.ok()) LogWarn("runs not placed at once", {{"error", placed.ToString()}});
  return results;
}

absl::Status Coordinator::CheckNewcomer(const v1::RegisterDroneRequest& request, size_t newcomers) const {
  RETURN_IF_ERROR(CheckRegistration(request));
  if (drones_.Find(request.drone_id()) != nullptr) return absl::OkStatus();
  if (drones_.all().size() + newcomers < options_.drones_max) return absl::OkStatus();
  return Error(absl::StatusCode::kResourceExhausted, "DRONES_TOO_MANY",
               absl::StrCat(options_.drones_max, " drones are registered; no more are taken"));
}

size_t Coordinator::RegisterGroup(const std::vector<const v1::RegisterDroneRequest*>& requests, size_t first,
                                  std::vector<absl::StatusOr<v1::Drone>>& results) {
  std::map<std::string, size_t> taken;  // to its place in requests
  StateTransaction transaction;
  std::vector<DroneEntry> entries;
  size_t next = first;
  for (; next < requests.size(); ++next) {
    const v1::RegisterDroneRequest& request = *requests[next];
    if (taken.count(request.drone_id()) > 0) break;
    absl::Status checked = CheckNewcomer(request, entries.size());
    if (!checked.ok()) {
      results[next] = checked;
      continue;
    }
    entries.push_back(drones_.Registered(request, clock_.Now(), steady_.Now()));
    transaction.puts.push_back(DroneTable::StoredForm(entries.back()));
    taken[request.drone_id()] = next;
  }
  absl::StatusOr<int64_t> revision = store_.Commit(transaction);
  std::vector<std::string> registered;
  for (DroneEntry& entry : entries) {
    const std::string id = entry.drone.drone_id();
    absl::StatusOr<v1::Drone>& result = results[taken[id]];
    if (revision.ok()) {
      result = TakeUp(std::move(entry));
      registered.push_back(id);
    } else {
      result = Annotate(revision.status(), absl::StrCat("register drone ", id));
    }
  }
  // Whoever speaks with an epoch of before is to hear that it is fenced.
  if (listener_ != nullptr) listener_->OnNews(registered);
  return next - first;
}

v1::Drone Coordinator::TakeUp(DroneEntry entry) {
  const std::string id = entry.drone.drone_id();
  LogInfo("drone registered", {{"drone", id}, {"epoch", absl::StrCat(entry.drone.epoch())}});
  drones_.Set(std::move(entry));
  // It may be another version now, which would take an order to replay for one to fetch.
  captures_.Forget(id);
  DroneEntry& held = *drones_.Find(id);
  SetState(held, v1::DRONE_STATE_ACTIVE);
  lease_ends_.Set(id, steady_.Now() + Lease());
  return DescribeDrone(held);
}

absl::StatusOr<DroneEntry*> Coordinator::Admit(absl::string_view drone_id, int64_t epoch) {
  DroneEntry* entry = drones_.Find(drone_id);
  // An epoch that was never given out means this state is older than the drone's: it must register again.
  if (entry == nullptr || epoch > entry->drone.epoch()) return DroneUnknown(drone_id);
  if (epoch != 0 && epoch < entry->drone.epoch()) {
    return Error(absl::StatusCode::kFailedPrecondition, "EPOCH_FENCED",
                 absl::StrCat("drone ", drone_id, " registered again with epoch ", entry->drone.epoch(), "; epoch ",
                              epoch, " is fenced"),
                 {{"drone_id", drone_id}, {"epoch", absl::StrCat(entry->drone.epoch())}});
  }
  return entry;
}

void Coordinator::TakeProgress(const DroneEntry& entry, const v1::RunProgress& progress,
                               std::vector<std::string>& cancels) {
  RunRecord* record = runs_.Find(progress.run_id());
  bool its_own = record != nullptr && record->run.drone_id() == entry.drone.drone_id();
  bool stop = !its_own || (record->status() == v1::RUN_STATUS_CANCELLED && !record->ended);
  if (stop) {
    if (!progress.finished()) cancels.push_back(progress.run_id());
    return;
  }
  if (!record->open()) {
    // It was taken to be lost, and another may do its work by now: a profile is done under one lease.
    if (!record->ended && !progress.finished()) cancels.push_back(progress.run_id());
    return;
  }
  bool changed = record->progress.fetched() != progress.fetched() || record->progress.finished() != progress.finished();
  record->progress = progress;
  if (!progress.finished()) record->reported = steady_.Now();
  record->lost_deadline = absl::InfiniteFuture();
  if (record->status() == v1::RUN_STATUS_SCHEDULED) {
    record->run.set_status(v1::RUN_STATUS_RUNNING);
    *record->run.mutable_started_at() = ToTimestamp(clock_.Now());
    runs_.Touch(*record);
    changed = true;
  }
  if (record->lease_epoch != entry.drone.epoch()) runs_.Assign(*record, entry.drone.drone_id(), entry.drone.epoch());
  if (!changed) return;
  Publish(*record);
  // Of that something may be in the ledger.
  record->next_ledger = absl::InfinitePast();
  record->ledger_pause = absl::ZeroDuration();
}

// Signatures may come after the run was made; those of another revision than the run's are of no use to it.
void Coordinator::AddSignatures(const RunRecord& record, v1::RunOrder& order) const {
  const ProfileEntry* profile = profiles_.Find(record.run.profile_id());
  if (profile == nullptr || profile->revision != record.run.revision()) return;
  order.mutable_signatures()->Assign(profile->signatures.begin(), profile->signatures.end());
}

void Coordinator::AddOrders(const DroneEntry& entry, v1::HeartbeatResponse& answer) {
  size_t bytes = 0;
  for (int64_t sequence : runs_.OpenOfDrone(entry.drone.drone_id())) {
    RunRecord& record = runs_.At(sequence);
    if (record.status() != v1::RUN_STATUS_SCHEDULED || record.lease_epoch != entry.drone.epoch()) continue;
    // A drone that drains gets no new runs, but what it may have heard of is its own.
    if (entry.draining && !record.ordered) continue;
    // Only what is on disk is ordered: after a crash nobody else may be given what this drone has begun.
    if (runs_.IsDirty(record)) continue;
    // What was given before its revision went back is not begun in it.
    if (!record.ordered && rollouts_.IsRefused(record.run.profile_id(), record.run.revision())) {
      Give(record, entry);
      continue;  // once this is written
    }
    if (record.content == nullptr) {
      // After a restart the text is that of the profile as it is now.
      const ProfileEntry* profile = profiles_.Find(record.run.profile_id());
      if (profile == nullptr) continue;
      record.content = rollouts_.ContentOf(*profile, record.run.revision());
      if (record.content == nullptr) {
        record.content = profile->content;
        record.run.set_revision(profile->revision);
      }
      runs_.Touch(record);
      continue;  // once this is written
    }
    v1::RunOrder order;
    order.set_run_id(record.run.run_id());
    order.set_profile_id(record.run.profile_id());
    order.set_revision(record.run.revision());
    order.set_content(*record.content);
    order.set_lease_epoch(record.lease_epoch);
    AddSignatures(record, order);
    if (absl::Status read = AddDeliveries(record, order); !read.ok()) {
      LogError("deliveries of a run cannot be read", {{"run", record.run.run_id()}, {"error", read.ToString()}});
      continue;
    }
    if (record.run.has_partition()) *order.mutable_partition() = record.run.partition();
    if (record.run.has_replay()) *order.mutable_replay() = record.run.replay();
    // What is tried is to be judged by what the profile does now.
    if (!record.beside()) shadows_.AddTo(order, entry.drone.drone_id(), clock_.Now());
    bytes += order.ByteSizeLong();
    if (bytes > kMaxOrderBytes && answer.orders_size() > 0) return;
    record.ordered = true;
    *answer.add_orders() = std::move(order);
  }
}

void Coordinator::AddCancellations(const DroneEntry& entry, v1::HeartbeatResponse& answer) {
  for (int64_t sequence : runs_.OpenOfDrone(entry.drone.drone_id())) {
    const RunRecord& record = runs_.At(sequence);
    if (record.cancel_requested && !record.progress.finished()) answer.add_cancel_run_ids(record.run.run_id());
  }
}

absl::StatusOr<v1::HeartbeatResponse> Coordinator::Heartbeat(const v1::HeartbeatRequest& request) {
  HeardBeat heard = HearBeats({&request}).front();
  RETURN_IF_ERROR(heard.status);
  ASSIGN_OR_RETURN(v1::HeartbeatResponse answer, OrdersFor({{request.drone_id(), request.epoch()}}).front());
  for (std::string& run_id : heard.cancel_run_ids) answer.add_cancel_run_ids(std::move(run_id));
  if (heard.quota) *answer.mutable_quota() = *std::move(heard.quota);
  return answer;
}

HeardBeat Coordinator::Hear(const v1::HeartbeatRequest& request) {
  HeardBeat heard;
  absl::StatusOr<DroneEntry*> admitted = Admit(request.drone_id(), request.epoch());
  heard.status = admitted.status();
  if (!admitted.ok()) return heard;
  DroneEntry& entry = **admitted;
  v1::DroneState before = entry.drone.state();
  entry.last_seen = clock_.Now();
  entry.heard = steady_.Now();
  entry.drone.set_spool_bytes(request.spool_bytes());
  if (request.has_send_time()) {
    entry.drone.set_clock_skew_ms(absl::ToInt64Milliseconds(FromTimestamp(request.send_time()) - clock_.Now()));
  }
  v1::DroneState state = StateOf(entry, steady_.Now(), Lease());
  if (before != state) SetState(entry, state);
  TakeShadows(request);
  for (const v1::RunProgress& progress : request.runs()) TakeProgress(entry, progress, heard.cancel_run_ids);
  if (request.has_quota()) AddTurns(request, heard);
  if (request.has_captures()) captures_.Take(request.drone_id(), request.captures());
  return heard;
}

std::vector<HeardBeat> Coordinator::HearBeats(const std::vector<const v1::HeartbeatRequest*>& beats) {
  absl::MutexLock lock(&mu_);
  std::vector<HeardBeat> heard;
  heard.reserve(beats.size());
  bool told = false;
  for (const v1::HeartbeatRequest* beat : beats) {
    heard.push_back(Hear(*beat));
    told = told || beat->runs_size() > 0;
  }
  if (!told) return heard;
  // What the drone told it will not tell again once this is answered: make it durable first, or a crash would have a
  // run done twice.
  absl::Status written = Flush();
  for (size_t i = 0; i < beats.size() && !written.ok(); ++i) {
    if (heard[i].status.ok() && beats[i]->runs_size() > 0) heard[i].status = written;
  }
  return heard;
}

std::vector<absl::StatusOr<v1::HeartbeatResponse>> Coordinator::OrdersFor(const std::vector<DroneEpoch>& drones) {
  std::vector<absl::StatusOr<v1::HeartbeatResponse>> answers;
  answers.reserve(drones.size());
  absl::MutexLock lock(&mu_);
  for (const auto& [drone_id, epoch] : drones) {
    absl::StatusOr<DroneEntry*> entry = Admit(drone_id, epoch);
    if (!entry.ok()) {
      answers.push_back(entry.status());
      continue;
    }
    v1::HeartbeatResponse answer;
    answer.set_heartbeat_interval_ms(static_cast<int32_t>(absl::ToInt64Milliseconds(options_.heartbeat_interval)));
    AddCancellations(**entry, answer);
    AddOrders(**entry, answer);
    answers.push_back(std::move(answer));
  }
  return answers;
}

std::vector<v1::Drone> Coordinator::ListDrones(absl::string_view after, size_t limit) const {
  absl::MutexLock lock(&mu_);
  std::vector<v1::Drone> found;
  const auto& all = drones_.all();
  for (auto it = all.upper_bound(std::string(after)); it != all.end() && found.size() < limit; ++it) {
    found.push_back(DescribeDrone(it->second));
  }
  return found;
}

absl::StatusOr<v1::Drone> Coordinator::GetDrone(absl::string_view drone_id) const {
  absl::MutexLock lock(&mu_);
  const DroneEntry* entry = drones_.Find(drone_id);
  if (entry == nullptr) return DroneUnknown(drone_id);
  return DescribeDrone(*entry);
}

v1::DroneStats Coordinator::DroneStats() const {
  absl::MutexLock lock(&mu_);
  std::map<v1::DroneState, int32_t> counts;
  for (const auto& [id, entry] : drones_.all()) ++counts[StateOf(entry, steady_.Now(), Lease())];
  v1::DroneStats stats;
  stats.set_total(static_cast<int32_t>(drones_.all().size()));
  stats.set_active(counts[v1::DRONE_STATE_ACTIVE]);
  stats.set_offline(counts[v1::DRONE_STATE_OFFLINE]);
  stats.set_draining(counts[v1::DRONE_STATE_DRAINING]);
  return stats;
}

absl::StatusOr<v1::ListDroneWorkResponse> Coordinator::DroneWork(absl::string_view drone_id) const {
  absl::MutexLock lock(&mu_);
  const DroneEntry* entry = drones_.Find(drone_id);
  if (entry == nullptr) return DroneUnknown(drone_id);
  std::map<std::string, std::string> work;  // profile to revision
  for (const std::string& id : plan_.planner().ProfilesOf(drone_id)) {
    const ProfileEntry* profile = profiles_.Find(id);
    if (profile != nullptr) work[id] = profile->revision;
  }
  for (int64_t sequence : runs_.OpenOfDrone(drone_id)) {
    const v1::Run& run = runs_.At(sequence).run;
    work[run.profile_id()] = run.revision();
  }
  v1::ListDroneWorkResponse answer;
  for (const auto& [profile_id, revision] : work) {
    v1::Assignment& assignment = *answer.add_assignments();
    assignment.set_drone_id(std::string(drone_id));
    assignment.set_profile_id(profile_id);
    assignment.set_revision(revision);
    assignment.set_lease_epoch(entry->drone.epoch());
  }
  return answer;
}

absl::StatusOr<v1::Drone> Coordinator::DrainDrone(absl::string_view drone_id) {
  absl::MutexLock lock(&mu_);
  DroneEntry* entry = drones_.Find(drone_id);
  if (entry == nullptr) return DroneUnknown(drone_id);
  if (entry->draining) return DescribeDrone(*entry);
  DroneEntry drained = *entry;
  drained.draining = true;
  StateTransaction transaction;
  transaction.puts.push_back(DroneTable::StoredForm(drained));
  absl::StatusOr<int64_t> revision = store_.Commit(transaction);
  if (!revision.ok()) return Annotate(revision.status(), absl::StrCat("drain drone ", drone_id));
  *entry = std::move(drained);
  SetState(*entry, StateOf(*entry, steady_.Now(), Lease()));
  return DescribeDrone(*entry);
}

}  // namespace chartly::coordinator
