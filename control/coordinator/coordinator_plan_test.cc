// What the coordinator does with the plan of the fleet: selectors, redundancy, reach, and the same plan after a kill.
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/clock/proto_time.h"
#include "common/status/status.h"
#include "control/coordinator/stored_coordinator_test.h"
#include "test/support/test.h"

namespace chartly::coordinator {
namespace {

constexpr char kText[] =
    "name: P\nversion: 1.0.0\nsource: {type: http_rest, url: https://api.example.gov/d.json}\nmapping: {a: dims.a}\n";

class Fixture : public StoredCoordinator {
 public:
  void Profile(const std::string& id, const std::string& more = "") {
    v1::Profile profile;
    profile.set_id(id);
    profile.set_revision("sha256:1");
    profile.set_content(absl::StrCat("id: ", id, "\n", kText, more));
    profile.set_enabled(true);
    profile.mutable_interval()->set_seconds(60);
    profile.set_generation(1);
    *profile.mutable_update_time() = ToTimestamp(clock.Now());
    coordinator->SetProfile(profile);
    ids_.insert(id);
  }
  void AllTold() { coordinator->RetainProfiles(ids_); }
  void Register(const std::string& id, const std::string& zone, int capacity = 4) {
    v1::RegisterDroneRequest request;
    request.set_drone_id(id);
    request.set_capacity(capacity);
    (*request.mutable_labels())["zone"] = zone;
    absl::StatusOr<v1::Drone> drone = coordinator->RegisterDrone(request);
    REQUIRE_OK(drone);
    epochs_[id] = drone->epoch();
  }
  v1::HeartbeatResponse Beat(const std::string& id, const std::string& finished = "") {
    v1::HeartbeatRequest request;
    request.set_drone_id(id);
    request.set_epoch(epochs_[id]);
    if (!finished.empty()) {
      request.add_runs()->set_run_id(finished);
      request.mutable_runs(0)->set_finished(true);
    }
    absl::StatusOr<v1::HeartbeatResponse> answer = coordinator->Heartbeat(request);
    REQUIRE_OK(answer);
    return *answer;
  }
  void End(const std::string& run_id, const std::string& reason) {
    v1::RunLedger ledger;
    ledger.set_run_id(run_id);
    ledger.mutable_end()->set_run_id(run_id);
    ledger.mutable_end()->set_error_reason(reason);
    coordinator->TakeLedger(ledger);
  }
  std::map<std::string, std::set<std::string>> Plan() {
    std::map<std::string, std::set<std::string>> plan;
    for (const v1::Drone& drone : coordinator->ListDrones("", 1000)) {
      absl::StatusOr<v1::ListDroneWorkResponse> work = coordinator->DroneWork(drone.drone_id());
      REQUIRE_OK(work);
      for (const v1::Assignment& assignment : work->assignments()) {
        plan[assignment.profile_id()].insert(drone.drone_id());
      }
    }
    return plan;
  }

