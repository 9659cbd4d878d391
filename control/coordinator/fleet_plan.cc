#include "control/coordinator/fleet_plan.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "chartly/storage/v1/coordinator.pb.h"
#include "common/status/status.h"

namespace chartly::coordinator {
namespace {

// How long a drone is taken not to reach a source after a run said so.
constexpr absl::Duration kOutOfReach = absl::Minutes(10);
// A source that so many drones do not reach is away: moving its profiles on helps nobody.
constexpr int kMaxOutOfReach = 3;
constexpr size_t kMaxOutOfReachPairs = 100'000;

// Whether another drone may do better: the network, the consent and the secrets are those of a host.
bool IsOfTheDrone(absl::string_view reason) {
  return reason == "SOURCE_UNREACHABLE" || absl::StartsWith(reason, "EGRESS_") ||
         absl::StartsWith(reason, "CONSENT_") || absl::StartsWith(reason, "SECRET_");
}

}  // namespace

PlannedDrone FleetPlan::Planned(const v1::Drone& drone) {
  return {drone.drone_id(), Labels(drone.labels().begin(), drone.labels().end()), std::max(1, drone.capacity())};
}

absl::Status FleetPlan::Load(const StateStore& store, const std::vector<const DroneEntry*>& drones) {
  PlannerSnapshot snapshot;
  for (const DroneEntry* entry : drones) snapshot.drones.push_back(Planned(entry->drone));
  planner_ = std::make_unique<Planner>(PlannerOptions(), snapshot);
  ASSIGN_OR_RETURN(std::vector<StateEntry> entries, store.Range(kAssignmentPrefix));
  for (const StateEntry& entry : entries) {
    storage::v1::StoredAssignment stored;
    if (!stored.ParseFromString(entry.value)) {
      return Error(
          absl::StatusCode::kDataLoss, "STATE_CORRUPT",
          absl::StrCat("the stored assignment ", entry.key, " cannot be read; restore the coordinator's folder"));
    }
    Held& held = held_[std::string(absl::StripPrefix(entry.key, kAssignmentPrefix))];
    held.drones.assign(stored.drones().begin(), stored.drones().end());
    held.epoch = stored.epoch();
  }
  begun_ = held_.empty();
  return absl::OkStatus();
}

void FleetPlan::SetProfile(const ProfileEntry& profile) {
  if (!profile.schedule.enabled || profile.schedule.paused) return RemoveProfile(profile.id);
  PlannedProfile planned{profile.id, profile.placement.labels, static_cast<int>(profile.placement.redundancy),
                         profile.source};
  auto held = held_.find(profile.id);
  planner_->SetProfile(planned, held == held_.end() ? std::vector<std::string>() : held->second.drones);
}

void FleetPlan::RemoveProfile(absl::string_view profile_id) {
  planner_->RemoveProfile(profile_id);
  auto held = held_.find(profile_id);
  if (held == held_.end() || held->second.drones.empty()) return;
  Record({std::string(profile_id), {}});
}

void FleetPlan::Begin() {
  if (std::exchange(begun_, true)) return;
  std::vector<std::string> gone;
  PlannerSnapshot snapshot = planner_->Snapshot();
  std::set<std::string> known;
  for (const PlannedProfile& profile : snapshot.profiles) known.insert(profile.id);
  for (const auto& [id, held] : held_) {
    if (known.count(id) == 0 && !held.drones.empty()) gone.push_back(id);
  }
  for (const std::string& id : gone) Record({id, {}});
}

void FleetPlan::Record(const Placement& placement) {
  Held& held = held_[placement.profile_id];
  if (held.drones == placement.drones) return;
  held.drones = placement.drones;
  ++held.epoch;
  unwritten_.insert(placement.profile_id);
  changed_.insert(placement.profile_id);
}

void FleetPlan::TakeOutcome(const ProfileEntry& profile, const v1::Run& run, absl::Time now) {
  auto same = [&](const OutOfReach& entry) {
    return entry.drone_id == run.drone_id() && entry.source == profile.source;
  };
  if (run.status() == v1::RUN_STATUS_SUCCEEDED || run.status() == v1::RUN_STATUS_PARTIAL) {
    auto reached = std::remove_if(out_of_reach_.begin(), out_of_reach_.end(), same);
    if (reached == out_of_reach_.end()) return;
    out_of_reach_.erase(reached, out_of_reach_.end());
    return planner_->SetReach(run.drone_id(), profile.source, true);
  }
  if (run.status() != v1::RUN_STATUS_FAILED || !IsOfTheDrone(run.error_reason())) return;
  auto known = std::find_if(out_of_reach_.begin(), out_of_reach_.end(), same);
  if (known != out_of_reach_.end()) {
    known->until = now + kOutOfReach;
    return;
  }
  auto others = std::count_if(out_of_reach_.begin(), out_of_reach_.end(),
                              [&](const OutOfReach& entry) { return entry.source == profile.source; });
  if (others >= kMaxOutOfReach || out_of_reach_.size() >= kMaxOutOfReachPairs) return;
  out_of_reach_.push_back({run.drone_id(), profile.source, now + kOutOfReach});
  planner_->SetReach(run.drone_id(), profile.source, false);
}

void FleetPlan::ForgetReach(absl::Time now) {
  auto past = std::partition(out_of_reach_.begin(), out_of_reach_.end(),
                             [&](const OutOfReach& entry) { return entry.until > now; });
  for (auto it = past; it != out_of_reach_.end(); ++it) planner_->SetReach(it->drone_id, it->source, true);
  out_of_reach_.erase(past, out_of_reach_.end());
}

void FleetPlan::Step(absl::Time now) {
  if (!begun_) return;
  ForgetReach(now);
  for (const Placement& placement : planner_->Step()) Record(placement);
}

void FleetPlan::AddTo(StateTransaction& transaction) const {
  for (const std::string& id : unwritten_) {
    const Held& held = held_.find(id)->second;
    std::string key = absl::StrCat(kAssignmentPrefix, id);
    storage::v1::StoredAssignment stored;
    for (const std::string& drone : held.drones) stored.add_drones(drone);
    stored.set_epoch(held.epoch);
    transaction.puts.push_back({std::move(key), stored.SerializeAsString()});
  }
}

int64_t FleetPlan::EpochOf(absl::string_view profile_id) const {
  auto held = held_.find(profile_id);
  return held == held_.end() ? 0 : held->second.epoch;
}

}  // namespace chartly::coordinator
