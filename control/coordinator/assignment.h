// Which drone does a profile: rendezvous hashing, so that each profile stays with its drone and only the profiles of a
// drone that went move. Pure functions, the same on every machine.
#ifndef CHARTLY_CONTROL_COORDINATOR_ASSIGNMENT_H_
#define CHARTLY_CONTROL_COORDINATOR_ASSIGNMENT_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace chartly::coordinator {

// A drone that takes work.
struct DroneSlot {
  std::string drone_id;
  int64_t epoch = 0;
  int free = 0;  // runs it can take now
};

// The weight of a drone for a profile; the highest wins.
uint64_t RendezvousWeight(absl::string_view profile_id, absl::string_view drone_id);

// The slot with the highest weight among those with free > 0, or among all if `ignore_capacity`; nullptr if none. The
// answer lies in `slots`, which therefore must not be a temporary.
const DroneSlot* PickDrone(absl::string_view profile_id, const std::vector<DroneSlot>& slots,
                           bool ignore_capacity = false);
const DroneSlot* PickDrone(absl::string_view profile_id, std::vector<DroneSlot>&& slots,
                           bool ignore_capacity = false) = delete;

}  // namespace chartly::coordinator

#endif  // CHARTLY_CONTROL_COORDINATOR_ASSIGNMENT_H_