 private:
  std::set<std::string> ids_;
  std::map<std::string, int64_t> epochs_;
};

}  // namespace

TEST_CASE("a profile runs only on drones with the labels that it asks for") {
  Fixture fixture;
  fixture.Register("north", "n");
  fixture.Profile("p", "placement: {labels: {zone: s}}\n");
  REQUIRE_OK(fixture.coordinator->Tick());
  CHECK(fixture.Beat("north").orders_size() == 0);
  fixture.Register("south", "s");
  CHECK(fixture.Beat("north").orders_size() == 0);
  CHECK(fixture.Beat("south").orders_size() == 1);
  CHECK(fixture.coordinator->GetProfileStatus("p")->drone_id() == "south");
}

TEST_CASE("a redundant profile is done by several drones at each of its times") {
  Fixture fixture;
  for (const char* id : {"a", "b", "c"}) fixture.Register(id, "n");
  fixture.Profile("p", "placement: {redundancy: 2}\n");
  REQUIRE_OK(fixture.coordinator->Tick());
  std::set<std::string> runs;
  for (const char* id : {"a", "b", "c"}) {
    v1::HeartbeatResponse answer = fixture.Beat(id);
    CHECK(answer.orders_size() <= 1);
    for (const v1::RunOrder& order : answer.orders()) {
      runs.insert(order.run_id());
      fixture.Beat(id, order.run_id());
    }
  }
  CHECK(runs.size() == 2);
  CHECK(fixture.Plan()["p"].size() == 2);
  for (const std::string& run : runs) fixture.End(run, "");
  fixture.clock.Advance(absl::Seconds(61));
  for (const char* id : {"a", "b", "c"}) fixture.Beat(id);
  REQUIRE_OK(fixture.coordinator->Tick());
  int64_t next = 0;
  CHECK(fixture.coordinator->ListRuns(INT64_MAX, 100, "p", "", next).size() == 4);
}

TEST_CASE("a drone that comes to hold a redundant profile while its runs go on does its own, once") {
  Fixture fixture;
  fixture.Register("a", "n");
  fixture.Register("b", "n");
  fixture.Profile("p", "placement: {redundancy: 3}\n");
  REQUIRE_OK(fixture.coordinator->Tick());
  std::map<std::string, std::string> runs;
  for (const char* id : {"a", "b"}) {
    v1::HeartbeatResponse answer = fixture.Beat(id);
    REQUIRE(answer.orders_size() == 1);
    runs[id] = answer.orders(0).run_id();
    fixture.Beat(id, runs[id]);
  }
  fixture.End(runs["a"], "");  // one of them is over already
  SECTION("and goes on where it was after a restart") {
    fixture.Open();
    fixture.Profile("p", "placement: {redundancy: 3}\n");
    fixture.AllTold();
    REQUIRE_OK(fixture.coordinator->Tick());
  }
  SECTION("at once") {}
  fixture.Register("c", "n");
  v1::HeartbeatResponse answer = fixture.Beat("c");
  REQUIRE(answer.orders_size() == 1);
  runs["c"] = answer.orders(0).run_id();
  fixture.Beat("c", runs["c"]);
  for (const char* id : {"d", "e", "f", "g"}) {  // whoever takes a place of the three finds it done
    fixture.Register(id, "n");
    CHECK(fixture.Beat(id).orders_size() == 0);
  }
  for (const char* id : {"b", "c"}) fixture.End(runs[id], "");
  REQUIRE_OK(fixture.coordinator->Tick());
  fixture.Register("h", "n");
  REQUIRE_OK(fixture.coordinator->Tick());
  int64_t next = 0;
  CHECK(fixture.coordinator->ListRuns(INT64_MAX, 100, "p", "", next).size() == 3);
}

TEST_CASE("what a lost drone did for others' sake is done by the next holder while they still work") {
  Fixture fixture;
  const std::set<std::string> all = {"a", "b", "c"};
  for (const std::string& id : all) fixture.Register(id, "n");
  fixture.Profile("p", "placement: {redundancy: 2}\n");
  REQUIRE_OK(fixture.coordinator->Tick());
  const std::set<std::string> holders = fixture.Plan()["p"];
  REQUIRE(holders.size() == 2);
  const std::string stays = *holders.begin();
  const std::string lost = *holders.rbegin();
  const bool told = GENERATE(true, false);
  for (const std::string& id : holders) {
    v1::HeartbeatResponse answer = fixture.Beat(id);
    REQUIRE(answer.orders_size() == 1);
    if (id == stays || told) fixture.Beat(id, answer.orders(0).run_id());
  }
  fixture.clock.Advance(absl::Seconds(5));
  for (const std::string& id : all) {
    if (id != lost) fixture.Beat(id);
  }
  fixture.clock.Advance(absl::Seconds(5));
  for (int step = 0; step < 3; ++step) REQUIRE_OK(fixture.coordinator->Tick());
  for (const std::string& id : all) {
    if (id == lost) continue;
    CHECK(fixture.Beat(id).orders_size() == (holders.count(id) > 0 ? 0 : 1));
  }
  int64_t next = 0;
  CHECK(fixture.coordinator->ListRuns(INT64_MAX, 100, "p", "", next).size() == 3);
}

TEST_CASE("a run that takes the place of a lost one is for the same time of the schedule") {
  Fixture fixture;
  fixture.Register("a", "n");
  fixture.Profile("p", "schedule: {cron: '*/5 * * * *', catch_up: all, overlap: queue}\n");
  REQUIRE_OK(fixture.coordinator->Tick());
  fixture.clock.Advance(absl::Minutes(5));
  fixture.Beat("a");
  REQUIRE_OK(fixture.coordinator->Tick());
  REQUIRE(fixture.Beat("a").orders_size() == 1);
  fixture.Register("a", "n");  // it died before it could tell
  REQUIRE_OK(fixture.coordinator->Tick());
  v1::HeartbeatResponse answer = fixture.Beat("a");
  REQUIRE(answer.orders_size() == 1);
  fixture.Beat("a", answer.orders(0).run_id());
  fixture.End(answer.orders(0).run_id(), "");
  for (int step = 0; step < 3; ++step) REQUIRE_OK(fixture.coordinator->Tick());
  CHECK(fixture.Beat("a").orders_size() == 0);
  int64_t next = 0;
  std::vector<v1::Run> runs = fixture.coordinator->ListRuns(INT64_MAX, 100, "p", "", next);
  REQUIRE(runs.size() == 2);
  CHECK(runs[0].schedule_time().seconds() == runs[1].schedule_time().seconds());
}

TEST_CASE("a source that a drone does not reach is given to another, which keeps it") {
  Fixture fixture;
  fixture.Register("a", "n");
  fixture.Register("b", "n");
  fixture.Profile("p", "retry: {max_attempts: 1}\n");
  REQUIRE_OK(fixture.coordinator->Tick());
  const std::string first = *fixture.Plan()["p"].begin();
  const std::string run = fixture.Beat(first).orders(0).run_id();
  fixture.Beat(first, run);
  fixture.End(run, "EGRESS_DENIED");
  REQUIRE_OK(fixture.coordinator->Tick());
  const std::string second = first == "a" ? "b" : "a";
  CHECK(fixture.Plan()["p"] == std::set<std::string>{second});
  fixture.clock.Advance(absl::Minutes(11));
  fixture.Beat("a");
  fixture.Beat("b");
  REQUIRE_OK(fixture.coordinator->Tick());
  CHECK(fixture.Plan()["p"] == std::set<std::string>{second});
}

TEST_CASE("a coordinator that is killed takes up the plan that it had, also before it knows all profiles") {
  Fixture fixture;
  for (int i = 0; i < 5; ++i) fixture.Register(absl::StrCat("d", i), "n");
  for (int i = 0; i < 40; ++i) fixture.Profile(absl::StrCat("p", i));
  REQUIRE_OK(fixture.coordinator->Tick());
  fixture.Register("late", "n");
  const auto plan = fixture.Plan();
  REQUIRE(plan.size() == 40);
  for (int kill = 0; kill < 3; ++kill) {
    fixture.Open();
    for (int i = 0; i < 40; ++i) {
      fixture.Profile(absl::StrCat("p", i));
      if (i % 10 == kill) REQUIRE_OK(fixture.coordinator->Tick());
    }
    CHECK(fixture.Plan() == plan);
    fixture.AllTold();
    REQUIRE_OK(fixture.coordinator->Tick());
    CHECK(fixture.Plan() == plan);
  }
}

TEST_CASE("what a drone held goes to others within a step of its loss") {
  Fixture fixture;
  for (int i = 0; i < 4; ++i) fixture.Register(absl::StrCat("d", i), "n", 100);
  for (int i = 0; i < 40; ++i) fixture.Profile(absl::StrCat("p", i));
  REQUIRE_OK(fixture.coordinator->Tick());
  const auto before = fixture.Plan();
  fixture.clock.Advance(absl::Seconds(5));
  for (int i = 1; i < 4; ++i) fixture.Beat(absl::StrCat("d", i));
  fixture.clock.Advance(absl::Seconds(2));
  REQUIRE_OK(fixture.coordinator->Tick());
  const auto after = fixture.Plan();
  CHECK(after.size() == 40);
  for (const auto& [profile, drones] : before) {
    const std::set<std::string>& now = after.at(profile);
    if (drones.count("d0") == 0) {
      CHECK(now == drones);
    } else {
      CHECK(now.size() == 1);
      CHECK(now.count("d0") == 0);
    }
  }
}

TEST_CASE("a cron line makes its runs at its times, and one of those that were missed") {
  Fixture fixture;
  fixture.Register("a", "n");
  absl::Time noon;
  std::string error;
  REQUIRE(absl::ParseTime(absl::RFC3339_full, "2030-03-30T11:59:30Z", &noon, &error));
  fixture.clock.Advance(noon - fixture.clock.Now());
  fixture.Beat("a");
  fixture.Profile("p", "schedule: {cron: \"0 14 * * *\", timezone: Europe/Berlin}\n");
  REQUIRE_OK(fixture.coordinator->Tick());
  CHECK(fixture.Beat("a").orders_size() == 0);
  auto runs = [&] {
    int64_t next = 0;
    return fixture.coordinator->ListRuns(INT64_MAX, 100, "p", "", next);
  };
  fixture.clock.Advance(absl::Hours(1) + absl::Seconds(30));
  REQUIRE_OK(fixture.coordinator->Tick());
  fixture.Beat("a");
  REQUIRE_OK(fixture.coordinator->Tick());
  REQUIRE(runs().size() == 1);
  CHECK(runs()[0].schedule_time().seconds() == absl::ToUnixSeconds(noon) + 3630);
  const std::string run = runs()[0].run_id();
  fixture.Beat("a", run);
  fixture.End(run, "");
  // Three days later, over a change of the clocks: the last time that was missed is made up for.
  fixture.clock.Advance(absl::Hours(75));
  fixture.Beat("a");
  REQUIRE_OK(fixture.coordinator->Tick());
  REQUIRE(runs().size() == 2);
  CHECK(runs()[0].schedule_time().seconds() == absl::ToUnixSeconds(noon) + 30 + 72 * 3600);
}

}  // namespace chartly::coordinator
