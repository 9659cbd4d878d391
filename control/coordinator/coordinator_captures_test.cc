// Runs over kept payloads by the coordinator: where they go, and what they leave alone.
#include <map>
#include <memory>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "common/clock/proto_time.h"
#include "common/status/status.h"
#include "control/coordinator/stored_coordinator_test.h"
#include "test/support/test.h"

namespace chartly::coordinator {
namespace {

v1::Profile ProfileOf(const std::string& more, int64_t generation = 1) {
  v1::Profile profile;
  profile.set_id("p");
  profile.set_revision(absl::StrCat("sha256:", generation));
  profile.set_content(absl::StrCat("id: p\nversion: 1.0.", generation,
                                   "\nsource: {type: http_rest, url: \"https://api.example.gov/d\"}\n", more,
                                   "mapping: {a: dims.a}\n"));
  profile.set_enabled(true);
  profile.mutable_interval()->set_seconds(3600);
  profile.set_generation(generation);
  return profile;
}

// A coordinator on real state; time and beats are the test's.
class Fixture : public StoredCoordinator {
 public:
  void Register(const std::string& id, const std::string& site = "") {
    v1::RegisterDroneRequest request;
    request.set_drone_id(id);
    request.set_capacity(4);
    if (!site.empty()) (*request.mutable_labels())["site"] = site;
    absl::StatusOr<v1::Drone> drone = coordinator->RegisterDrone(request);
    REQUIRE_OK(drone);
    epochs_[id] = drone->epoch();
  }
  v1::HeartbeatResponse Beat(const std::string& id, int64_t fetches = 0, const std::string& running = "") {
    v1::HeartbeatRequest request;
    request.set_drone_id(id);
    request.set_epoch(epochs_[id]);
    if (!running.empty()) request.add_runs()->set_run_id(running);
    if (fetches > 0) {
      request.mutable_captures()->set_complete(true);
      v1::Capture& capture = *request.mutable_captures()->add_captures();
      capture.set_profile_id("p");
      capture.set_fetches(fetches);
      *capture.mutable_oldest_fetch_time() = ToTimestamp(clock.Now() - absl::Hours(3));
      *capture.mutable_newest_fetch_time() = ToTimestamp(clock.Now() - absl::Hours(1));
    }
    absl::StatusOr<v1::HeartbeatResponse> answer = coordinator->Heartbeat(request);
    REQUIRE_OK(answer);
    return *answer;
  }
  absl::StatusOr<v1::ReplayProfileResponse> Replay(v1::ReplayProfileRequest request = {}) {
    return coordinator->ReplayProfile("p", request, "boss");
  }
  // The first run over kept payloads among the orders of a drone; empty if there is none.
  static v1::RunOrder ReplayIn(const v1::HeartbeatResponse& answer) {
    for (const v1::RunOrder& order : answer.orders()) {
      if (order.has_replay()) return order;
    }
    return {};
  }
  void End(const std::string& run_id, const std::string& reason = "") {
    v1::RunLedger ledger;
    ledger.set_run_id(run_id);
    ledger.mutable_balance()->set_stored(reason.empty() ? 2 : 0);
    ledger.mutable_end()->set_run_id(run_id);
    ledger.mutable_end()->set_fetched(reason.empty() ? 2 : 0);
    ledger.mutable_end()->set_error_reason(reason);
    coordinator->TakeLedger(ledger);
  }
  v1::Run Run(const std::string& id) { return *coordinator->GetRun(id); }

