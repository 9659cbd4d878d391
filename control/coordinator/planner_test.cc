#include "control/coordinator/planner.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "test/support/test.h"

namespace chartly::coordinator {
namespace {

PlannedDrone DroneOf(int number, int capacity = 4) {
  PlannedDrone drone;
  drone.id = absl::StrCat("drone-", number);
  drone.labels = {{"zone", absl::StrCat("z", number % 3)}, {"kind", number % 2 == 0 ? "small" : "large"}};
  drone.capacity = capacity;
  return drone;
}

PlannedProfile ProfileNumber(int number) {
  PlannedProfile profile;
  profile.id = absl::StrCat("profile-", number);
  profile.source = absl::StrCat("host-", number % 7);
  return profile;
}

void Settle(Planner& planner) {
  for (int i = 0; planner.pending(); ++i) {
    REQUIRE(i < 1000);
    planner.Step();
  }
}

Planner Fleet(int drones, int profiles) {
  Planner planner;
  for (int i = 0; i < drones; ++i) planner.SetDrone(DroneOf(i));
  for (int i = 0; i < profiles; ++i) planner.SetProfile(ProfileNumber(i));
  Settle(planner);
  return planner;
}

std::map<std::string, std::vector<std::string>> HeldBy(const Planner& planner) {
  std::map<std::string, std::vector<std::string>> held;
  for (const Placement& placement : planner.Snapshot().held) held[placement.profile_id] = placement.drones;
  return held;
}

bool HasAll(const Labels& labels, const Labels& selector) {
  return std::includes(labels.begin(), labels.end(), selector.begin(), selector.end());
}

// What must hold of any settled plan, reckoned from its snapshot alone.
void CheckPlan(const Planner& planner, double load_factor = 1.25) {
  PlannerSnapshot snapshot = planner.Snapshot();
  std::map<std::string, PlannedDrone> drones;
  std::map<std::string, int> load;
  int64_t capacity = 0, wanted = 0;
  for (const PlannedDrone& drone : snapshot.drones) {
    drones[drone.id] = drone;
    capacity += drone.capacity;
  }
  std::map<std::string, std::vector<std::string>> held = HeldBy(planner);
  for (const PlannedProfile& profile : snapshot.profiles) wanted += profile.redundancy;
  for (const auto& [profile, holders] : held) {
    for (const std::string& holder : holders) ++load[holder];
  }
  auto bound = [&](const PlannedDrone& drone) {
    double share = static_cast<double>(wanted) * drone.capacity / static_cast<double>(capacity);
    return std::max(1, static_cast<int>(std::ceil(load_factor * share)));
  };
  for (const PlannedProfile& profile : snapshot.profiles) {
    INFO(profile.id);
    const std::vector<std::string>& holders = held[profile.id];
    int matching = 0, with_room = 0, reaching = 0;
    for (const auto& [id, drone] : drones) {
      if (!HasAll(drone.labels, profile.selector)) continue;
      ++matching;
      const bool holds = std::count(holders.begin(), holders.end(), id) > 0;
      const bool reaches = planner.Reaches(id, profile.source);
      if (!holds && reaches) ++reaching;
      if (!holds && reaches && load[id] < bound(drone)) ++with_room;
    }
    CHECK(static_cast<int>(holders.size()) == std::min(matching, profile.redundancy));
    for (const std::string& holder : holders) {
      REQUIRE(std::count(holders.begin(), holders.end(), holder) == 1);
      REQUIRE(drones.count(holder) == 1);
      CHECK(HasAll(drones[holder].labels, profile.selector));
      if (!planner.Reaches(holder, profile.source)) CHECK(reaching == 0);
      if (load[holder] > bound(drones[holder])) CHECK(with_room == 0);
    }
  }
}

int Moved(const std::map<std::string, std::vector<std::string>>& before,
          const std::map<std::string, std::vector<std::string>>& after) {
  int moved = 0;
  for (const auto& [profile, holders] : after) {
    auto it = before.find(profile);
    for (const std::string& holder : holders) {
      moved += it == before.end() || std::count(it->second.begin(), it->second.end(), holder) == 0 ? 1 : 0;
    }
  }
  return moved;
}

}  // namespace

TEST_CASE("work spreads over drones by their capacity, none over its bound") {
  Planner planner;
  for (int i = 0; i < 20; ++i) planner.SetDrone(DroneOf(i, i < 10 ? 2 : 6));
  for (int i = 0; i < 2000; ++i) planner.SetProfile(ProfileNumber(i));
  Settle(planner);
  CheckPlan(planner);
  for (int i = 0; i < 20; ++i) {
    INFO(i);
    size_t held = planner.ProfilesOf(absl::StrCat("drone-", i)).size();
    CHECK(held <= static_cast<size_t>(i < 10 ? 63 : 188));
    CHECK(held >= static_cast<size_t>(i < 10 ? 30 : 90));
  }
}

TEST_CASE("a drone that leaves gives up only what it held, and takes it back on its return") {
  Planner planner = Fleet(10, 1000);
  auto before = HeldBy(planner);
  size_t held = planner.ProfilesOf("drone-3").size();
  planner.RemoveDrone("drone-3");
  std::vector<Placement> changes = planner.Step();
  CHECK_FALSE(planner.pending());
  CHECK(changes.size() == held);
  for (const Placement& change : changes) CHECK(before[change.profile_id] == std::vector<std::string>{"drone-3"});
  CheckPlan(planner);
  planner.SetDrone(DroneOf(3));
  Settle(planner);
  CheckPlan(planner);
  CHECK(Moved(before, HeldBy(planner)) <= 20);
}

TEST_CASE("a drone that joins takes its share and little else moves") {
  Planner planner = Fleet(10, 1100);
  auto before = HeldBy(planner);
  planner.SetDrone(DroneOf(10));
  Settle(planner);
  CheckPlan(planner);
  size_t share = planner.ProfilesOf("drone-10").size();
  CHECK(share >= 70);
  CHECK(share <= 125);
  CHECK(Moved(before, HeldBy(planner)) <= static_cast<int>(share) + 40);
}

TEST_CASE("a profile goes only to drones with its labels, to as many as it asks for") {
  Planner planner = Fleet(9, 50);
  PlannedProfile profile = ProfileNumber(7);
  profile.selector = {{"zone", "z1"}};
  profile.redundancy = 2;
  planner.SetProfile(profile);
  Settle(planner);
  CheckPlan(planner);
  CHECK(planner.DronesOf("profile-7").size() == 2);
  for (const std::string& drone : planner.DronesOf("profile-7")) CHECK(planner.Matches("profile-7", drone));
  profile.redundancy = 5;
  planner.SetProfile(profile);
  Settle(planner);
  CHECK(planner.DronesOf("profile-7").size() == 3);
  planner.SetDrone(DroneOf(10));  // of the same zone
  Settle(planner);
  CHECK(planner.DronesOf("profile-7").size() == 4);
  profile.selector = {{"zone", "nowhere"}};
  planner.SetProfile(profile);
  Settle(planner);
  CHECK(planner.DronesOf("profile-7").empty());
}

TEST_CASE("many holders that are found in one look are those that would be found one by one") {
  Planner at_once = Fleet(60, 0);
  Planner one_by_one = Fleet(60, 0);
  for (Planner* planner : {&at_once, &one_by_one}) {
    for (int i = 0; i < 60; i += 9) planner->SetReach(absl::StrCat("drone-", i), "host-3", false);
  }
  PlannedProfile profile = ProfileNumber(3);
  for (profile.redundancy = 1; profile.redundancy <= 40; ++profile.redundancy) {
    one_by_one.SetProfile(profile);
    Settle(one_by_one);
  }
  profile.redundancy = 40;
  at_once.SetProfile(profile);
  Settle(at_once);
  CheckPlan(at_once);
  CHECK(at_once.DronesOf("profile-3").size() == 40);
  CHECK(at_once.DronesOf("profile-3") == one_by_one.DronesOf("profile-3"));
}

TEST_CASE("a drone that does not reach a source holds it only if no other does") {
  Planner planner = Fleet(3, 30);
  for (int i = 0; i < 3; ++i) {
    std::string drone = absl::StrCat("drone-", i);
    planner.SetReach(drone, "host-2", false);
    Settle(planner);
    CheckPlan(planner);
  }
  CHECK(planner.DronesOf("profile-2").size() == 1);
  planner.SetReach("drone-1", "host-2", true);
  Settle(planner);
  CHECK(planner.DronesOf("profile-2") == std::vector<std::string>{"drone-1"});
  CheckPlan(planner);
}

TEST_CASE("any order of changes keeps the plan right, and a planner that takes it up changes nothing") {
  const unsigned seed = GENERATE(range(1u, 13u));
  std::mt19937 random(seed);
  auto roll = [&](int sides) { return static_cast<int>(random() % static_cast<unsigned>(sides)); };
  Planner planner;
  for (int round = 0; round < 120; ++round) {
    for (int i = roll(5); i >= 0; --i) {
      const int drone = roll(25), number = roll(80);
      const std::string drone_id = absl::StrCat("drone-", drone);
      PlannedProfile profile = ProfileNumber(number);
      switch (roll(6)) {
        case 0:
          planner.SetDrone(DroneOf(drone, 1 + roll(6)));
          break;
        case 1:
          planner.RemoveDrone(drone_id);
          break;
        case 2:
        case 3:
          if (roll(3) == 0) profile.selector = {{"zone", absl::StrCat("z", roll(4))}};
          profile.redundancy = 1 + (roll(4) == 0 ? roll(3) : 0);
          planner.SetProfile(profile);
          break;
        case 4:
          planner.RemoveProfile(profile.id);
          break;
        default:
          planner.SetReach(drone_id, profile.source, roll(2) == 0);
      }
    }
    Settle(planner);
    INFO("seed " << seed << " round " << round);
    CheckPlan(planner);
  }
  PlannerSnapshot snapshot = planner.Snapshot();
  Planner second({}, snapshot);
  for (const PlannedDrone& drone : snapshot.drones) {
    for (int host = 0; host < 7; ++host) {
      std::string source = absl::StrCat("host-", host);
      second.SetReach(drone.id, source, planner.Reaches(drone.id, source));
    }
  }
  Settle(second);
  CHECK(HeldBy(second) == HeldBy(planner));
}

TEST_CASE("steps of bounded work come to a right plan") {
  PlannerOptions options;
  options.pairs_max = 500;
  Planner planner(options);
  for (int i = 0; i < 40; ++i) planner.SetDrone(DroneOf(i));
  for (int i = 0; i < 300; ++i) planner.SetProfile(ProfileNumber(i));
  int steps = 0;
  while (planner.pending()) {
    planner.Step();
    ++steps;
    REQUIRE(steps < 5000);
  }
  CHECK(steps > 20);
  CheckPlan(planner);
}

TEST_CASE("the same changes give the same plan") { CHECK(HeldBy(Fleet(30, 500)) == HeldBy(Fleet(30, 500))); }

}  // namespace chartly::coordinator
