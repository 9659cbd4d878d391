// A model of drones beside the real coordinator, driven through random schedules of everything that goes wrong: who may
// work on what is checked after each move, and that all work is done in the end.
#include <map>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/clock/proto_time.h"
#include "common/status/status.h"
#include "control/coordinator/coordinator.h"
#include "test/support/test.h"

namespace chartly::coordinator {
namespace {

using testing::TempDir;

constexpr int kDrones = 3;
constexpr int kProfiles = 4;
constexpr absl::Duration kLease = absl::Seconds(6);
constexpr absl::Duration kInterval = absl::Seconds(15);

class Model {
 public:
  // With `jumps`, the clock on the coordinator's wall is set anew every now and then, by up to two hours.
  Model(unsigned seed, bool jumps) : jumps_(jumps), random_(seed) {
    Open();
    for (int i = 0; i < kProfiles; ++i) AddProfile(i);
  }

  void Move() {
    const int number = Roll(kDrones);
    ModelDrone& drone = drones_[number];
    switch (Roll(jumps_ ? 13 : 12)) {
      case 0:
        drone.connected = !drone.connected;
        break;
      case 1:
        Crash(drone);
        break;
      case 2:
        Open();  // the coordinator was killed
        for (int i = 0; i < kProfiles; ++i) AddProfile(i);
        if (Roll(2) == 0) coordinator_->RetainProfiles(ProfileIds());
        break;
      case 3:
        Pass(absl::Seconds(Roll(8)));
        break;
      case 4:
        FinishOne(drone);
        break;
      case 5:
      case 6:
        REQUIRE_OK(coordinator_->Tick());
        break;
      case 12:
        clock_.Advance(absl::Seconds(Roll(14'400) - 7'200));
        break;
      default:
        Pass(absl::Milliseconds(200 + Roll(1500)));
        if (drone.connected) Beat(number);
    }
    Check();
  }

  // Everybody is there again, and all work is done.
  void Heal() {
    coordinator_->RetainProfiles(ProfileIds());
    for (ModelDrone& drone : drones_) drone.connected = true;
    for (int round = 0; round < 200; ++round) {
      Pass(absl::Seconds(1));
      REQUIRE_OK(coordinator_->Tick());
      for (int i = 0; i < kDrones; ++i) Beat(i);
      for (ModelDrone& drone : drones_) FinishOne(drone);
      Check();
    }
    for (int i = 0; i < kProfiles; ++i) {
      absl::StatusOr<v1::ProfileStatus> status = coordinator_->GetProfileStatus(absl::StrCat("p", i));
      REQUIRE_OK(status);
      INFO(status->last_success().ShortDebugString());
      CHECK(status->has_last_success());
    }
    int64_t next = 0;
    for (const v1::Run& run : coordinator_->ListRuns(INT64_MAX, 100'000, "", "", next)) {
      const absl::Time made = absl::FromUnixSeconds(run.create_time().seconds());
      if (clock_.Now() - made > absl::Minutes(2)) CHECK(run.status() != v1::RUN_STATUS_SCHEDULED);
    }
    for (int i = 0; i < kProfiles; ++i) CheckPace(absl::StrCat("p", i));
  }
  int done() const { return done_; }

 private:
  struct ModelDrone {
    bool connected = true;
    int64_t epoch = 0;
    int64_t highest_epoch = 0;
    absl::Time lease_end = absl::InfinitePast();  // as far as it knows itself
    std::map<std::string, std::string> running;   // run to profile
    std::vector<std::string> finished;            // not told yet
    std::set<std::string> known;
  };

  // Time goes by, on all clocks.
  void Pass(absl::Duration duration) {
    clock_.Advance(duration);
    steady_.Advance(duration);
  }

  // In the last two minutes, with all drones well, it ran once each interval: never twice, never missed.
  void CheckPace(const std::string& profile) {
    INFO(profile);
    int64_t next = 0;
    absl::Time later = absl::InfiniteFuture();
    int runs = 0;
    for (const v1::Run& run : coordinator_->ListRuns(INT64_MAX, 100'000, profile, "", next)) {
      const absl::Time made = FromTimestamp(run.create_time());
      if (made < clock_.Now() - absl::Minutes(2) || made > clock_.Now()) break;
      ++runs;
      CHECK(run.attempt() == 1);
      if (later != absl::InfiniteFuture()) {
        CHECK(later - made >= kInterval);
        CHECK(later - made <= kInterval + absl::Seconds(2));
      }
      later = made;
    }
    CHECK(runs >= 7);
    CHECK(runs <= 9);
  }

  int Roll(int sides) { return static_cast<int>(random_() % static_cast<unsigned>(sides)); }

  void Open() {
    coordinator_.reset();
    store_.reset();
    absl::StatusOr<std::unique_ptr<StateStore>> store = OpenEmbeddedStateStore(dir_.File("state"), clock_);
    REQUIRE_OK(store);
    store_ = *std::move(store);
    CoordinatorOptions options;
    options.lease_min = kLease;
    options.lost_grace = absl::Seconds(10);
    options.steady = &steady_;
    coordinator_ = std::make_unique<Coordinator>(options, *store_, clock_, events_);
    REQUIRE_OK(coordinator_->Load());
  }

  void AddProfile(int number) {
    v1::Profile profile;
    profile.set_id(absl::StrCat("p", number));
    profile.set_revision("sha256:1");
    profile.set_content("id: p\n");
    profile.set_enabled(true);
    profile.mutable_interval()->set_seconds(absl::ToInt64Seconds(kInterval));
    profile.set_generation(1);
    coordinator_->SetProfile(profile);
  }

  static std::set<std::string> ProfileIds() {
    std::set<std::string> ids;
    for (int i = 0; i < kProfiles; ++i) ids.insert(absl::StrCat("p", i));
    return ids;
  }

  static v1::RunLedger EndOf(const std::string& run_id, const std::string& reason) {
    v1::RunLedger ledger;
    ledger.set_run_id(run_id);
    ledger.mutable_balance()->set_stored(1);
    ledger.mutable_end()->set_run_id(run_id);
    ledger.mutable_end()->set_fetched(1);
    ledger.mutable_end()->set_error_reason(reason);
    return ledger;
  }

  // The process ends; the next one writes the ends of what it finds open.
  void Crash(ModelDrone& drone) {
    for (const auto& [run, profile] : drone.running) {
      coordinator_->TakeLedger(EndOf(run, "DRONE_RESTARTED"));
      drone.known.insert(run);
    }
    drone.running.clear();
    drone.epoch = 0;
    drone.lease_end = absl::InfinitePast();
  }

  void FinishOne(ModelDrone& drone) {
    if (drone.running.empty()) return;
    const std::string run = drone.running.begin()->first;
    drone.running.erase(drone.running.begin());
    drone.finished.push_back(run);
    coordinator_->TakeLedger(EndOf(run, ""));
    ++done_;
  }

  void Beat(int number) {
    ModelDrone& drone = drones_[number];
    const std::string id = absl::StrCat("d", number);
    if (drone.epoch == 0) {
      v1::RegisterDroneRequest request;
      request.set_drone_id(id);
      absl::StatusOr<v1::Drone> registered = coordinator_->RegisterDrone(request);
      REQUIRE_OK(registered);
      CHECK(registered->epoch() > drone.highest_epoch);
      drone.epoch = drone.highest_epoch = registered->epoch();
    }
    v1::HeartbeatRequest beat;
    beat.set_drone_id(id);
    beat.set_epoch(drone.epoch);
    for (const auto& [run, profile] : drone.running) beat.add_runs()->set_run_id(run);
    for (const std::string& run : drone.finished) {
      v1::RunProgress& progress = *beat.add_runs();
      progress.set_run_id(run);
      progress.set_finished(true);
    }
    absl::StatusOr<v1::HeartbeatResponse> answer = coordinator_->Heartbeat(beat);
    if (!answer.ok()) {
      drone.epoch = 0;
      return;
    }
    drone.finished.clear();
    drone.lease_end = steady_.Now() + kLease;
    for (const std::string& run : answer->cancel_run_ids()) drone.running.erase(run);
    for (const v1::RunOrder& order : answer->orders()) {
      CHECK(order.lease_epoch() == drone.epoch);
      if (!drone.known.insert(order.run_id()).second) continue;
      // No run is begun by two drones, whatever happened between.
      CHECK(begun_by_.emplace(order.run_id(), number).second);
      drone.running[order.run_id()] = order.profile_id();
    }
  }

  // A profile is worked on under one valid lease at a time, as its drones see it.
  void Check() {
    std::map<std::string, std::set<int>> holders;
    for (int i = 0; i < kDrones; ++i) {
      if (drones_[i].lease_end < steady_.Now()) continue;
      for (const auto& [run, profile] : drones_[i].running) holders[profile].insert(i);
    }
    for (const auto& [profile, drones] : holders) {
      INFO(profile);
      CHECK(drones.size() == 1);
    }
  }

  const bool jumps_;
  std::mt19937 random_;
  TempDir dir_;
  FakeClock clock_;
  FakeClock steady_;
  EventLog events_{absl::UnixEpoch()};
  std::unique_ptr<StateStore> store_;
  std::unique_ptr<Coordinator> coordinator_;
  ModelDrone drones_[kDrones];
  std::map<std::string, int> begun_by_;
  int done_ = 0;
};

}  // namespace

TEST_CASE("no run is done by two drones and no profile has two leases, in any order of faults") {
  const unsigned seed = GENERATE(range(1u, 25u));
  INFO("seed " << seed);
  Model model(seed, /*jumps=*/false);
  for (int i = 0; i < 150; ++i) model.Move();
  model.Heal();
  CHECK(model.done() > kProfiles);
}

TEST_CASE("a clock of the coordinator that jumps gives no second lease, and runs go on at their interval") {
  const unsigned seed = GENERATE(range(1u, 25u));
  INFO("seed " << seed);
  Model model(seed, /*jumps=*/true);
  for (int i = 0; i < 150; ++i) model.Move();
  model.Heal();
  CHECK(model.done() > kProfiles);
}

TEST_CASE("a clock that is set forward loses no drone, and one that is set back keeps none that is lost") {
  TempDir dir;
  FakeClock clock;
  FakeClock steady;
  EventLog events{absl::UnixEpoch()};
  absl::StatusOr<std::unique_ptr<StateStore>> store = OpenEmbeddedStateStore(dir.File("state"), clock);
  REQUIRE_OK(store);
  CoordinatorOptions options;
  options.lease_min = kLease;
  options.steady = &steady;
  Coordinator coordinator(options, **store, clock, events);
  REQUIRE_OK(coordinator.Load());
  v1::RegisterDroneRequest request;
  request.set_drone_id("d1");
  REQUIRE_OK(coordinator.RegisterDrone(request));

  clock.Advance(absl::Hours(1));
  REQUIRE_OK(coordinator.Tick());
  CHECK(coordinator.GetDrone("d1")->state() == v1::DRONE_STATE_ACTIVE);

  clock.Advance(-absl::Hours(5));
  steady.Advance(kLease + absl::Seconds(1));
  REQUIRE_OK(coordinator.Tick());
  CHECK(coordinator.GetDrone("d1")->state() == v1::DRONE_STATE_OFFLINE);
  CHECK(coordinator.DroneStats().offline() == 1);
}

}  // namespace chartly::coordinator