 private:
  std::map<std::string, int64_t> epochs_;
};

TEST_CASE("a replay is a run on each drone that keeps payloads, with the revision of now") {
  Fixture world;
  world.coordinator->SetProfile(ProfileOf(""));
  for (const char* id : {"d1", "d2", "d3"}) world.Register(id);
  world.Beat("d1", 5);
  world.Beat("d3", 2);
  world.coordinator->SetProfile(ProfileOf("", 2));
  auto made = world.Replay();
  REQUIRE_OK(made);
  REQUIRE(made->runs_size() == 2);
  CHECK(made->left_out_drone_ids_size() == 0);
  for (const v1::Run& run : made->runs()) {
    CHECK(run.has_replay());
    CHECK(run.trigger() == "boss");
    CHECK(run.revision() == "profiles/p@sha256:2");
    const v1::RunOrder order = Fixture::ReplayIn(world.Beat(run.drone_id()));
    CHECK(order.run_id() == run.run_id());
    CHECK(order.revision() == run.revision());
    CHECK_FALSE(order.has_partition());
    CHECK_FALSE(order.replay().has_since_time());
  }
  CHECK(Fixture::ReplayIn(world.Beat("d2")).run_id().empty());
  CHECK(Reason(world.Replay().status()) == "REPLAY_RUNNING");
  for (const v1::Run& run : made->runs()) world.End(run.run_id());
  v1::ReplayProfileRequest one;
  one.set_drone_id("d3");
  *one.mutable_since_time() = ToTimestamp(world.clock.Now() - absl::Hours(2));
  auto again = world.Replay(one);
  REQUIRE_OK(again);
  REQUIRE(again->runs_size() == 1);
  CHECK(again->runs(0).drone_id() == "d3");
  CHECK(Fixture::ReplayIn(world.Beat("d3")).replay().since_time().seconds() == one.since_time().seconds());
}

TEST_CASE("a replay is refused where nothing is kept, and where those who keep it may not do the profile") {
  Fixture world;
  CHECK(Reason(world.Replay().status()) == "PROFILE_NOT_FOUND");
  world.coordinator->SetProfile(ProfileOf("placement: {labels: {site: north}}\n"));
  world.Register("d1", "south");
  CHECK(Reason(world.Replay().status()) == "CAPTURE_NOT_FOUND");
  world.Beat("d1", 5);
  CHECK(Reason(world.Replay().status()) == "CAPTURE_UNREACHABLE");
  world.Register("d2", "north");
  world.Beat("d2", 1);
  auto made = world.Replay();
  REQUIRE_OK(made);
  REQUIRE(made->runs_size() == 1);
  CHECK(made->runs(0).drone_id() == "d2");
  REQUIRE(made->left_out_drone_ids_size() == 1);
  CHECK(made->left_out_drone_ids(0) == "d1");
  v1::ReplayProfileRequest later;
  *later.mutable_since_time() = ToTimestamp(world.clock.Now());
  world.End(made->runs(0).run_id());
  CHECK(Reason(world.Replay(later).status()) == "CAPTURE_NOT_FOUND");
  // What registers anew may be another program: it has to tell again.
  world.Register("d2", "north");
  CHECK(Reason(world.Replay().status()) == "CAPTURE_UNREACHABLE");
  CHECK(world.coordinator->ListCaptures("", 10, "").size() == 1);
}

TEST_CASE("a replay leaves schedule, health, shadow and deliveries of its profile alone") {
  Fixture world;
  world.coordinator->SetProfile(ProfileOf(""));
  world.Register("d1");
  world.Beat("d1", 5);
  REQUIRE_OK(world.coordinator->Tick());
  const v1::HeartbeatResponse first = world.Beat("d1");
  REQUIRE(first.orders_size() == 1);
  const std::string own = first.orders(0).run_id();
  world.Beat("d1", 0, own);
  world.End(own);
  v1::ShadowProfileRequest shadow;
  shadow.set_content(absl::StrReplaceAll(ProfileOf("").content(), {{"1.0.1", "1.0.9"}}));
  REQUIRE_OK(world.coordinator->AskForShadow("p", shadow));
  const auto due = world.coordinator->GetProfileStatus("p")->next_run_time();
  auto made = world.Replay();
  REQUIRE_OK(made);
  const std::string replay = made->runs(0).run_id();
  const v1::RunOrder order = Fixture::ReplayIn(world.Beat("d1"));
  CHECK_FALSE(order.has_shadow());
  world.Beat("d1", 0, replay);
  world.End(replay, "CAPTURE_NOT_FOUND");
  CHECK(world.Run(replay).status() == v1::RUN_STATUS_FAILED);
  const v1::ProfileStatus status = *world.coordinator->GetProfileStatus("p");
  CHECK(status.last_run().run_id() == own);
  CHECK(status.health() == v1::PROFILE_HEALTH_FRESH);
  CHECK(status.next_run_time().seconds() == due.seconds());
  // Nothing is begun in its place.
  for (int i = 0; i < 5; ++i) {
    world.clock.Advance(absl::Seconds(1));
    REQUIRE_OK(world.coordinator->Tick());
    CHECK(world.Beat("d1").orders_size() == 0);
  }
}

TEST_CASE("a replay whose drone goes fails and goes nowhere else, also after a restart of the coordinator") {
  Fixture world;
  world.coordinator->SetProfile(ProfileOf("schedule: {enabled: false}\n"));
  world.Register("d1");
  world.Register("d2");
  world.Beat("d1", 5);
  auto made = world.Replay();
  REQUIRE_OK(made);
  const std::string replay = made->runs(0).run_id();
  if (GENERATE(false, true)) {
    world.Open();
    world.coordinator->SetProfile(ProfileOf("schedule: {enabled: false}\n"));
    CHECK(world.Run(replay).has_replay());
  }
  for (int i = 0; i < 20; ++i) {
    world.clock.Advance(absl::Seconds(1));
    CHECK(Fixture::ReplayIn(world.Beat("d2")).run_id().empty());
    REQUIRE_OK(world.coordinator->Tick());
  }
  CHECK(world.Run(replay).status() == v1::RUN_STATUS_FAILED);
  CHECK(world.Run(replay).error_reason() == "DRONE_LOST");
  CHECK(world.Run(replay).drone_id() == "d1");
}

}  // namespace
}  // namespace chartly::coordinator
