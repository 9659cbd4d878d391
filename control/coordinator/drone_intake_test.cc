// What drones tell is taken in groups and is durable before it is answered; what is not durable is not told.
#include "control/coordinator/drone_intake.h"

#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/status/status.h"
#include "control/coordinator/coordinator.h"
#include "test/support/test.h"

namespace chartly::coordinator {
namespace {

using testing::Eventually;
using testing::TempDir;

// Counts transactions, and refuses them when told.
class WatchedStore final : public StateStore {
 public:
  explicit WatchedStore(std::unique_ptr<StateStore> inner) : inner_(std::move(inner)) {}
  absl::StatusOr<StateEntry> Get(absl::string_view key) const override { return inner_->Get(key); }
  absl::StatusOr<std::vector<StateEntry>> Range(absl::string_view prefix, absl::string_view start, size_t limit,
                                                bool reverse) const override {
    return inner_->Range(prefix, start, limit, reverse);
  }
  absl::StatusOr<int64_t> Commit(const StateTransaction& transaction) override {
    if (broken) return Error(absl::StatusCode::kUnavailable, "DISK_BROKEN", "the disk is broken");
    ++commits;
    return inner_->Commit(transaction);
  }
  std::unique_ptr<Subscription> Watch(std::string prefix, std::function<void(const StateChange&)> callback) override {
    return inner_->Watch(std::move(prefix), std::move(callback));
  }
  absl::StatusOr<int64_t> GrantLease(absl::Duration ttl) override { return inner_->GrantLease(ttl); }
  absl::Status RenewLease(int64_t lease) override { return inner_->RenewLease(lease); }
  absl::Status RevokeLease(int64_t lease) override { return inner_->RevokeLease(lease); }
  KvSource& source() override { return inner_->source(); }

  std::atomic<int> commits = 0;
  std::atomic<bool> broken = false;

 private:
  std::unique_ptr<StateStore> inner_;
};

struct Rig {
  TempDir dir;
  FakeClock clock;
  EventLog events{absl::UnixEpoch()};
  WatchedStore store{OpenEmbeddedStateStore(dir.File("state"), clock).value()};
  Coordinator coordinator{CoordinatorOptions(), store, clock, events};
  DroneIntake intake{coordinator};

  Rig() {
    coordinator.Listen(intake);
    REQUIRE_OK(coordinator.Load());
  }
  void SetProfile(const std::string& id) {
    v1::Profile profile;
    profile.set_id(id);
    profile.set_revision("sha256:1");
    profile.set_content("id: p\n");
    profile.set_enabled(true);
    profile.mutable_interval()->set_seconds(3600);
    profile.set_generation(1);
    coordinator.SetProfile(profile);
  }
};

v1::RegisterDroneRequest Named(const std::string& id) {
  v1::RegisterDroneRequest request;
  request.set_drone_id(id);
  return request;
}

}  // namespace

TEST_CASE("drones that register together are written together, and each id gets its own epochs") {
  Rig rig;
  std::vector<v1::RegisterDroneRequest> requests;
  for (int i = 0; i < 300; ++i) requests.push_back(Named(absl::StrCat("d", i)));
  requests.push_back(Named("d7"));  // again
  requests.push_back(Named("Not an id"));
  requests.push_back(Named("d8"));  // again
  std::vector<const v1::RegisterDroneRequest*> pointers;
  for (const v1::RegisterDroneRequest& request : requests) pointers.push_back(&request);
  std::vector<absl::StatusOr<v1::Drone>> drones = rig.coordinator.RegisterDrones(pointers);
  REQUIRE(drones.size() == requests.size());
  for (size_t i = 0; i < 300; ++i) {
    REQUIRE_OK(drones[i]);
    CHECK(drones[i]->drone_id() == requests[i].drone_id());
    CHECK(drones[i]->epoch() == 1);
  }
  CHECK(drones[300]->epoch() == 2);
  CHECK(Reason(drones[301].status()) == "DRONE_ID_INVALID");
  CHECK(drones[302]->epoch() == 2);
  CHECK(rig.store.commits <= 3);
  // Another process finds what was answered.
  Coordinator next(CoordinatorOptions(), rig.store, rig.clock, rig.events);
  REQUIRE_OK(next.Load());
  CHECK(next.DroneStats().total() == 300);
  CHECK(next.GetDrone("d7")->epoch() == 2);
}

TEST_CASE("a storm of registrations is answered with few writes") {
  Rig rig;
  std::atomic<int> answered = 0;
  constexpr int kDrones = 5000;
  for (int i = 0; i < kDrones; ++i) {
    rig.intake.Register(Named(absl::StrCat("d", i)), [&](absl::StatusOr<v1::Drone> drone) { answered += drone.ok(); });
  }
  rig.intake.Start();
  REQUIRE(Eventually([&] { return answered == kDrones; }));
  CHECK(rig.store.commits < 50);
}

TEST_CASE("what cannot be written is not answered as if it were") {
  Rig rig;
  rig.store.broken = true;
  CHECK(Reason(rig.coordinator.RegisterDrone(Named("d")).status()) == "DISK_BROKEN");
  CHECK(absl::IsNotFound(rig.coordinator.GetDrone("d").status()));
}

TEST_CASE("those who watch hear of a run once it is written") {
  Rig rig;
  REQUIRE_OK(rig.coordinator.RegisterDrone(Named("d")));
  rig.SetProfile("p");
  int64_t position = *rig.events.Position("");
  rig.store.broken = true;
  CHECK_FALSE(rig.coordinator.Tick().ok());
  CHECK(rig.events.Next(position).empty());
  rig.store.broken = false;
  REQUIRE_OK(rig.coordinator.Tick());
  std::vector<v1::Event> events = rig.events.Next(position);
  REQUIRE(events.size() == 1);
  CHECK(events[0].run().drone_id() == "d");
  // The end, too, is on disk when it is told.
  const std::string run_id = events[0].run().run_id();
  v1::RunLedger ledger;
  ledger.set_run_id(run_id);
  ledger.mutable_end()->set_run_id(run_id);
  rig.coordinator.TakeLedger(ledger);
  events = rig.events.Next(position);
  REQUIRE(events.size() == 1);
  CHECK(events[0].run().status() == v1::RUN_STATUS_SUCCEEDED);
  Coordinator next(CoordinatorOptions(), rig.store, rig.clock, rig.events);
  REQUIRE_OK(next.Load());
  CHECK(next.GetRun(run_id)->status() == v1::RUN_STATUS_SUCCEEDED);
}

TEST_CASE("an intake that stops refuses what waits and what comes") {
  Rig rig;
  std::vector<std::string> reasons;
  auto note = [&](const auto& result) { reasons.push_back(Reason(result.status())); };
  rig.intake.Register(Named("d"), note);
  rig.intake.Shutdown();
  rig.intake.Shutdown();
  rig.intake.Register(Named("e"), note);
  rig.intake.Beat(v1::HeartbeatRequest(), DroneIntake::Answered(note));
  CHECK(reasons == std::vector<std::string>(3, "SHUTTING_DOWN"));
}

}  // namespace chartly::coordinator
