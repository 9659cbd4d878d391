// The stream between drones and the coordinator, over a real server. Beats are half a minute apart here, so that what
// arrives sooner was told without one.
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "common/rpc/grpc_status.h"
#include "common/status/status.h"
#include "control/coordinator/coordinator_process_test.h"
#include "test/support/test.h"

namespace chartly::coordinator {
namespace {

using testing::Eventually;
using testing::TempDir;

constexpr absl::Duration kRareBeats = absl::Seconds(30);

// One end of a stream, read by the test.
class Speaker {
 public:
  explicit Speaker(v1::CoordinatorService::Stub& stub) : call_(stub.Attend(&context_)) {}
  ~Speaker() {
    context_.TryCancel();
    if (!finished_) call_->Finish();
  }
  void Beat(const std::string& id, int64_t epoch, int64_t sequence, const std::string& run = "", bool done = false) {
    v1::HeartbeatRequest beat;
    beat.set_drone_id(id);
    beat.set_epoch(epoch);
    beat.set_sequence(sequence);
    beat.set_spool_bytes(sequence);
    if (!run.empty()) {
      v1::RunProgress& progress = *beat.add_runs();
      progress.set_run_id(run);
      progress.set_finished(done);
    }
    call_->Write(beat);
  }
  v1::HeartbeatResponse Read() {
    v1::HeartbeatResponse answer;
    REQUIRE(call_->Read(&answer));
    return answer;
  }
  // Reads on until the answer fits.
  template <typename Fits>
  v1::HeartbeatResponse ReadUntil(Fits fits) {
    v1::HeartbeatResponse answer = Read();
    while (!fits(answer)) answer = Read();
    return answer;
  }
  absl::Status End() {
    v1::HeartbeatResponse answer;
    while (call_->Read(&answer)) {
    }
    finished_ = true;
    return rpc::FromGrpcStatus(call_->Finish());
  }
  void Close() { call_->WritesDone(); }

