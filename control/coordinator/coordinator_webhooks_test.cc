#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <memory>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/rpc/peers.h"
#include "common/status/status.h"
#include "common/webhook/webhook_signature.h"
#include "control/coordinator/stored_coordinator_test.h"
#include "control/coordinator/webhook_receiver.h"
#include "test/support/test.h"

namespace chartly::coordinator {
namespace {

constexpr char kKey[] = "a key of this test, 24 bytes or more";
constexpr char kOldKey[] = "the key before, of 24 bytes or more";

v1::Profile ProfileOf(const std::string& id, int64_t generation = 1) {
  v1::Profile profile;
  profile.set_id(id);
  profile.set_revision(absl::StrCat("sha256:", generation));
  profile.set_content(absl::StrCat("id: ", id, R"(
name: Sensors
version: 1.0.)",
                                   generation, R"(
source:
  type: webhook
  format: json
  webhook: {key: {name: hook, key: current}, previous: {name: hook, key: previous}}
limits: {max_pages: 2}
mapping:
  id: {to: dims.id}
  value: {to: measures.value, type: integer}
)"));
  profile.set_enabled(true);
  profile.mutable_interval()->set_seconds(3600);
  profile.set_generation(generation);
  return profile;
}

// A coordinator on real state with one drone, whose beats and ends of runs the test sends.
class Fixture : public StoredCoordinator {
 public:
  Fixture() {
    WriteKey("current", kKey);
    Begin();
  }
  void Open() {
    StoredCoordinator::Open();
    Begin();
  }
  void WriteKey(const std::string& name, const std::string& key) {
    std::filesystem::create_directories(File("secrets/hook"));
    std::string file = File("secrets/hook/" + name);
    std::ofstream(file) << key << "\n";
    ::chmod(file.c_str(), 0600);
  }
  v1::ReceiveWebhookRequest Signed(const std::string& id, const std::string& body, const std::string& key = kKey) {
    int64_t now = absl::ToUnixSeconds(clock.Now());
    v1::ReceiveWebhookRequest request;
    request.set_profile("p");
    request.set_webhook_id(id);
    request.set_webhook_timestamp(absl::StrCat(now));
    request.set_webhook_signature(SignWebhook(key, id, now, body));
    request.set_body(body);
    return request;
  }
  absl::StatusOr<v1::ReceiveWebhookResponse> Receive(const v1::ReceiveWebhookRequest& request) {
    Secrets secrets(File("secrets"));
    rpc::Peers peers({{Part::kRegistry, "127.0.0.1:1"}}, "");
    ProfileWatcher profiles(*coordinator, peers, clock);
    return WebhookReceiver(*coordinator, profiles, secrets, clock).Receive(request);
  }
  void Post(const std::string& id, const std::string& body) { REQUIRE_OK(Receive(Signed(id, body))); }
  // The orders of the next beat; a run is reported as going on.
  std::vector<v1::RunOrder> Orders() {
    REQUIRE_OK(coordinator->Tick());
    v1::HeartbeatRequest request;
    request.set_drone_id("d");
    request.set_epoch(epoch_);
    absl::StatusOr<v1::HeartbeatResponse> answer = coordinator->Heartbeat(request);
    REQUIRE_OK(answer);
    return {answer->orders().begin(), answer->orders().end()};
  }
  // The one order of the next beat, as "id=body id=body".
  std::string Ordered() {
    std::vector<v1::RunOrder> orders = Orders();
    if (orders.empty()) return "nothing";
    REQUIRE(orders.size() == 1);
    run_id = orders[0].run_id();
    return absl::StrJoin(orders[0].deliveries(), " ", [](std::string* out, const v1::WebhookDelivery& delivery) {
      absl::StrAppend(out, delivery.delivery_id(), "=", delivery.body());
    });
  }
  // The aggregator tells the end of the run that was ordered last.
  void End(const std::string& reason = "", bool truncated = false, int64_t missing = 0) {
    v1::RunLedger ledger;
    ledger.set_run_id(run_id);
    ledger.mutable_balance()->set_stored(1);
    ledger.mutable_end()->set_run_id(run_id);
    ledger.mutable_end()->set_fetched(1 + missing);
    ledger.mutable_end()->set_error_reason(reason);
    ledger.mutable_end()->set_truncated(truncated);
    coordinator->TakeLedger(ledger);
  }

