#include "control/coordinator/assignment.h"

namespace chartly::coordinator {

uint64_t NameHash(absl::string_view name) {
  // FNV-1a, and a mixer: FNV alone leaves the high bits poor.
  uint64_t hash = 0xcbf29ce484222325;
  for (char c : name) hash = (hash ^ static_cast<uint8_t>(c)) * 0x100000001b3;
  hash = (hash ^ (hash >> 33)) * 0xff51afd7ed558ccd;
  hash = (hash ^ (hash >> 33)) * 0xc4ceb9fe1a85ec53;
  return hash ^ (hash >> 33);
}

uint64_t RendezvousWeight(absl::string_view profile_id, absl::string_view drone_id) {
  return WeightOf(NameHash(profile_id), NameHash(drone_id));
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