 private:
  grpc::ClientContext context_;
  std::unique_ptr<grpc::ClientReaderWriter<v1::HeartbeatRequest, v1::HeartbeatResponse>> call_;
  bool finished_ = false;
};

std::string OrderedOn(Speaker& speaker) {
  return speaker.ReadUntil([](const v1::HeartbeatResponse& a) { return a.orders_size() > 0; }).orders(0).run_id();
}

// Knows keys of the form "drone:ID" as certificates of that drone.
class DronesByKey final : public rpc::Authenticator {
 public:
  absl::StatusOr<rpc::Caller> Authenticate(const rpc::Credentials& credentials) const override {
    rpc::Caller caller;
    caller.kind = rpc::CallerKind::kDrone;
    caller.drone_id = std::string(credentials.api_key);
    if (revoked) return Error(absl::StatusCode::kUnauthenticated, "DRONE_REVOKED", "it was revoked");
    return caller;
  }
  absl::StatusOr<rpc::Caller> AuthenticateKey(absl::string_view, const rpc::KeyDigest&) const override {
    return Error(absl::StatusCode::kUnauthenticated, "API_KEY_UNKNOWN", "drones have no keys here");
  }
  std::atomic<bool> revoked = false;
};

}  // namespace

TEST_CASE("a beat is answered, and what is ordered and cancelled later is told at once") {
  TempDir dir;
  Process process(dir.path(), kRareBeats);
  process.registry.Add("p", false);
  v1::Drone drone = process.Register("d");
  Speaker speaker(*process.stub);
  speaker.Beat("d", drone.epoch(), 1);
  v1::HeartbeatResponse answer = speaker.Read();
  CHECK(answer.drone_id() == "d");
  CHECK(answer.sequence() == 1);
  CHECK(answer.heartbeat_interval_ms() == 30'000);
  CHECK(answer.orders_size() == 0);

  absl::Time asked = absl::Now();
  v1::Run run;
  REQUIRE_OK(process.RunNow("profiles/p", run));
  answer = speaker.Read();
  CHECK(absl::Now() - asked < absl::Seconds(1));
  REQUIRE(answer.orders_size() == 1);
  CHECK(answer.orders(0).run_id() == run.run_id());
  CHECK(answer.orders(0).content() == "id: p");
  CHECK(answer.orders(0).lease_epoch() == drone.epoch());
  CHECK(answer.sequence() == 1);  // no beat was heard meanwhile

  speaker.Beat("d", drone.epoch(), 2, run.run_id());
  answer = speaker.ReadUntil([](const v1::HeartbeatResponse& a) { return a.sequence() == 2; });
  CHECK(answer.orders_size() == 0);
  CHECK(process.GetRun(run.run_id()).status() == v1::RUN_STATUS_RUNNING);
  v1::CancelRunRequest cancel;
  cancel.set_name(run.name());
  asked = absl::Now();
  REQUIRE_OK(process.Call(&v1::CoordinatorService::Stub::CancelRun, cancel, run));
  answer = speaker.ReadUntil([](const v1::HeartbeatResponse& a) { return a.cancel_run_ids_size() > 0; });
  CHECK(absl::Now() - asked < absl::Seconds(1));
  CHECK(answer.cancel_run_ids(0) == run.run_id());
}

TEST_CASE("what the schedule decides is told at once, too") {
  TempDir dir;
  Process process(dir.path(), kRareBeats);
  v1::Drone drone = process.Register("d");
  Speaker speaker(*process.stub);
  speaker.Beat("d", drone.epoch(), 1);
  speaker.Read();
  absl::Time made = absl::Now();
  process.registry.Add("p", true);
  CHECK(speaker.Read().orders(0).profile_id() == "p");
  CHECK(absl::Now() - made < absl::Seconds(2));
}

TEST_CASE("a registration ends the stream of the epoch before it") {
  TempDir dir;
  Process process(dir.path(), kRareBeats);
  v1::Drone drone = process.Register("d");
  Speaker speaker(*process.stub);
  speaker.Beat("d", drone.epoch(), 1);
  speaker.Read();
  process.Register("d");
  absl::Status end = speaker.End();
  CHECK(end.code() == absl::StatusCode::kFailedPrecondition);
  CHECK(Reason(end) == "EPOCH_FENCED");

  Speaker unknown(*process.stub);
  unknown.Beat("nobody", 1, 1);
  end = unknown.End();
  CHECK(absl::IsNotFound(end));
  CHECK(Reason(end) == "DRONE_UNKNOWN");
}

TEST_CASE("a drone that speaks on another stream leaves the one before, and orders follow it") {
  TempDir dir;
  Process process(dir.path(), kRareBeats);
  process.registry.Add("p", false);
  v1::Drone drone = process.Register("d");
  Speaker before(*process.stub);
  before.Beat("d", drone.epoch(), 1);
  before.Read();
  Speaker now(*process.stub);
  now.Beat("d", drone.epoch(), 1);
  now.Read();
  CHECK(Reason(before.End()) == "STREAM_REPLACED");
  v1::Run run;
  REQUIRE_OK(process.RunNow("profiles/p", run));
  CHECK(OrderedOn(now) == run.run_id());
}

TEST_CASE("drones share a stream, and what is refused to one of them is told and ends nothing") {
  TempDir dir;
  Process process(dir.path(), kRareBeats);
  Speaker speaker(*process.stub);
  std::map<std::string, int64_t> answered;
  constexpr int kDrones = 200;
  std::vector<int64_t> epochs;
  for (int i = 0; i < kDrones; ++i) epochs.push_back(process.Register(absl::StrCat("d", i)).epoch());
  for (int i = 0; i < kDrones; ++i) speaker.Beat(absl::StrCat("d", i), epochs[static_cast<size_t>(i)], 7);
  while (answered.size() < kDrones) {
    v1::HeartbeatResponse answer = speaker.Read();
    answered[answer.drone_id()] = answer.sequence();
  }
  for (const auto& [id, sequence] : answered) CHECK(sequence == 7);

  speaker.Beat("nobody", 1, 1);
  v1::HeartbeatResponse answer = speaker.Read();
  CHECK(answer.drone_id() == "nobody");
  CHECK(answer.refused_reason() == "DRONE_UNKNOWN");
  process.Register("d3");
  answer = speaker.Read();
  CHECK(answer.drone_id() == "d3");
  CHECK(answer.refused_reason() == "EPOCH_FENCED");
  // Who says no more is answered all the same.
  speaker.Beat("d4", epochs[4], 8);
  speaker.Close();
  CHECK(speaker.Read().sequence() == 8);
  CHECK_OK(speaker.End());
}

TEST_CASE("who reads slowly gets the last word once, not all of them") {
  TempDir dir;
  Process process(dir.path(), kRareBeats);
  process.registry.padding = absl::StrCat("\n# ", std::string(size_t{1} << 20, 'x'));
  process.registry.Add("p", false);
  v1::Drone drone = process.Register("d");
  v1::Run run;
  REQUIRE_OK(process.RunNow("profiles/p", run));
  Speaker speaker(*process.stub);
  // Each answer repeats the order, which the drone does not tell of. Every beat is heard before the next one is sent.
  constexpr int kBeats = 100;
  for (int i = 1; i <= kBeats; ++i) {
    speaker.Beat("d", drone.epoch(), i);
    REQUIRE(Eventually([&] { return process.GetDrone("d").spool_bytes() == i; }));
  }
  int answers = 0;
  int64_t sequence = 0;
  while (sequence < kBeats) {
    v1::HeartbeatResponse answer = speaker.Read();
    ++answers;
    CHECK(answer.sequence() > sequence);
    CHECK(answer.orders_size() == 1);
    sequence = answer.sequence();
  }
  CHECK(answers < kBeats / 2);
}

TEST_CASE("the certificate of a stream speaks for its drone alone, in each message, and only while it counts") {
  TempDir dir;
  DronesByKey drones;
  Process process(dir.path(), kRareBeats, &drones);
  auto stub = process.StubWith("d");
  grpc::ClientContext context;
  v1::RegisterDroneRequest request;
  v1::Drone drone;
  request.set_drone_id("d");
  REQUIRE(stub->RegisterDrone(&context, request, &drone).ok());
  Speaker speaker(*stub);
  speaker.Beat("d", drone.epoch(), 1);
  CHECK(speaker.Read().sequence() == 1);
  speaker.Beat("e", drone.epoch(), 2);
  absl::Status end = speaker.End();
  CHECK(absl::IsPermissionDenied(end));
  CHECK(Reason(end) == "NOT_YOUR_DRONE");

  drones.revoked = true;
  Speaker refused(*stub);
  refused.Beat("d", drone.epoch(), 1);
  CHECK(Reason(refused.End()) == "DRONE_REVOKED");
}

TEST_CASE("a beat beyond its bound ends the stream") {
  TempDir dir;
  Process process(dir.path(), kRareBeats);
  v1::Drone drone = process.Register("d");
  Speaker speaker(*process.stub);
  speaker.Beat("d", drone.epoch(), 1, std::string(size_t{2} << 20, 'r'));
  CHECK(Reason(speaker.End()) == "BEAT_TOO_LARGE");
}

TEST_CASE("a coordinator that stops ends the streams at once, and the next one takes the same epoch") {
  TempDir dir;
  v1::Drone drone;
  {
    Process process(dir.path(), kRareBeats);
    drone = process.Register("d");
    Speaker speaker(*process.stub);
    speaker.Beat("d", drone.epoch(), 1);
    speaker.Read();
    absl::Time begun = absl::Now();
    process.component->Shutdown();
    CHECK(Reason(speaker.End()) == "SHUTTING_DOWN");
    CHECK(absl::Now() - begun < absl::Seconds(1));
  }
  Process process(dir.path(), kRareBeats);
  Speaker speaker(*process.stub);
  speaker.Beat("d", drone.epoch(), 1);
  CHECK(speaker.Read().sequence() == 1);
}

}  // namespace chartly::coordinator
