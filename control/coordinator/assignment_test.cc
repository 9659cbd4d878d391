#include "control/coordinator/assignment.h"

#include <map>

#include "absl/strings/str_cat.h"
#include "test/support/test.h"

namespace chartly::coordinator {
namespace {

std::vector<DroneSlot> Drones(int count) {
  std::vector<DroneSlot> slots;
  for (int i = 0; i < count; ++i) slots.push_back({absl::StrCat("drone-", i), 1, 4});
  return slots;
}

}  // namespace

TEST_CASE("profiles spread evenly over drones") {
  std::map<std::string, int> counts;
  std::vector<DroneSlot> slots = Drones(10);
  for (int p = 0; p < 10'000; ++p) ++counts[PickDrone(absl::StrCat("profile-", p), slots)->drone_id];
  REQUIRE(counts.size() == 10);
  for (const auto& [drone, count] : counts) {
    CHECK(count > 850);
    CHECK(count < 1150);
  }
}

TEST_CASE("when a drone goes only its profiles move") {
  std::vector<DroneSlot> before = Drones(8);
  std::vector<DroneSlot> after = before;
  after.erase(after.begin() + 3);
  for (int p = 0; p < 2000; ++p) {
    std::string profile = absl::StrCat("profile-", p);
    std::string was = PickDrone(profile, before)->drone_id;
    if (was != "drone-3") CHECK(PickDrone(profile, after)->drone_id == was);
  }
}

TEST_CASE("a full drone is passed over, and none is chosen when all are full") {
  std::vector<DroneSlot> slots = Drones(3);
  std::string first = PickDrone("p", slots)->drone_id;
  for (DroneSlot& slot : slots) slot.free = slot.drone_id == first ? 0 : 1;
  CHECK(PickDrone("p", slots)->drone_id != first);
  CHECK(PickDrone("p", slots, /*ignore_capacity=*/true)->drone_id == first);
  for (DroneSlot& slot : slots) slot.free = 0;
  CHECK(PickDrone("p", slots) == nullptr);
  slots.clear();
  CHECK(PickDrone("p", slots) == nullptr);
}

TEST_CASE("weights are the same on every machine") {
  CHECK(RendezvousWeight("ab", "c") != RendezvousWeight("a", "bc"));
  CHECK(RendezvousWeight("", "") == RendezvousWeight("", ""));
}

}  // namespace chartly::coordinator
