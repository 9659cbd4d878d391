#include "drone/session/session.h"

#include <algorithm>
#include <optional>
#include <utility>

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
    if (stream_ != nullptr) stream_->Cancel();
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
    const bool attends = registered && !polls_;
    absl::Status status = attends ? Attend() : registered ? Beat(kCallTimeout) : Register();
    if (!attends) CountIdle();
    // A coordinator that was away may have become a newer one.
    polls_ = attends ? absl::IsUnimplemented(status) : polls_ && status.ok();
    absl::MutexLock lock(&mu_);
    const bool goes_on = status.ok() || (attends && polls_);
    if (!goes_on || !attends) health_ = status;
    if (goes_on) {
      // A stream follows its registration at once, and what follows the end of a stream, too.
      if (attends || !registered) woken_ = true;
      pause = interval_;
    } else {
      pause = PauseAfterFailure();
      woken_ = false;
    }
  } while (Sleep(pause));
}

// All of it random, and over a share of the interval: a fleet whose coordinator comes back must not come all at once.
absl::Duration Session::PauseAfterFailure() {
  const absl::Duration most = std::max(backoff_, std::min(interval_ / 2, options_.max_backoff));
  backoff_ = std::min(backoff_ * 2, options_.max_backoff);
  return most * std::uniform_real_distribution<double>(0.0, 1.0)(random_);
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

absl::Status Session::Attend() {
  AttendStream stream(*stub_, [this] {
    absl::MutexLock lock(&mu_);
    news_ = true;
    changed_.SignalAll();
  });
  bool stopping;
  {
    absl::MutexLock lock(&mu_);
    stopping = stopping_;
    stream_ = &stream;
    woken_ = true;  // the first beat at once
  }
  absl::Status status = stopping ? absl::OkStatus() : Converse(stream);
  {
    absl::MutexLock lock(&mu_);
    stream_ = nullptr;
  }
  status = stream.Finish(status);
  if (absl::IsUnimplemented(status)) {
    LogInfo("the coordinator has no streams; asking it at the interval");
  } else if (!status.ok()) {
    OnFailure(status, "stream to the coordinator ended");
  }
  return status;
}

absl::Status Session::Converse(AttendStream& stream) {
  SentBeat sent;
  Instant due = std::chrono::steady_clock::now();
  while (true) {
    deps_.executor.Tidy();
    const Instant now = std::chrono::steady_clock::now();
    if (!sent.unanswered && (TakeWoken() || now >= due)) {
      RETURN_IF_ERROR(SendBeat(stream, sent));
      if (!sent.unanswered) return absl::OkStatus();  // fenced
      absl::MutexLock lock(&mu_);
      due = now + absl::ToChronoMilliseconds(interval_);
    }
    while (std::optional<v1::HeartbeatResponse> answer = stream.Take()) RETURN_IF_ERROR(TakeAnswer(*answer, sent));
    if (stream.closed()) return absl::UnavailableError("the stream to the coordinator broke");
    const Instant patience = sent.at + absl::ToChronoMilliseconds(kCallTimeout);
    if (sent.unanswered && now > patience) return absl::DeadlineExceededError("the coordinator answers no heartbeat");
    if (!AwaitNews(sent.unanswered ? patience : due, sent.unanswered)) return absl::OkStatus();
  }
}

absl::Status Session::SendBeat(AttendStream& stream, SentBeat& sent) {
  v1::HeartbeatRequest beat;
  if (!FillBeat(beat)) return absl::OkStatus();
  sent.runs.assign(beat.runs().begin(), beat.runs().end());
  sent.at = std::chrono::steady_clock::now();
  sent.unanswered = true;
  beat.set_sequence(++sent.sequence);
  // What a beat told that was not heard is told anew on the next stream.
  if (v1::CaptureReport captures; deps_.captures != nullptr && deps_.captures->Report(sent.sequence == 1, captures)) {
    *beat.mutable_captures() = std::move(captures);
  }
  // Why it is over, Finish says.
  return stream.Send(beat) ? absl::OkStatus() : absl::UnavailableError("the stream to the coordinator broke");
}

absl::Status Session::TakeAnswer(const v1::HeartbeatResponse& answer, SentBeat& sent) {
  if (!answer.refused_reason().empty()) {
    return Error(absl::StatusCode::kFailedPrecondition, answer.refused_reason(), "the coordinator refused a heartbeat");
  }
  if (sent.unanswered && answer.sequence() >= sent.sequence) {
    sent.unanswered = false;
    if (++beats_ >= kSettledBeats) backoff_ = options_.min_backoff;
    deps_.executor.Acknowledge(sent.runs);
    CountIdle();
    absl::MutexLock lock(&mu_);
    health_ = absl::OkStatus();
  }
  if (Obey(answer)) Wake();
  return absl::OkStatus();
}

bool Session::TakeWoken() {
  absl::MutexLock lock(&mu_);
  return std::exchange(woken_, false);
}

bool Session::AwaitNews(Instant until, bool unanswered) {
  absl::MutexLock lock(&mu_);
  while (!news_ && !stopping_ && (unanswered || !woken_)) {
    const absl::Duration left = absl::FromChrono(until - std::chrono::steady_clock::now());
    if (left <= absl::ZeroDuration() || changed_.WaitWithTimeout(&mu_, left)) break;
  }
  news_ = false;
  return !stopping_;
}

bool Session::FillBeat(v1::HeartbeatRequest& beat) {
  beat.set_drone_id(options_.drone_id);
  {
    absl::MutexLock lock(&mu_);
    if (epoch_ == 0) return false;
    beat.set_epoch(epoch_);
  }
  for (v1::RunProgress& run : deps_.executor.Progress()) *beat.add_runs() = std::move(run);
  beat.set_spool_bytes(deps_.spool.bytes());
  *beat.mutable_send_time() = ToTimestamp(absl::Now());
  if (v1::QuotaReport quota; deps_.quota != nullptr && deps_.quota->Report(quota)) {
    *beat.mutable_quota() = std::move(quota);
  }
  return true;
}

bool Session::Obey(const v1::HeartbeatResponse& answer) {
  bool news = false;
  if (deps_.quota != nullptr && answer.has_quota()) deps_.quota->Take(answer.quota());
  for (const std::string& run_id : answer.cancel_run_ids()) deps_.executor.Cancel(run_id);
  for (const v1::RunOrder& order : answer.orders()) news = deps_.executor.Start(order) || news;
  absl::MutexLock lock(&mu_);
  if (answer.heartbeat_interval_ms() > 0) {
    interval_ = std::max(kMinInterval, absl::Milliseconds(answer.heartbeat_interval_ms()));
  }
  return news;
}

absl::Status Session::Beat(absl::Duration timeout) {
  v1::HeartbeatRequest beat;
  if (!FillBeat(beat)) return absl::UnavailableError("not registered");
  v1::HeartbeatResponse answer;
  absl::Status status =
      Call(timeout, [&](grpc::ClientContext* context) { return stub_->Heartbeat(context, beat, &answer); });
  if (!status.ok()) {
    OnFailure(status, "heartbeat not answered");
    return status;
  }
  if (++beats_ >= kSettledBeats) backoff_ = options_.min_backoff;
  deps_.executor.Acknowledge({beat.runs().begin(), beat.runs().end()});
  Obey(answer);
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
