// Weights of rendezvous hashing: of all drones that may take a profile, the one of the highest weight does, so that
// each profile stays with its drone and only the profiles of a drone that went move. Pure functions, the same on every
// machine.
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

// What a name adds to a weight. Reckoned once a name, so that a weight is a few instructions.
uint64_t NameHash(absl::string_view name);

// The weight of a pair, by what their names add.
inline uint64_t WeightOf(uint64_t profile_hash, uint64_t drone_hash) {
  uint64_t hash = profile_hash ^ (drone_hash << 32 | drone_hash >> 32);
  hash = (hash ^ (hash >> 30)) * 0xbf58476d1ce4e5b9;
  hash = (hash ^ (hash >> 27)) * 0x94d049bb133111eb;
  return hash ^ (hash >> 31);
}

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
