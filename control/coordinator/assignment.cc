#include "control/coordinator/assignment.h"

namespace chartly::coordinator {

uint64_t RendezvousWeight(absl::string_view profile_id, absl::string_view drone_id) {
  // FNV-1a over both names with a byte between that no name has, then a mixer: FNV alone leaves the high bits poor.
  uint64_t hash = 0xcbf29ce484222325;
  auto add = [&hash](absl::string_view text) {
    for (char c : text) hash = (hash ^ static_cast<uint8_t>(c)) * 0x100000001b3;
    hash = (hash ^ 0xff) * 0x100000001b3;
  };
  add(profile_id);
  add(drone_id);
  hash = (hash ^ (hash >> 30)) * 0xbf58476d1ce4e5b9;
  hash = (hash ^ (hash >> 27)) * 0x94d049bb133111eb;
  return hash ^ (hash >> 31);
}

const DroneSlot* PickDrone(absl::string_view profile_id, const std::vector<DroneSlot>& slots, bool ignore_capacity) {
  const DroneSlot* best = nullptr;
  uint64_t best_weight = 0;
  for (const DroneSlot& slot : slots) {
    if (slot.free <= 0 && !ignore_capacity) continue;
    uint64_t weight = RendezvousWeight(profile_id, slot.drone_id);
    bool better = best == nullptr || weight > best_weight || (weight == best_weight && slot.drone_id < best->drone_id);
    if (!better) continue;
    best = &slot;
    best_weight = weight;
  }
  return best;
}

}  // namespace chartly::coordinator
