// Which drones hold a profile: rendezvous hashing with bounded load over the drones that match its selector and reach
// its source.
//
// The plan follows from what the planner was told and from what was held before, and from nothing else: no clock, no
// store, no chance. It is kept up to date by steps that look only at what changed. What holds after a step:
// - a profile has as many drones as it asks for, each of which matches, or all that match if these are fewer;
// - a drone holds at most its share (by capacity) times Options::load_factor, rounded up, unless no other drone that
//   matches has room;
// - a drone that does not reach a source holds a profile of it only if no drone that matches reaches it;
// - what is held stays where it is. A drone that leaves gives up only what it held; one that joins takes only what it
//   outweighs a holder for.
//
// Not thread-safe.
#ifndef CHARTLY_CONTROL_COORDINATOR_PLANNER_H_
#define CHARTLY_CONTROL_COORDINATOR_PLANNER_H_

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/strings/string_view.h"

namespace chartly::coordinator {

using Labels = std::map<std::string, std::string>;

// A drone that takes work.
struct PlannedDrone {
  std::string id;
  Labels labels;
  int capacity = 1;  // weighs its share
  bool operator==(const PlannedDrone&) const = default;
};

struct PlannedProfile {
  std::string id;
  Labels selector;  // labels that a drone must have; empty: any drone
  int redundancy = 1;
  std::string source;  // what a drone must reach, such as a host; empty: nothing
  bool operator==(const PlannedProfile&) const = default;
};

// Who holds a profile, the highest weight first. Empty: nobody.
struct Placement {
  std::string profile_id;
  std::vector<std::string> drones;
  bool operator==(const Placement&) const = default;
};

struct PlannerSnapshot {
  std::vector<PlannedDrone> drones;
  std::vector<PlannedProfile> profiles;
  std::vector<Placement> held;
};

struct PlannerOptions {
  double load_factor = 1.25;
  // Pairs of profile and drone that one step weighs; what is left is for the next. Bounds the time of a step.
  int64_t pairs_max = 12'000'000;
};

class Planner {
 public:
  explicit Planner(const PlannerOptions& options = {}) : options_(options) {}
  // Takes up where another left off: the drones are not new, and what was held is held.
  Planner(const PlannerOptions& options, const PlannerSnapshot& snapshot);

  // Each takes in one change; the next step acts on it. An unknown drone joins, a known one is changed.
  void SetDrone(const PlannedDrone& drone);
  void RemoveDrone(absl::string_view drone_id);
  // `held` is who held a profile that is new here, as another planner had it.
  void SetProfile(const PlannedProfile& profile, const std::vector<std::string>& held = {});
  void RemoveProfile(absl::string_view profile_id);
  // What was found out about a drone; unless told otherwise it reaches everything. Forgotten when the drone leaves.
  void SetReach(absl::string_view drone_id, const std::string& source, bool reached);

  // Whether a step may change something.
  bool pending() const;
  // Brings the plan up to date and returns what changed, by profile id. Call again while pending().
  std::vector<Placement> Step();

  std::vector<std::string> DronesOf(absl::string_view profile_id) const;
  std::vector<std::string> ProfilesOf(absl::string_view drone_id) const;
  bool Holds(absl::string_view drone_id, absl::string_view profile_id) const;
  // Whether the drone has the labels that the profile asks for.
  bool Matches(absl::string_view profile_id, absl::string_view drone_id) const;
  bool Reaches(absl::string_view drone_id, absl::string_view source) const;
  PlannerSnapshot Snapshot() const;
  size_t drones() const { return drone_index_.size(); }

 private:
  using Index = uint32_t;
  // Drones of one selector, a bit each. Profiles of the same selector share it.
  struct DroneClass {
    Labels selector;
    std::vector<uint64_t> bits;
    int profiles = 0;
  };
  struct DroneState {
    PlannedDrone spec;
    bool live = false;
    std::vector<Index> held;
  };
  struct ProfileState {
    PlannedProfile spec;
    bool live = false;
    DroneClass* group = nullptr;
    std::vector<Index> holders;  // highest weight first
  };

  Index AddDrone(const PlannedDrone& drone);
  void TakeUp(Index profile, const std::vector<std::string>& held);
  void SetClassBits(Index drone);
  DroneClass* ClassOf(const Labels& selector);
  void LeaveClass(ProfileState& profile);
  uint64_t Weight(Index profile, Index drone) const { return WeightOfPair(profile_hash_[profile], drone_hash_[drone]); }
  static uint64_t WeightOfPair(uint64_t profile_hash, uint64_t drone_hash);
  bool HasDrone(const DroneClass& group, Index drone) const;
  bool OutOfReach(Index profile, Index drone) const;
  // Remembers who held it before this step.
  void NoteBefore(Index profile);
  void Hold(Index profile, Index drone);
  void Release(Index profile, Index drone);
  void SetFloor(Index profile);
  int BoundOf(Index drone) const;
  void SetRoom(Index drone);
  void ResetRoom();

  // The steps of a step.
  void Mend(Index profile);
  void Join(Index drone);
  void Shed(Index drone, absl::flat_hash_set<const DroneClass*>& full);
  void ShedAll();
  // Drones that `profile` may go to: the heaviest with room, else the one with the least load for its capacity. No
  // holder of it. Says false if there is none.
  bool FindWithRoom(Index profile, bool any_reach, Index& found);
  bool FindLeastLoaded(Index profile, bool any_reach, Index& found);
  bool Find(Index profile, bool any_reach, Index& found);
  // Gives a profile that lacks several holders the heaviest with room, all in one look through the drones: what Find
  // would give one by one.
  void Fill(Index profile);
  bool Settled(const ProfileState& profile, Index index) const;
  std::vector<Placement> TakeChanges();
  std::vector<std::string> NamesOf(const ProfileState& profile) const;

  const PlannerOptions options_;
  // Slots of drones and profiles are used again; what the loops read lies in columns.
  std::vector<DroneState> drones_;
  std::vector<uint64_t> drone_hash_;
  std::vector<int> load_;
  std::vector<uint64_t> room_;  // a bit for each drone that holds less than its bound
  std::vector<Index> free_drones_;
  absl::flat_hash_map<std::string, Index> drone_index_;
  std::vector<ProfileState> profiles_;
  std::vector<uint64_t> profile_hash_;
  std::vector<uint64_t> floor_;  // the lowest weight of a holder
  std::vector<Index> free_profiles_;
  absl::flat_hash_map<std::string, Index> profile_index_;
  std::map<Labels, std::unique_ptr<DroneClass>> classes_;
  absl::flat_hash_map<std::string, absl::flat_hash_set<Index>> out_of_reach_;  // by source
  int64_t capacity_ = 0;                                                       // of all drones
  int64_t wanted_ = 0;                                                         // holders, of all profiles

  // What changed since the last step, in order of name.
  std::map<std::string, Index> dirty_;
  std::map<std::string, Index> joined_;
  std::map<std::string, Index> unsettled_;  // profiles that a further drone may help
  bool bounds_changed_ = false;             // capacity_ or wanted_
  bool loads_changed_ = false;              // somebody may be over the bound
  int64_t pairs_left_ = 0;
  std::map<std::string, std::vector<std::string>> before_;  // of profiles that this step touched
};

}  // namespace chartly::coordinator

#endif  // CHARTLY_CONTROL_COORDINATOR_PLANNER_H_