  std::string run_id;

 private:
  void Begin() {
    coordinator->SetProfile(ProfileOf("p"));
    v1::RegisterDroneRequest request;
    request.set_drone_id("d");
    absl::StatusOr<v1::Drone> drone = coordinator->RegisterDrone(request);
    REQUIRE_OK(drone);
    epoch_ = drone->epoch();
  }

  int64_t epoch_ = 0;
};

std::string ReasonOf(const absl::StatusOr<v1::ReceiveWebhookResponse>& answer) {
  return answer.ok() ? "OK" : Reason(answer.status());
}

}  // namespace

TEST_CASE("deliveries that wait make a run that carries them, and its good end lets go of them") {
  Fixture fixture;
  CHECK(fixture.Ordered() == "nothing");
  fixture.Post("1", "a");
  fixture.Post("2", "b");
  CHECK(fixture.Ordered() == "1=a 2=b");
  CHECK(fixture.coordinator->GetRun(fixture.run_id)->trigger() == "webhook");
  CHECK(fixture.Ordered() == "1=a 2=b");  // until the drone tells of it
  fixture.Post("3", "c");
  fixture.End();
  CHECK(fixture.Ordered() == "3=c");
  fixture.End();
  CHECK(fixture.Ordered() == "nothing");
  fixture.Open();
  CHECK(fixture.Ordered() == "nothing");
}

TEST_CASE("a run is given no more deliveries than its profile lets through") {
  Fixture fixture;
  for (const char* id : {"1", "2", "3"}) fixture.Post(id, "x");
  CHECK(fixture.Ordered() == "1=x 2=x");
}

TEST_CASE("deliveries of a run that did not end well are ordered again") {
  Fixture fixture;
  fixture.Post("1", "a");
  fixture.Post("2", "b");
  CHECK(fixture.Ordered() == "1=a 2=b");
  fixture.End("DRONE_RESTARTED");
  fixture.clock.Advance(absl::Seconds(1));
  CHECK(fixture.Ordered() == "1=a 2=b");
  CHECK(fixture.coordinator->GetRun(fixture.run_id)->attempt() == 2);
  fixture.End("", false, /*missing=*/1);
  CHECK(fixture.Ordered() == "1=a 2=b");
  fixture.End();
  CHECK(fixture.Ordered() == "nothing");
}

TEST_CASE("a crash right after the end of a run orders nothing again and loses nothing") {
  Fixture fixture;
  fixture.Post("1", "a");
  CHECK(fixture.Ordered() == "1=a");
  std::string first = fixture.run_id;
  fixture.End();
  fixture.Open();  // crash
  CHECK(fixture.coordinator->GetRun(first)->status() == v1::RUN_STATUS_SUCCEEDED);
  CHECK(fixture.Ordered() == "nothing");
  fixture.Post("2", "b");
  CHECK(fixture.Ordered() == "2=b");
}

TEST_CASE("the late end of a lost run lets go of what the next run was given") {
  Fixture fixture;
  fixture.Post("1", "a");
  CHECK(fixture.Ordered() == "1=a");
  std::string lost = fixture.run_id;
  fixture.Open();  // the drone registers anew: the run it may have begun is lost
  CHECK(fixture.Ordered() == "1=a");
  CHECK(fixture.run_id != lost);
  std::string second = fixture.run_id;
  fixture.run_id = lost;
  fixture.End();
  CHECK(fixture.coordinator->GetRun(lost)->status() == v1::RUN_STATUS_SUCCEEDED);
  CHECK(fixture.Ordered().empty());  // the same run, with nothing left to do
  CHECK(fixture.run_id == second);
}

TEST_CASE("a delivery that the profile cannot take lets the others pass and waits for another revision") {
  Fixture fixture;
  fixture.Post("1", "bad");
  fixture.Post("2", "b");
  CHECK(fixture.Ordered() == "1=bad 2=b");
  fixture.End("PAYLOAD_NOT_JSON");
  fixture.clock.Advance(absl::Seconds(3));
  CHECK(fixture.Ordered() == "1=bad");
  fixture.End("PAYLOAD_NOT_JSON");
  fixture.clock.Advance(absl::Seconds(3));
  CHECK(fixture.Ordered() == "2=b");
  fixture.End();
  CHECK(fixture.Ordered() == "nothing");
  fixture.coordinator->SetProfile(ProfileOf("p", 2));
  CHECK(fixture.Ordered() == "1=bad");
}

TEST_CASE("a run that gave less than its profile expects has taken its deliveries all the same") {
  Fixture fixture;
  fixture.Post("1", "a");
  CHECK(fixture.Ordered() == "1=a");
  fixture.End("EXPECTATION_FAILED", /*truncated=*/true);
  CHECK(fixture.Ordered() == "nothing");
}

TEST_CASE("a deleted profile takes its deliveries along") {
  Fixture fixture;
  fixture.Post("1", "a");
  fixture.coordinator->RemoveProfile("p");
  REQUIRE_OK(fixture.coordinator->Tick());
  fixture.Open();
  CHECK(fixture.Ordered() == "nothing");
}

TEST_CASE("only what is signed with a key of the profile is taken, and the key before while it lies there") {
  Fixture fixture;
  CHECK(ReasonOf(fixture.Receive(fixture.Signed("1", "a", kOldKey))) == "WEBHOOK_SIGNATURE_INVALID");
  fixture.WriteKey("previous", kOldKey);
  CHECK(ReasonOf(fixture.Receive(fixture.Signed("1", "a", kOldKey))) == "OK");
  CHECK(ReasonOf(fixture.Receive(fixture.Signed("2", "b"))) == "OK");
  v1::ReceiveWebhookRequest changed = fixture.Signed("3", "c");
  changed.set_body("d");
  CHECK(ReasonOf(fixture.Receive(changed)) == "WEBHOOK_SIGNATURE_INVALID");
  v1::ReceiveWebhookRequest old = fixture.Signed("4", "d");
  fixture.clock.Advance(absl::Minutes(6));
  CHECK(ReasonOf(fixture.Receive(old)) == "WEBHOOK_TIMESTAMP_INVALID");
  CHECK(fixture.Orders().empty());  // this beat brings the drone back
  CHECK(fixture.Ordered() == "1=a 2=b");
}

TEST_CASE("a replay is answered and not stored, and an unknown, too large or keyless delivery is refused") {
  Fixture fixture;
  v1::ReceiveWebhookRequest request = fixture.Signed("1", "a");
  CHECK_FALSE(fixture.Receive(request)->already_taken());
  CHECK(fixture.Receive(request)->already_taken());
  CHECK(ReasonOf(fixture.Receive(fixture.Signed("1", "b"))) == "WEBHOOK_ID_REUSED");
  CHECK(ReasonOf(fixture.Receive(fixture.Signed("2", std::string((1 << 20) + 1, 'x')))) == "WEBHOOK_TOO_LARGE");
  request.set_profile("../p");
  CHECK(ReasonOf(fixture.Receive(request)) == "WEBHOOK_NOT_FOUND");
  request.set_profile("other");
  CHECK(ReasonOf(fixture.Receive(request)) == "WEBHOOK_NOT_READY");  // the registry is away
  fixture.WriteKey("current", "too short");
  CHECK(ReasonOf(fixture.Receive(fixture.Signed("3", "c", "too short"))) == "WEBHOOK_KEY_UNAVAILABLE");
  CHECK(fixture.Ordered() == "1=a");
}

}  // namespace chartly::coordinator
