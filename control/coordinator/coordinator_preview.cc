// What a change of profiles would mean for the drones of a Coordinator.
#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/profile/consent.h"
#include "common/profile/profile_parser.h"
#include "common/status/status.h"
#include "control/coordinator/coordinator.h"

namespace chartly::coordinator {
namespace {

chartly::Consent ConsentOf(const v1::DroneConsent& told) {
  chartly::Consent consent;
  if (told.hosts_limited()) consent.hosts.emplace(told.hosts().begin(), told.hosts().end());
  if (told.paths_limited()) consent.paths.emplace(told.paths().begin(), told.paths().end());
  if (told.max_bytes() > 0) consent.max_bytes = told.max_bytes();
  return consent;
}

bool AnyTrusted(const v1::DroneConsent& told, const v1::ProfileEdit& edit) {
  for (const std::string& trusted : told.profile_key_ids()) {
    for (const std::string& key_id : edit.key_ids()) {
      if (trusted == key_id) return true;
    }
  }
  return told.profile_key_ids().empty();
}

// What the drone is going to say. The drone decides by itself; it may know more than it told.
absl::Status Foretell(const v1::DroneConsent& told, const v1::ProfileEdit& edit) {
  if (!AnyTrusted(told, edit)) {
    return Error(absl::StatusCode::kPermissionDenied, "PROFILE_UNSIGNED",
                 "the drone takes profiles that one of its keys signed, and none of them signed this text");
  }
  ProfileParseResult parsed = ParseProfile(edit.content());
  return parsed.ok() ? CheckConsent(ConsentOf(told), parsed.profile) : absl::OkStatus();
}

PlannedProfile PlannedOf(const ProfileEntry& profile) {
  return {profile.id, profile.placement.labels, static_cast<int>(profile.placement.redundancy), profile.source};
}

// Collects what changes, by drone.
class Preview {
 public:
  void Compare(const std::string& profile_id, const std::vector<std::string>& before,
               const std::vector<std::string>& after, bool edited) {
    for (const std::string& drone : after) {
      const bool had = Has(before, drone);
      if (had && !edited) continue;
      v1::PlannedDrone& planned = Of(drone);
      (had ? planned.add_changed() : planned.add_gained())->assign(profile_id);
    }
    for (const std::string& drone : before) {
      if (!Has(after, drone)) Of(drone).add_lost()->assign(profile_id);
    }
  }
  v1::PlannedDrone& Of(const std::string& drone) {
    drones_[drone].set_drone_id(drone);
    return drones_[drone];
  }
  v1::PreviewAssignmentsResponse Take() {
    v1::PreviewAssignmentsResponse response;
    for (auto& [id, drone] : drones_) *response.add_drones() = std::move(drone);
    return response;
  }

 private:
  static bool Has(const std::vector<std::string>& drones, const std::string& drone) {
    return std::find(drones.begin(), drones.end(), drone) != drones.end();
  }
  std::map<std::string, v1::PlannedDrone> drones_;
};

}  // namespace

std::vector<std::string> Coordinator::DoersOf(const ProfileEntry& profile, const Planner& planner) const {
  std::vector<std::string> holders = planner.DronesOf(profile.id);
  if (!holders.empty()) return holders;
  // Nobody holds what runs by hand only; who would be given its run does it.
  const std::vector<DroneSlot> slots = SlotsFor(profile.placement);
  const DroneSlot* chosen = PickDrone(profile.id, slots, /*ignore_capacity=*/true);
  if (chosen != nullptr) holders.push_back(chosen->drone_id);
  return holders;
}

v1::PreviewAssignmentsResponse Coordinator::PreviewAssignments(const v1::PreviewAssignmentsRequest& request) const {
  absl::MutexLock lock(&mu_);
  Planner trial({}, plan_.planner().Snapshot());
  ProfileTable edited;
  std::set<std::string> ids;
  for (const v1::ProfileEdit& edit : request.edits()) {
    const std::string& id = edit.profile_id();
    ids.insert(id);
    trial.RemoveProfile(id);
    if (edit.deleted()) continue;
    v1::Profile profile;
    profile.set_id(id);
    profile.set_content(edit.content());
    edited.Set(profile);
    const ProfileEntry* held = profiles_.Find(id);
    const bool paused = held != nullptr && held->schedule.paused;
    if (ProfileParseResult parsed = ParseProfile(edit.content()); paused || !parsed.profile.schedule.enabled) continue;
    trial.SetProfile(PlannedOf(*edited.Find(id)), plan_.planner().DronesOf(id));
  }
  std::set<std::string> moved;
  while (trial.pending()) {
    for (const Placement& placement : trial.Step()) moved.insert(placement.profile_id);
  }
  Preview preview;
  for (const std::string& id : moved) {
    if (ids.count(id) == 0) preview.Compare(id, plan_.planner().DronesOf(id), trial.DronesOf(id), false);
  }
  for (const v1::ProfileEdit& edit : request.edits()) {
    const std::string& id = edit.profile_id();
    const ProfileEntry* before = profiles_.Find(id);
    const ProfileEntry* after = edited.Find(id);
    const std::vector<std::string> doers = after == nullptr ? std::vector<std::string>() : DoersOf(*after, trial);
    preview.Compare(id, before == nullptr ? std::vector<std::string>() : DoersOf(*before, plan_.planner()), doers,
                    true);
    for (const std::string& drone : doers) {
      absl::Status refused = Foretell(drones_.Find(drone)->drone.consent(), edit);
      if (refused.ok()) continue;
      v1::PlannedRefusal& refusal = *preview.Of(drone).add_refusals();
      refusal.set_profile_id(id);
      refusal.set_reason(Reason(refused));
      refusal.set_message(std::string(refused.message()));
    }
  }
  return preview.Take();
}

}  // namespace chartly::coordinator
