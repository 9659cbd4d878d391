#include "drone/session/session.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "common/clock/proto_time.h"
#include "common/rpc/grpc_status.h"
#include "common/rpc/peers.h"
#include "common/status/status.h"
#include "common/telemetry/log.h"

namespace chartly::drone {
namespace {

constexpr absl::Duration kCallTimeout = absl::Seconds(10);
constexpr absl::Duration kGoodbyeTimeout = absl::Seconds(1);
constexpr absl::Duration kMinInterval = absl::Milliseconds(20);
// A registration that lasts this many beats is not one of two drones that fence each other.
constexpr int kSettledBeats = 3;
constexpr int kIdleRounds = 3;

}  // namespace

Session::Session(SessionOptions options, SessionDeps deps)
    : options_(std::move(options)),
      deps_(std::move(deps)),
      stub_(v1::CoordinatorService::NewStub(deps_.coordinator)),
      backoff_(options_.min_backoff),
      health_(absl::UnavailableError("not registered with the coordinator yet")) {}

Session::~Session() { Shutdown(); }

void Session::Start() {
  thread_ = std::thread([this] { Run(); });
}

void Session::OnFenced(int64_t epoch) {
  // Seen at the next beat and not at once: two drones of one id must not fence each other in a tight loop.
  absl::MutexLock lock(&mu_);
  if (epoch == epoch_) epoch_ = 0;
}

void Session::Wake() {
  absl::MutexLock lock(&mu_);
  woken_ = true;
  changed_.SignalAll();
}

void Session::Shutdown() {
  if (!thread_.joinable()) return;
  {
    absl::MutexLock lock(&mu_);
    stopping_ = true;
    if (call_ != nullptr) call_->TryCancel();
    changed_.SignalAll();
  }
  deps_.executor.Stop();
  thread_.join();
  absl::Status told = Beat(kGoodbyeTimeout);
  if (!told.ok()) LogInfo("the coordinator did not hear the goodbye", {{"error", std::string(told.message())}});
}

absl::Status Session::health() const {
  absl::MutexLock lock(&mu_);
  return health_;
}

void Session::Run() {
  absl::Duration pause;
  do {
    deps_.executor.Tidy();
    bool registered;
    {
      absl::MutexLock lock(&mu_);
      registered = epoch_ != 0;
    }
    absl::Status status = registered ? Beat(kCallTimeout) : Register();
    CountIdle();
    absl::MutexLock lock(&mu_);
    health_ = status;
    if (status.ok()) {
      if (!registered) woken_ = true;  // the first beat at once
      pause = interval_;
    } else {
      double share = std::uniform_real_distribution<double>(0.5, 1.0)(random_);
      pause = backoff_ * share;
      backoff_ = std::min(backoff_ * 2, options_.max_backoff);
      woken_ = false;
    }
  } while (Sleep(pause));
}

// Shutdown does not wait for an answer that may never come.
absl::Status Session::Call(absl::Duration timeout, const std::function<grpc::Status(grpc::ClientContext*)>& call) {
  grpc::ClientContext context;
  rpc::Prepare(context, timeout);
  {
    absl::MutexLock lock(&mu_);
    if (stopping_ && timeout > kGoodbyeTimeout) return absl::CancelledError("the drone is stopping");
    call_ = &context;
  }
  grpc::Status status = call(&context);
  absl::MutexLock lock(&mu_);
  call_ = nullptr;
  return rpc::FromGrpcStatus(status);
}

absl::Status Session::Register() {
  v1::RegisterDroneRequest request;
  request.set_drone_id(options_.drone_id);
  request.mutable_labels()->insert(options_.labels.begin(), options_.labels.end());
  request.set_capacity(options_.capacity);
  request.set_version(options_.version);
  *request.mutable_consent() = options_.consent;
  v1::Drone drone;
  absl::Status status =
      Call(kCallTimeout, [&](grpc::ClientContext* context) { return stub_->RegisterDrone(context, request, &drone); });
  if (!status.ok()) {
    LogWarn("not registered with the coordinator; trying again", {{"error", status.ToString()}});
    return status;
  }
  LogInfo("registered with the coordinator", {{"drone", options_.drone_id}, {"epoch", absl::StrCat(drone.epoch())}});
  beats_ = 0;
  {
    absl::MutexLock lock(&mu_);
    epoch_ = drone.epoch();
    if (drone.heartbeat_interval_ms() > 0) {
      interval_ = std::max(kMinInterval, absl::Milliseconds(drone.heartbeat_interval_ms()));
    }
  }
  if (deps_.on_epoch) deps_.on_epoch(drone.epoch());
  return absl::OkStatus();
}

absl::Status Session::Beat(absl::Duration timeout) {
  v1::HeartbeatRequest request;
  request.set_drone_id(options_.drone_id);
  {
    absl::MutexLock lock(&mu_);
    if (epoch_ == 0) return absl::UnavailableError("not registered");
    request.set_epoch(epoch_);
  }
  std::vector<v1::RunProgress> progress = deps_.executor.Progress();
  for (const v1::RunProgress& run : progress) *request.add_runs() = run;
  request.set_spool_bytes(deps_.spool.bytes());
  *request.mutable_send_time() = ToTimestamp(absl::Now());
  v1::HeartbeatResponse response;
  absl::Status status =
      Call(timeout, [&](grpc::ClientContext* context) { return stub_->Heartbeat(context, request, &response); });
  if (!status.ok()) {
    OnFailure(status, "heartbeat not answered");
    return status;
  }
  if (++beats_ >= kSettledBeats) backoff_ = options_.min_backoff;
  deps_.executor.Acknowledge(progress);
  for (const std::string& run_id : response.cancel_run_ids()) deps_.executor.Cancel(run_id);
  for (const v1::RunOrder& order : response.orders()) deps_.executor.Start(order);
  absl::MutexLock lock(&mu_);
  if (response.heartbeat_interval_ms() > 0) {
    interval_ = std::max(kMinInterval, absl::Milliseconds(response.heartbeat_interval_ms()));
  }
  return absl::OkStatus();
}

void Session::OnFailure(const absl::Status& status, absl::string_view what) {
  LogWarn(what, {{"error", status.ToString()}});
  if (!absl::IsNotFound(status) && !absl::IsFailedPrecondition(status)) return;
  absl::MutexLock lock(&mu_);
  epoch_ = 0;
}

void Session::CountIdle() {
  idle_ = deps_.executor.Progress().empty() ? idle_ + 1 : 0;
  if (idle_ == kIdleRounds && deps_.on_idle) deps_.on_idle();
}

// Says false once the session is to end.
bool Session::Sleep(absl::Duration duration) {
  absl::MutexLock lock(&mu_);
  if (!woken_ && !stopping_) {
    changed_.WaitWithTimeout(&mu_, duration);
  }
  woken_ = false;
  return !stopping_;
}

}  // namespace chartly::drone
