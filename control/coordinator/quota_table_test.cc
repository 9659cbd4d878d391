// The table with as many drones as a fleet has, each a model that keeps to its turns and nothing else: what the source
// sees is checked, whatever is lost or late on the way.
#include "control/coordinator/quota_table.h"

#include <algorithm>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/clock/clock.h"
#include "common/status/status.h"
#include "test/support/test.h"

namespace chartly::coordinator {
namespace {

using testing::TempDir;

constexpr char kQuota[] = "source:80";

v1::QuotaReport Wants(int waiting, int64_t requests = 10, absl::Duration period = absl::Seconds(1)) {
  v1::QuotaReport report;
  v1::QuotaNeed& need = *report.add_needs();
  need.set_quota(kQuota);
  need.set_requests(requests);
  need.set_period_us(absl::ToInt64Microseconds(period));
  need.set_waiting(waiting);
  return report;
}

struct World {
  explicit World(absl::Duration heartbeat = absl::Seconds(1)) : options{heartbeat} {
    store = OpenEmbeddedStateStore(dir.File("state"), clock).value();
    Open();
  }
  // As after a kill.
  void Open() {
    table = std::make_unique<QuotaTable>(options, *store);
    REQUIRE_OK(table->Load(clock.Now()));
  }
  v1::QuotaGrant Ask(const std::string& drone, const v1::QuotaReport& report) {
    v1::QuotaAnswer answer;
    REQUIRE_OK(table->Answer(drone, report, clock.Now(), answer));
    REQUIRE(answer.grants_size() == 1);
    return answer.grants(0);
  }
  v1::SourceQuota Shown() { return table->List("", 1, clock.Now()).at(0); }

  TempDir dir;
  FakeClock clock;
  QuotaTableOptions options;
  std::unique_ptr<StateStore> store;
  std::unique_ptr<QuotaTable> table;
};

size_t MostIn(const std::vector<absl::Time>& uses, absl::Duration period) {
  size_t most = 0;
  for (size_t first = 0, last = 0; last < uses.size(); ++last) {
    while (uses[last] - uses[first] >= period) ++first;
    most = std::max(most, last - first + 1);
  }
  return most;
}

// Drones that each want to ask the source again as soon as they may. They beat once a second, at moments of their own,
// and at once when they begin to wait.
class Fleet {
 public:
  Fleet(World& world, int drones, unsigned seed) : world_(world), random_(seed) {
    for (int i = 0; i < drones; ++i) {
      drones_.push_back({absl::StrCat("d", i), world.clock.Now() + absl::Milliseconds(Roll(1000))});
    }
  }

