#include <memory>

#include "absl/strings/str_cat.h"
#include "common/status/status.h"
#include "control/coordinator/coordinator.h"
#include "test/support/test.h"

namespace chartly::coordinator {
namespace {

std::string TextOf(const std::string& host) {
  return absl::StrCat("id: p\nname: p\nversion: 1.0.0\nsource: {type: http_rest, url: \"https://", host,
                      "/x\", format: json}\nmapping: {n: dims.n}\n");
}

// A coordinator that runs profile `held`, and one drone.
struct PreviewFixture {
  testing::TempDir dir;
  FakeClock clock;
  EventLog events{absl::UnixEpoch()};
  std::unique_ptr<StateStore> store = OpenEmbeddedStateStore(dir.File("state"), clock).value();
  Coordinator coordinator{{}, *store, clock, events};

  explicit PreviewFixture(const v1::DroneConsent& consent) {
    REQUIRE_OK(coordinator.Load());
    v1::Profile held;
    held.set_id("held");
    held.set_revision("sha256:1");
    held.set_content("id: held\n");
    held.set_generation(1);
    coordinator.SetProfile(held);
    v1::RegisterDroneRequest request;
    request.set_drone_id("d");
    *request.mutable_consent() = consent;
    auto drone = coordinator.RegisterDrone(request);
    REQUIRE_OK(drone);
    CHECK(drone->consent().SerializeAsString() == consent.SerializeAsString());
  }
  v1::PreviewAssignmentsResponse Preview(const std::string& id, const std::string& content, bool deleted = false,
                                         const std::string& key_id = "") {
    v1::PreviewAssignmentsRequest request;
    v1::ProfileEdit& edit = *request.add_edits();
    edit.set_profile_id(id);
    edit.set_content(content);
    edit.set_deleted(deleted);
    if (!key_id.empty()) edit.add_key_ids(key_id);
    return coordinator.PreviewAssignments(request);
  }
};

TEST_CASE("a preview tells what the drone gains, loses and gets at another revision") {
  PreviewFixture fixture{{}};
  CHECK(fixture.Preview("p", TextOf("a.example")).drones(0).gained(0) == "p");
  CHECK(fixture.Preview("held", TextOf("a.example")).drones(0).changed(0) == "held");
  CHECK(fixture.Preview("held", "", true).drones(0).lost(0) == "held");
  CHECK(fixture.Preview("p", "", true).drones().empty());
  CHECK(fixture.Preview("p", TextOf("a.example")).drones(0).refusals().empty());
}

TEST_CASE("a preview foretells what the owner of the drone's host will refuse") {
  v1::DroneConsent consent;
  consent.set_hosts_limited(true);
  consent.add_hosts("a.example");
  consent.add_profile_key_ids("0123456789abcdef");
  PreviewFixture fixture{consent};
  CHECK(fixture.Preview("p", TextOf("a.example"), false, "0123456789abcdef").drones(0).refusals().empty());
  CHECK(fixture.Preview("p", TextOf("a.example")).drones(0).refusals(0).reason() == "PROFILE_UNSIGNED");
  v1::PlannedRefusal refusal =
      fixture.Preview("p", TextOf("b.example"), false, "0123456789abcdef").drones(0).refusals(0);
  CHECK(refusal.reason() == "CONSENT_DENIED");
  CHECK(refusal.message().find("b.example") != std::string::npos);
}

TEST_CASE("an order carries the signatures of its revision") {
  PreviewFixture fixture{{}};
  v1::Profile profile;
  profile.set_id("p");
  profile.set_revision("sha256:1");
  profile.set_content("id: p\n");
  profile.set_generation(1);
  profile.set_enabled(true);
  profile.mutable_interval()->set_seconds(3600);
  profile.add_signatures()->set_counter(7);
  fixture.coordinator.SetProfile(profile);
  REQUIRE_OK(fixture.coordinator.ScheduleRun("p", "test"));
  REQUIRE_OK(fixture.coordinator.Tick());
  v1::HeartbeatRequest beat;
  beat.set_drone_id("d");
  auto answer = fixture.coordinator.Heartbeat(beat);
  REQUIRE_OK(answer);
  REQUIRE(answer->orders_size() == 1);
  REQUIRE(answer->orders(0).signatures_size() == 1);
  CHECK(answer->orders(0).signatures(0).counter() == 7);
}

}  // namespace
}  // namespace chartly::coordinator
