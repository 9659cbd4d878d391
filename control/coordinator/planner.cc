#include "control/coordinator/planner.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "control/coordinator/assignment.h"

namespace chartly::coordinator {
namespace {

constexpr uint64_t kNoFloor = ~uint64_t{0};  // nothing outweighs it

bool HasLabels(const Labels& labels, const Labels& selector) {
  return std::all_of(selector.begin(), selector.end(), [&](const auto& wanted) {
    auto it = labels.find(wanted.first);
    return it != labels.end() && it->second == wanted.second;
  });
}

bool BitOf(const std::vector<uint64_t>& bits, uint32_t index) {
  return index / 64 < bits.size() && (bits[index / 64] >> (index % 64) & 1) != 0;
}

void SetBit(std::vector<uint64_t>& bits, uint32_t index, bool on) {
  if (bits.size() <= index / 64) bits.resize(index / 64 + 1);
  const uint64_t mask = uint64_t{1} << (index % 64);
  bits[index / 64] = on ? bits[index / 64] | mask : bits[index / 64] & ~mask;
}

}  // namespace

uint64_t Planner::WeightOfPair(uint64_t profile_hash, uint64_t drone_hash) {
  return WeightOf(profile_hash, drone_hash);
}

Planner::Planner(const PlannerOptions& options, const PlannerSnapshot& snapshot) : options_(options) {
  for (const PlannedDrone& drone : snapshot.drones) AddDrone(drone);
  std::map<std::string, std::vector<std::string>> held;
  for (const Placement& placement : snapshot.held) held[placement.profile_id] = placement.drones;
  for (const PlannedProfile& profile : snapshot.profiles) SetProfile(profile, held[profile.id]);
}

Planner::Index Planner::AddDrone(const PlannedDrone& drone) {
  Index index = static_cast<Index>(drones_.size());
  if (free_drones_.empty()) {
    drones_.emplace_back();
    drone_hash_.push_back(0);
    load_.push_back(0);
  } else {
    index = free_drones_.back();
    free_drones_.pop_back();
  }
  drones_[index] = {drone, true, {}};
  drone_hash_[index] = NameHash(drone.id);
  load_[index] = 0;
  drone_index_[drone.id] = index;
  capacity_ += std::max(1, drone.capacity);
  bounds_changed_ = true;
  SetClassBits(index);
  return index;
}

void Planner::SetClassBits(Index drone) {
  for (auto& [selector, group] : classes_) {
    SetBit(group->bits, drone, drones_[drone].live && HasLabels(drones_[drone].spec.labels, selector));
  }
}

Planner::DroneClass* Planner::ClassOf(const Labels& selector) {
  std::unique_ptr<DroneClass>& group = classes_[selector];
  if (group == nullptr) {
    group = std::make_unique<DroneClass>();
    group->selector = selector;
    for (Index drone = 0; drone < drones_.size(); ++drone) {
      SetBit(group->bits, drone, drones_[drone].live && HasLabels(drones_[drone].spec.labels, selector));
    }
  }
  ++group->profiles;
  return group.get();
}

void Planner::LeaveClass(ProfileState& profile) {
  DroneClass* group = std::exchange(profile.group, nullptr);
  if (group != nullptr && --group->profiles == 0) classes_.erase(Labels(group->selector));
}

bool Planner::HasDrone(const DroneClass& group, Index drone) const { return BitOf(group.bits, drone); }

bool Planner::OutOfReach(Index profile, Index drone) const {
  auto it = out_of_reach_.find(profiles_[profile].spec.source);
  return it != out_of_reach_.end() && it->second.contains(drone);
}

void Planner::SetDrone(const PlannedDrone& drone) {
  auto it = drone_index_.find(drone.id);
  if (it == drone_index_.end()) {
    Index added = AddDrone(drone);
    joined_[drone.id] = added;
    return;
  }
  DroneState& state = drones_[it->second];
  if (state.spec == drone) return;
  capacity_ += std::max(1, drone.capacity) - std::max(1, state.spec.capacity);
  bounds_changed_ = true;
  if (state.spec.labels != drone.labels) joined_[drone.id] = it->second;
  state.spec = drone;
  SetClassBits(it->second);
  for (Index profile : state.held) dirty_[profiles_[profile].spec.id] = profile;
}

void Planner::RemoveDrone(absl::string_view drone_id) {
  auto it = drone_index_.find(drone_id);
  if (it == drone_index_.end()) return;
  const Index index = it->second;
  std::vector<Index> held = drones_[index].held;
  for (Index profile : held) {
    Release(profile, index);
    dirty_[profiles_[profile].spec.id] = profile;
  }
  capacity_ -= std::max(1, drones_[index].spec.capacity);
  bounds_changed_ = true;
  drones_[index].live = false;
  SetClassBits(index);
  for (auto& [source, drones] : out_of_reach_) drones.erase(index);
  absl::erase_if(out_of_reach_, [](const auto& entry) { return entry.second.empty(); });
  joined_.erase(std::string(drone_id));
  drone_index_.erase(it);
  drones_[index] = DroneState();
  SetBit(room_, index, false);
  free_drones_.push_back(index);
}

void Planner::SetProfile(const PlannedProfile& profile, const std::vector<std::string>& held) {
  auto it = profile_index_.find(profile.id);
  const bool known = it != profile_index_.end();
  Index index = 0;
  if (known) {
    index = it->second;
    if (profiles_[index].spec == profile) return;
    LeaveClass(profiles_[index]);
    wanted_ -= profiles_[index].spec.redundancy;
  } else if (free_profiles_.empty()) {
    index = static_cast<Index>(profiles_.size());
    profiles_.emplace_back();
    profile_hash_.push_back(0);
    floor_.push_back(kNoFloor);
  } else {
    index = free_profiles_.back();
    free_profiles_.pop_back();
  }
  ProfileState& state = profiles_[index];
  state.spec = profile;
  state.live = true;
  state.group = ClassOf(profile.selector);
  profile_hash_[index] = NameHash(profile.id);
  profile_index_[profile.id] = index;
  wanted_ += profile.redundancy;
  bounds_changed_ = true;
  dirty_[profile.id] = index;
  if (!known && !held.empty()) TakeUp(index, held);
}

// What was held is no change.
void Planner::TakeUp(Index profile, const std::vector<std::string>& held) {
  for (const std::string& drone_id : held) {
    auto drone = drone_index_.find(drone_id);
    if (drone != drone_index_.end()) Hold(profile, drone->second);
  }
  before_[profiles_[profile].spec.id] = held;
}

void Planner::RemoveProfile(absl::string_view profile_id) {
  auto it = profile_index_.find(profile_id);
  if (it == profile_index_.end()) return;
  const Index index = it->second;
  std::vector<Index> holders = profiles_[index].holders;
  for (Index drone : holders) Release(index, drone);
  LeaveClass(profiles_[index]);
  wanted_ -= profiles_[index].spec.redundancy;
  bounds_changed_ = true;
  profiles_[index] = ProfileState();
  floor_[index] = kNoFloor;
  dirty_.erase(std::string(profile_id));
  unsettled_.erase(std::string(profile_id));
  profile_index_.erase(it);
  free_profiles_.push_back(index);
}

void Planner::SetReach(absl::string_view drone_id, const std::string& source, bool reached) {
  auto it = drone_index_.find(drone_id);
  if (it == drone_index_.end() || source.empty()) return;
  absl::flat_hash_set<Index>& drones = out_of_reach_[source];
  bool changed = reached ? drones.erase(it->second) > 0 : drones.insert(it->second).second;
  if (drones.empty()) out_of_reach_.erase(source);
  if (!changed) return;
  for (Index profile : drones_[it->second].held) {
    if (profiles_[profile].spec.source == source) dirty_[profiles_[profile].spec.id] = profile;
  }
  if (!reached) return;
  for (const auto& [id, profile] : unsettled_) dirty_[id] = profile;
}

void Planner::NoteBefore(Index profile) {
  const std::string& id = profiles_[profile].spec.id;
  if (!before_.contains(id)) before_.emplace(id, NamesOf(profiles_[profile]));
}

void Planner::Hold(Index profile, Index drone) {
  std::vector<Index>& holders = profiles_[profile].holders;
  if (std::find(holders.begin(), holders.end(), drone) != holders.end()) return;
  NoteBefore(profile);
  auto heavier = [&](Index a, Index b) {
    uint64_t weight_a = Weight(profile, a), weight_b = Weight(profile, b);
    return weight_a != weight_b ? weight_a > weight_b : drones_[a].spec.id < drones_[b].spec.id;
  };
  holders.insert(std::upper_bound(holders.begin(), holders.end(), drone, heavier), drone);
  drones_[drone].held.push_back(profile);
  ++load_[drone];
  SetRoom(drone);
  SetFloor(profile);
}

void Planner::Release(Index profile, Index drone) {
  NoteBefore(profile);
  std::vector<Index>& holders = profiles_[profile].holders;
  holders.erase(std::find(holders.begin(), holders.end(), drone));
  std::vector<Index>& held = drones_[drone].held;
  held.erase(std::find(held.begin(), held.end(), profile));
  --load_[drone];
  loads_changed_ = true;
  SetRoom(drone);
  SetFloor(profile);
}

// A profile without a holder is placed before anybody joins, so nothing needs to outweigh it.
void Planner::SetFloor(Index profile) {
  const std::vector<Index>& holders = profiles_[profile].holders;
  floor_[profile] = holders.empty() ? kNoFloor : Weight(profile, holders.back());
}

int Planner::BoundOf(Index drone) const {
  const double share = static_cast<double>(wanted_) * std::max(1, drones_[drone].spec.capacity) /
                       static_cast<double>(std::max<int64_t>(1, capacity_));
  return std::max(1, static_cast<int>(std::ceil(options_.load_factor * share)));
}

void Planner::SetRoom(Index drone) { SetBit(room_, drone, load_[drone] < BoundOf(drone)); }

void Planner::ResetRoom() {
  loads_changed_ = true;
  room_.assign(drones_.size() / 64 + 1, 0);
  for (Index drone = 0; drone < drones_.size(); ++drone) {
    if (drones_[drone].live) SetRoom(drone);
  }
}

bool Planner::FindWithRoom(Index profile, bool any_reach, Index& found) {
  const ProfileState& state = profiles_[profile];
  auto out = out_of_reach_.find(state.spec.source);
  const bool some_out = !any_reach && out != out_of_reach_.end();
  const std::vector<uint64_t>& group = state.group->bits;
  const uint64_t hash = profile_hash_[profile];
  uint64_t best = 0;
  bool any = false;
  for (size_t word = 0; word < std::min(group.size(), room_.size()); ++word) {
    for (uint64_t bits = group[word] & room_[word]; bits != 0; bits &= bits - 1) {
      Index drone = static_cast<Index>(word * 64 + static_cast<size_t>(__builtin_ctzll(bits)));
      --pairs_left_;
      uint64_t weight = WeightOf(hash, drone_hash_[drone]);
      if (any && (weight < best || (weight == best && drones_[drone].spec.id > drones_[found].spec.id))) continue;
      if (some_out && out->second.contains(drone)) continue;
      if (std::find(state.holders.begin(), state.holders.end(), drone) != state.holders.end()) continue;
      any = true;
      best = weight;
      found = drone;
    }
  }
  return any;
}

bool Planner::FindLeastLoaded(Index profile, bool any_reach, Index& found) {
  const ProfileState& state = profiles_[profile];
  bool any = false;
  double least = 0;
  for (Index drone = 0; drone < drones_.size(); ++drone) {
    --pairs_left_;
    if (!HasDrone(*state.group, drone) || (!any_reach && OutOfReach(profile, drone))) continue;
    if (std::find(state.holders.begin(), state.holders.end(), drone) != state.holders.end()) continue;
    double load = static_cast<double>(load_[drone] + 1) / std::max(1, drones_[drone].spec.capacity);
    if (any && (load > least || (load == least && Weight(profile, drone) <= Weight(profile, found)))) continue;
    any = true;
    least = load;
    found = drone;
  }
  return any;
}

bool Planner::Find(Index profile, bool any_reach, Index& found) {
  return FindWithRoom(profile, any_reach, found) || FindLeastLoaded(profile, any_reach, found);
}

void Planner::Fill(Index profile) {
  const ProfileState& state = profiles_[profile];
  const size_t lacks = static_cast<size_t>(state.spec.redundancy) - state.holders.size();
  const std::vector<uint64_t>& group = state.group->bits;
  const absl::flat_hash_set<Index> holders(state.holders.begin(), state.holders.end());
  auto out = out_of_reach_.find(state.spec.source);
  const bool some_out = out != out_of_reach_.end();
  struct Candidate {
    uint64_t weight;
    Index drone;
  };
  std::vector<Candidate> candidates;
  for (size_t word = 0; word < std::min(group.size(), room_.size()); ++word) {
    for (uint64_t bits = group[word] & room_[word]; bits != 0; bits &= bits - 1) {
      Index drone = static_cast<Index>(word * 64 + static_cast<size_t>(__builtin_ctzll(bits)));
      --pairs_left_;
      if (holders.contains(drone) || (some_out && out->second.contains(drone))) continue;
      candidates.push_back({Weight(profile, drone), drone});
    }
  }
  auto heavier = [&](const Candidate& a, const Candidate& b) {
    return a.weight != b.weight ? a.weight > b.weight : drones_[a.drone].spec.id < drones_[b.drone].spec.id;
  };
  const size_t found = std::min(lacks, candidates.size());
  std::partial_sort(candidates.begin(), candidates.begin() + static_cast<ptrdiff_t>(found), candidates.end(), heavier);
  for (size_t i = 0; i < found; ++i) Hold(profile, candidates[i].drone);
}

bool Planner::Settled(const ProfileState& profile, Index index) const {
  if (static_cast<int>(profile.holders.size()) < profile.spec.redundancy) return false;
  return std::none_of(profile.holders.begin(), profile.holders.end(),
                      [&](Index drone) { return OutOfReach(index, drone); });
}

// Gives a profile the holders that it lacks, and takes it from those that should not hold it.
void Planner::Mend(Index profile) {
  ProfileState& state = profiles_[profile];
  std::vector<Index> holders = state.holders;
  for (Index drone : holders) {
    if (!HasDrone(*state.group, drone)) Release(profile, drone);
  }
  while (static_cast<int>(state.holders.size()) > state.spec.redundancy) Release(profile, state.holders.back());
  Index found = 0;
  // A holder that does not reach the source goes if another does.
  holders = state.holders;
  for (Index drone : holders) {
    if (!OutOfReach(profile, drone) || !Find(profile, /*any_reach=*/false, found)) continue;
    Release(profile, drone);
    Hold(profile, found);
  }
  if (static_cast<int>(state.holders.size()) + 1 < state.spec.redundancy) Fill(profile);
  while (static_cast<int>(state.holders.size()) < state.spec.redundancy &&
         (Find(profile, /*any_reach=*/false, found) || Find(profile, /*any_reach=*/true, found))) {
    Hold(profile, found);
  }
  if (Settled(state, profile)) {
    unsettled_.erase(state.spec.id);
  } else {
    unsettled_[state.spec.id] = profile;
  }
}

// Gives a new drone what it outweighs a holder for, the heaviest first, up to its bound.
void Planner::Join(Index drone) {
  struct Win {
    uint64_t weight;
    Index profile;
  };
  std::vector<Win> wins;
  const uint64_t hash = drone_hash_[drone];
  pairs_left_ -= static_cast<int64_t>(profiles_.size());
  for (Index profile = 0; profile < profiles_.size(); ++profile) {
    uint64_t weight = WeightOf(profile_hash_[profile], hash);
    if (weight > floor_[profile]) wins.push_back({weight, profile});
  }
  std::sort(wins.begin(), wins.end(), [](const Win& a, const Win& b) { return a.weight > b.weight; });
  for (const Win& win : wins) {
    if (load_[drone] >= BoundOf(drone)) return;
    const ProfileState& state = profiles_[win.profile];
    if (!HasDrone(*state.group, drone) || OutOfReach(win.profile, drone)) continue;
    if (std::find(state.holders.begin(), state.holders.end(), drone) != state.holders.end()) continue;
    Release(win.profile, state.holders.back());
    Hold(win.profile, drone);
  }
}

// Takes from a drone what is over its bound, the lightest first, as long as others have room. `full` are the classes
// found to have none: shedding makes no room below a bound, so they stay so.
void Planner::Shed(Index drone, absl::flat_hash_set<const DroneClass*>& full) {
  std::vector<Index> held = drones_[drone].held;
  std::sort(held.begin(), held.end(), [&](Index a, Index b) { return Weight(a, drone) < Weight(b, drone); });
  for (Index profile : held) {
    if (load_[drone] <= BoundOf(drone)) return;
    const DroneClass* group = profiles_[profile].group;
    Index found = 0;
    if (full.contains(group)) continue;
    if (!FindWithRoom(profile, /*any_reach=*/false, found)) {
      // With several holders, or a source out of reach, others of the class may still have room.
      bool plain = profiles_[profile].spec.redundancy == 1 && !out_of_reach_.contains(profiles_[profile].spec.source);
      if (plain) full.insert(group);
      continue;
    }
    Release(profile, drone);
    Hold(profile, found);
  }
}

void Planner::ShedAll() {
  loads_changed_ = false;
  absl::flat_hash_set<const DroneClass*> full;
  for (Index drone = 0; drone < drones_.size(); ++drone) {
    if (!drones_[drone].live || load_[drone] <= BoundOf(drone)) continue;
    if (pairs_left_ <= 0) {
      loads_changed_ = true;
      return;
    }
    Shed(drone, full);
  }
}

bool Planner::pending() const { return !dirty_.empty() || !joined_.empty() || bounds_changed_ || loads_changed_; }

std::vector<Placement> Planner::Step() {
  if (!pending()) return TakeChanges();
  pairs_left_ = options_.pairs_max;
  if (!joined_.empty()) dirty_.insert(unsettled_.begin(), unsettled_.end());
  if (std::exchange(bounds_changed_, false)) ResetRoom();
  while (!dirty_.empty() && pairs_left_ > 0) {
    Index profile = dirty_.begin()->second;
    dirty_.erase(dirty_.begin());
    Mend(profile);
  }
  while (dirty_.empty() && !joined_.empty() && pairs_left_ > 0) {
    Index drone = joined_.begin()->second;
    joined_.erase(joined_.begin());
    Join(drone);
  }
  if (dirty_.empty() && joined_.empty()) ShedAll();
  return TakeChanges();
}

std::vector<Placement> Planner::TakeChanges() {
  std::vector<Placement> changes;
  for (const auto& [id, before] : std::exchange(before_, {})) {
    std::vector<std::string> after = DronesOf(id);
    if (after != before) changes.push_back({id, std::move(after)});
  }
  return changes;
}

std::vector<std::string> Planner::NamesOf(const ProfileState& profile) const {
  std::vector<std::string> names;
  for (Index drone : profile.holders) names.push_back(drones_[drone].spec.id);
  return names;
}

std::vector<std::string> Planner::DronesOf(absl::string_view profile_id) const {
  auto it = profile_index_.find(profile_id);
  return it == profile_index_.end() ? std::vector<std::string>() : NamesOf(profiles_[it->second]);
}

std::vector<std::string> Planner::ProfilesOf(absl::string_view drone_id) const {
  std::vector<std::string> names;
  auto it = drone_index_.find(drone_id);
  if (it == drone_index_.end()) return names;
  for (Index profile : drones_[it->second].held) names.push_back(profiles_[profile].spec.id);
  std::sort(names.begin(), names.end());
  return names;
}

bool Planner::Holds(absl::string_view drone_id, absl::string_view profile_id) const {
  auto drone = drone_index_.find(drone_id);
  auto profile = profile_index_.find(profile_id);
  if (drone == drone_index_.end() || profile == profile_index_.end()) return false;
  const std::vector<Index>& holders = profiles_[profile->second].holders;
  return std::find(holders.begin(), holders.end(), drone->second) != holders.end();
}

bool Planner::Matches(absl::string_view profile_id, absl::string_view drone_id) const {
  auto drone = drone_index_.find(drone_id);
  auto profile = profile_index_.find(profile_id);
  if (drone == drone_index_.end() || profile == profile_index_.end()) return false;
  return HasDrone(*profiles_[profile->second].group, drone->second);
}

bool Planner::Reaches(absl::string_view drone_id, absl::string_view source) const {
  auto drone = drone_index_.find(drone_id);
  auto out = out_of_reach_.find(source);
  return drone == drone_index_.end() || out == out_of_reach_.end() || !out->second.contains(drone->second);
}

PlannerSnapshot Planner::Snapshot() const {
  PlannerSnapshot snapshot;
  for (const DroneState& drone : drones_) {
    if (drone.live) snapshot.drones.push_back(drone.spec);
  }
  for (const ProfileState& profile : profiles_) {
    if (!profile.live) continue;
    snapshot.profiles.push_back(profile.spec);
    if (!profile.holders.empty()) snapshot.held.push_back({profile.spec.id, NamesOf(profile)});
  }
  return snapshot;
}

}  // namespace chartly::coordinator