  // Moves time on by steps of a millisecond. With faults, answers are lost, drones die with their turns, and the
  // coordinator is killed.
  void Run(absl::Duration length, bool faults = false) {
    const absl::Time end = world_.clock.Now() + length;
    while (world_.clock.Now() < end) {
      world_.clock.Advance(absl::Milliseconds(1));
      if (faults && Roll(15'000) == 0) world_.Open();
      for (Drone& drone : drones_) Move(drone, faults);
    }
  }

  const std::vector<absl::Time>& asked() const { return asked_; }
  int LeastOfADrone() const {
    int least = drones_[0].asked;
    for (const Drone& drone : drones_) least = std::min(least, drone.asked);
    return least;
  }

 private:
  struct Drone {
    std::string id;
    absl::Time next_beat;
    bool waiting = false;
    std::map<int64_t, int64_t> turns = {};
    int asked = 0;
    absl::Time gone_until = absl::InfinitePast();
  };
  int Roll(int below) { return static_cast<int>(random_() % static_cast<unsigned>(below)); }

  void Move(Drone& drone, bool faults) {
    const absl::Time now = world_.clock.Now();
    if (faults && Roll(100'000) == 0) drone.gone_until = now + absl::Seconds(Roll(20));
    if (now < drone.gone_until) {
      drone.turns.clear();
      return;
    }
    const int64_t now_us = absl::ToUnixMicros(now);
    while (!drone.turns.empty() && drone.turns.begin()->second < now_us) drone.turns.erase(drone.turns.begin());
    if (!drone.turns.empty() && drone.turns.begin()->first <= now_us) {
      drone.turns.erase(drone.turns.begin());
      asked_.push_back(now);
      ++drone.asked;
      drone.waiting = false;
    }
    if (drone.waiting && now < drone.next_beat) return;
    drone.waiting = true;
    if (now >= drone.next_beat) drone.next_beat += absl::Seconds(1);
    const bool lost = faults && Roll(20) == 0;
    v1::QuotaGrant grant = world_.Ask(drone.id, Wants(drone.turns.empty() ? 1 : 0));
    for (const v1::QuotaTurn& turn : grant.turns()) {
      if (!lost) drone.turns[turn.begin_us()] = turn.end_us();
    }
  }

  World& world_;
  std::mt19937 random_;
  std::vector<Drone> drones_;
  std::vector<absl::Time> asked_;
};

TEST_CASE("200 drones never ask a source more than 10 times a second, and use more than 90 percent of it") {
  World world;
  Fleet fleet(world, 200, 7);
  fleet.Run(absl::Seconds(10));
  const size_t before = fleet.asked().size();
  fleet.Run(absl::Seconds(120));
  CHECK(MostIn(fleet.asked(), absl::Seconds(1)) <= 10);
  const size_t used = fleet.asked().size() - before;
  INFO("used " << used << " of 1200");
  CHECK(used > 1200 * 90 / 100);
  // In 130 s there are more than 1170 turns, about six for each drone: nobody is left out.
  CHECK(fleet.LeastOfADrone() >= 3);
}

TEST_CASE("a single drone uses the whole quota, too") {
  World world;
  Fleet fleet(world, 1, 3);
  fleet.Run(absl::Seconds(60));
  CHECK(MostIn(fleet.asked(), absl::Seconds(1)) <= 10);
  CHECK(fleet.asked().size() > 600 * 90 / 100);
}

TEST_CASE("the limit holds while answers are lost, drones die and the coordinator is killed") {
  World world;
  Fleet fleet(world, 50, static_cast<unsigned>(GENERATE(range(1, 6))));
  fleet.Run(absl::Seconds(120), /*faults=*/true);
  CHECK(MostIn(fleet.asked(), absl::Seconds(1)) <= 10);
  CHECK(fleet.asked().size() > 300);
}

TEST_CASE("after a restart all turns that may have been given count as used") {
  World world;
  v1::QuotaGrant first = world.Ask("d1", Wants(20));
  REQUIRE(first.turns_size() > 0);
  const int64_t last_us = first.turns(first.turns_size() - 1).end_us();
  world.Open();
  v1::QuotaGrant second = world.Ask("d2", Wants(1));
  for (int i = 0; i < 100 && second.turns_size() == 0; ++i) {
    world.clock.Advance(absl::Milliseconds(100));
    second = world.Ask("d2", Wants(1));
  }
  REQUIRE(second.turns_size() == 1);
  CHECK(second.turns(0).begin_us() >= last_us + 1'000'000);
}

TEST_CASE("a turn that is given back goes to another, and only its owner can give it back") {
  World world;
  v1::QuotaGrant given = world.Ask("d1", Wants(3));
  REQUIRE(given.turns_size() == 3);
  const int64_t last = given.turns(2).begin_us();
  v1::QuotaReport stranger = Wants(0);
  stranger.mutable_needs(0)->add_returned_us(last);
  world.Ask("d2", stranger);
  CHECK(world.Ask("d3", Wants(1)).turns(0).begin_us() > last);
  v1::QuotaReport owner = Wants(0);
  owner.mutable_needs(0)->add_returned_us(last);
  world.Ask("d1", owner);
  CHECK(world.Ask("d2", Wants(1)).turns(0).begin_us() == last);
  // Told again because the answer was lost: the turn is another's by now.
  world.Ask("d1", owner);
  CHECK(world.Ask("d3", Wants(1)).turns(0).begin_us() > last);
}

TEST_CASE("one drone that is asked to slow down stops all, and what is given out grows again") {
  World world;
  REQUIRE(world.Ask("d1", Wants(1)).turns_size() == 1);
  v1::QuotaReport throttled = Wants(1);
  throttled.mutable_needs(0)->set_throttled(1);
  throttled.mutable_needs(0)->set_retry_after_us(absl::ToInt64Microseconds(absl::Seconds(30)));
  const int64_t until_us = absl::ToUnixMicros(world.clock.Now() + absl::Seconds(30));
  CHECK(world.Ask("d1", throttled).paused_until_us() == until_us);
  v1::QuotaGrant other = world.Ask("d2", Wants(1));
  CHECK(other.turns_size() == 0);
  CHECK(other.paused_until_us() == until_us);
  // The same excess, heard by another drone, halves nothing again.
  throttled.mutable_needs(0)->set_retry_after_us(0);
  world.Ask("d2", throttled);
  CHECK(world.Shown().share_percent() == 50);
  CHECK(world.Shown().throttled() == 2);
  world.Open();  // a restart forgets neither
  CHECK(world.Ask("d2", Wants(1)).paused_until_us() == until_us);
  CHECK(world.Shown().share_percent() == 50);
  world.clock.Advance(absl::Seconds(30));
  for (int i = 0; i < 80; ++i) {
    world.clock.Advance(absl::Seconds(1));
    world.Ask("d2", Wants(1));
  }
  CHECK(world.Shown().share_percent() == 100);
  CHECK_FALSE(world.Shown().has_paused_until());
}

TEST_CASE("of several limits for one source the strictest holds while it is asked for") {
  World world;
  world.Ask("d1", Wants(1, 10, absl::Seconds(1)));
  world.Ask("d2", Wants(1, 5, absl::Minutes(1)));
  CHECK(world.Shown().requests() == 5);
  world.Ask("d1", Wants(1, 10, absl::Seconds(1)));
  CHECK(world.Shown().period_ms() == 60'000);
  world.clock.Advance(absl::Seconds(61));
  world.Ask("d1", Wants(1, 10, absl::Seconds(1)));
  CHECK(world.Shown().requests() == 10);
}

TEST_CASE("what is no quota gets nothing, and what nobody asks for is forgotten") {
  World world;
  v1::QuotaAnswer answer;
  REQUIRE_OK(world.table->Answer("d1", Wants(1, 0), world.clock.Now(), answer));
  REQUIRE_OK(world.table->Answer("d1", Wants(1, 1001), world.clock.Now(), answer));
  REQUIRE_OK(world.table->Answer("d1", Wants(1, 1, absl::Hours(2)), world.clock.Now(), answer));
  CHECK(answer.grants_size() == 0);
  CHECK(world.table->List("", 10, world.clock.Now()).empty());
  world.Ask("d1", Wants(1));
  CHECK(world.store->Range(kQuotaPrefix)->size() == 1);
  world.clock.Advance(absl::Hours(1));
  REQUIRE_OK(world.table->Answer("d1", v1::QuotaReport(), world.clock.Now(), answer));
  CHECK(world.store->Range(kQuotaPrefix)->empty());
}

}  // namespace
}  // namespace chartly::coordinator
