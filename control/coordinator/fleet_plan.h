// The plan of the fleet as the coordinator keeps it: what the planner is told comes from drones, profiles and ends of
// runs, and what it decides is written with the next transaction. A coordinator that died takes up the plan that it had
// written.
//
// Not thread-safe: the coordinator guards it.
#ifndef CHARTLY_CONTROL_COORDINATOR_FLEET_PLAN_H_
#define CHARTLY_CONTROL_COORDINATOR_FLEET_PLAN_H_

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "chartly/v1/coordinator.pb.h"
#include "common/state/state_store.h"
#include "control/coordinator/drone_table.h"
#include "control/coordinator/planner.h"
#include "control/coordinator/profile_table.h"

namespace chartly::coordinator {

inline constexpr char kAssignmentPrefix[] = "assignment/";

class FleetPlan {
 public:
  // Reads who held what. `drones` are those that take work. Requires: called once, first.
  absl::Status Load(const StateStore& store, const std::vector<const DroneEntry*>& drones);

  // A drone takes work, or does not any more.
  void SetDrone(const v1::Drone& drone) { planner_->SetDrone(Planned(drone)); }
  void RemoveDrone(absl::string_view drone_id) { planner_->RemoveDrone(drone_id); }
  // A profile that is switched off or paused is held by nobody.
  void SetProfile(const ProfileEntry& profile);
  void RemoveProfile(absl::string_view profile_id);
  // All profiles were told. Until then what was held stays, so that a restart moves nothing.
  void Begin();
  // What the end of a run says of whether its drone reaches the source. `now` is of a clock that does not jump, here
  // and below.
  void TakeOutcome(const ProfileEntry& profile, const v1::Run& run, absl::Time now);

  // Brings the plan up to date.
  void Step(absl::Time now);
  // Adds what changed since the last Written.
  void AddTo(StateTransaction& transaction) const;
  void Written() { unwritten_.clear(); }
  // Profiles that others came to hold since the last call.
  std::set<std::string> TakeChanged() { return std::exchange(changed_, {}); }

  const Planner& planner() const { return *planner_; }
  // The epoch of who holds a profile; it grows with each change. 0: nobody ever did.
  int64_t EpochOf(absl::string_view profile_id) const;

 private:
  static PlannedDrone Planned(const v1::Drone& drone);
  void Record(const Placement& placement);
  void ForgetReach(absl::Time now);

  struct Held {
    std::vector<std::string> drones;
    int64_t epoch = 0;
  };
  struct OutOfReach {
    std::string drone_id;
    std::string source;
    absl::Time until;
  };
  std::unique_ptr<Planner> planner_ = std::make_unique<Planner>();
  std::map<std::string, Held, std::less<>> held_;  // as it is written, or will be
  std::set<std::string> unwritten_;
  std::set<std::string> changed_;
  std::vector<OutOfReach> out_of_reach_;
  bool begun_ = true;
};

}  // namespace chartly::coordinator

#endif  // CHARTLY_CONTROL_COORDINATOR_FLEET_PLAN_H_
