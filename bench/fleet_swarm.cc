#include "bench/fleet_swarm.h"

#include <grpcpp/grpcpp.h>

#include <algorithm>
#include <functional>
#include <map>
#include <random>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "bench/fleet_server.h"
#include "common/rpc/guard.h"

namespace chartly::bench {
namespace {

using Instant = FleetSwarm::Instant;

Instant Now() { return std::chrono::steady_clock::now(); }

std::chrono::nanoseconds Nanoseconds(double seconds) {
  return std::chrono::nanoseconds(static_cast<int64_t>(seconds * 1e9));
}

std::shared_ptr<grpc::Channel> OwnChannel(int port) {
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);  // else all channels would be one connection
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 100);
  arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, 20'000);
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 2'000);
  arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  return grpc::CreateCustomChannel(absl::StrCat("127.0.0.1:", port), grpc::InsecureChannelCredentials(), arguments);
}

bool WaitFor(double seconds, const std::function<bool()>& done) {
  const Instant end = Now() + Nanoseconds(seconds);
  while (!done()) {
    if (Now() > end) return false;
    absl::SleepFor(absl::Milliseconds(5));
  }
  return true;
}

}  // namespace

// One drone, and its stream as long as there is one. gRPC's threads and the one that beats meet in it.
class LogicalDrone final : public grpc::ClientBidiReactor<v1::HeartbeatRequest, v1::HeartbeatResponse> {
 public:
  LogicalDrone(FleetSwarm& swarm, v1::CoordinatorService::Stub& stub, int number)
      : swarm_(swarm), stub_(stub), number_(number) {}

  void Register() {
    auto call = std::make_shared<Registration>();
    call->request.set_drone_id(Id());
    call->context.AddMetadata(rpc::kApiKeyMetadata, kFleetKey);
    stub_.async()->RegisterDrone(&call->context, &call->request, &call->drone, [this, call](grpc::Status status) {
      if (!status.ok()) return swarm_.NoteError(absl::StrCat("register: ", status.error_message()));
      epoch_ = call->drone.epoch();
      ++swarm_.registered_;
    });
  }

  void Open() {
    {
      absl::MutexLock lock(&mu_);
      if (opening_ || open_ || lost_ || swarm_.closing_) return;
      opening_ = true;
      context_ = std::make_unique<grpc::ClientContext>();
      context_->AddMetadata(rpc::kApiKeyMetadata, kFleetKey);
      attending_ = writing_ = due_ = false;
      sequence_ = 0;
    }
    ++swarm_.open_;
    stub_.async()->Attend(context_.get(), this);
    AddHold();  // of those who beat from outside
    StartRead(&answer_);
    {
      // Not sooner: until it is bound to the call nobody may write.
      absl::MutexLock lock(&mu_);
      opening_ = false;
      open_ = true;
    }
    StartCall();
    Beat();
  }

  void Beat() {
    {
      absl::MutexLock lock(&mu_);
      if (!open_ || lost_) return;
      if (writing_) {
        due_ = true;
        return;
      }
      Fill();
      AddHold();  // the stream may end meanwhile
    }
    StartWrite(&beat_);
    RemoveHold();
  }

  // From now on it is gone.
  void Lose() {
    absl::MutexLock lock(&mu_);
    lost_ = true;
    if (open_) context_->TryCancel();
  }
  void Close() {
    absl::MutexLock lock(&mu_);
    if (open_) context_->TryCancel();
  }

  void OnWriteDone(bool ok) override {
    bool again = false;
    {
      absl::MutexLock lock(&mu_);
      writing_ = false;
      again = ok && std::exchange(due_, false);
    }
    if (again) Beat();
  }

  void OnReadDone(bool ok) override {
    if (!ok) {
      {
        absl::MutexLock lock(&mu_);
        open_ = false;
        if (std::exchange(attending_, false)) --swarm_.attending_;
      }
      RemoveHold();
      return;
    }
    ++swarm_.answers_;
    const bool mute = swarm_.mute_each_ > 0 && number_ % swarm_.mute_each_ == 0;
    bool tell = false;
    {
      absl::MutexLock lock(&mu_);
      if (!std::exchange(attending_, true)) ++swarm_.attending_;
      for (const v1::RunOrder& order : answer_.orders()) {
        if (!known_.emplace(order.run_id(), false).second) continue;
        swarm_.NoteOrder(mute);
        tell = !mute;
      }
    }
    answer_.Clear();
    StartRead(&answer_);
    if (tell) Beat();
  }

  void OnDone(const grpc::Status& status) override {
    --swarm_.open_;
    ++swarm_.ended_;
    const bool expected = status.error_code() == grpc::StatusCode::UNAVAILABLE ||
                          status.error_code() == grpc::StatusCode::CANCELLED || status.ok();
    if (!expected) swarm_.NoteError(absl::StrCat(Id(), ": ", status.error_code(), " ", status.error_message()));
    {
      absl::MutexLock lock(&mu_);
      if (lost_) return;
    }
    if (!swarm_.closing_) swarm_.ComeBack(this);
  }

 private:
  struct Registration {
    grpc::ClientContext context;
    v1::RegisterDroneRequest request;
    v1::Drone drone;
  };
  std::string Id() const { return absl::StrCat("drone-", number_); }

  void Fill() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    beat_.Clear();
    beat_.set_drone_id(Id());
    beat_.set_epoch(epoch_);
    beat_.set_sequence(++sequence_);
    const bool mute = swarm_.mute_each_ > 0 && number_ % swarm_.mute_each_ == 0;
    // A run is told of as begun, and with the next beat as finished.
    for (auto it = known_.begin(); !mute && it != known_.end();) {
      v1::RunProgress& progress = *beat_.add_runs();
      progress.set_run_id(it->first);
      progress.set_fetched(1);
      progress.set_finished(it->second);
      it = std::exchange(it->second, true) ? known_.erase(it) : std::next(it);
    }
    writing_ = true;
  }

  FleetSwarm& swarm_;
  v1::CoordinatorService::Stub& stub_;
  const int number_;
  std::atomic<int64_t> epoch_ = 0;
  std::unique_ptr<grpc::ClientContext> context_;
  v1::HeartbeatRequest beat_;
  v1::HeartbeatResponse answer_;
  absl::Mutex mu_;
  std::map<std::string, bool> known_ ABSL_GUARDED_BY(mu_);  // runs, and whether they were told of
  int64_t sequence_ ABSL_GUARDED_BY(mu_) = 0;
  bool opening_ ABSL_GUARDED_BY(mu_) = false;
  bool open_ ABSL_GUARDED_BY(mu_) = false;
  bool attending_ ABSL_GUARDED_BY(mu_) = false;
  bool writing_ ABSL_GUARDED_BY(mu_) = false;
  bool due_ ABSL_GUARDED_BY(mu_) = false;
  bool lost_ ABSL_GUARDED_BY(mu_) = false;
};

FleetSwarm::FleetSwarm(const SwarmOptions& options) : options_(options) {
  for (int i = 0; i < options.connections; ++i) {
    stubs_.push_back(v1::CoordinatorService::NewStub(OwnChannel(options.port)));
  }
  for (int i = 0; i < options.drones; ++i) {
    drones_.push_back(std::make_unique<LogicalDrone>(*this, *stubs_[static_cast<size_t>(i) % stubs_.size()], i));
  }
  beats_ = std::thread([this] { Beats(); });
}

FleetSwarm::~FleetSwarm() {
  closing_ = true;
  stop_.Notify();
  beats_.join();
  for (const std::unique_ptr<LogicalDrone>& drone : drones_) drone->Close();
  WaitFor(60, [this] { return open_ == 0; });
}

int FleetSwarm::RegisterAll(double seconds) {
  for (const std::unique_ptr<LogicalDrone>& drone : drones_) drone->Register();
  WaitFor(seconds, [this] { return registered_ + errors_ >= options_.drones; });
  return options_.drones - registered_;
}

int FleetSwarm::AttendAll(double seconds) {
  if (registered_ == 0) return options_.drones;
  for (const std::unique_ptr<LogicalDrone>& drone : drones_) drone->Open();
  return AwaitComeback(seconds, 0);
}

int FleetSwarm::AwaitComeback(double seconds, int64_t ended) {
  WaitFor(seconds, [&] { return ended_ >= ended && attending_ == options_.drones; });
  return ended_ < ended ? options_.drones : options_.drones - attending_;
}

int FleetSwarm::Lose(int each) {
  int lost = 0;
  for (size_t i = 0; i < drones_.size(); i += static_cast<size_t>(each), ++lost) drones_[i]->Lose();
  return lost;
}

// Each drone beats once an interval, spread evenly over it.
void FleetSwarm::Beats() {
  const Instant begin = Now();
  size_t next = 0;  // beats so far
  while (!stop_.HasBeenNotified()) {
    const double intervals = std::chrono::duration<double>(Now() - begin).count() / options_.beat_seconds;
    const size_t due = static_cast<size_t>(intervals * options_.drones);
    for (; next < due; ++next) drones_[next % drones_.size()]->Beat();
    std::vector<LogicalDrone*> back;
    {
      absl::MutexLock lock(&mu_);
      const Instant now = Now();
      auto rest = std::partition(coming_back_.begin(), coming_back_.end(),
                                 [now](const auto& entry) { return entry.first > now; });
      for (auto it = rest; it != coming_back_.end(); ++it) back.push_back(it->second);
      coming_back_.erase(rest, coming_back_.end());
    }
    for (LogicalDrone* drone : back) drone->Open();
    stop_.WaitForNotificationWithTimeout(absl::Milliseconds(5));
  }
}

void FleetSwarm::ComeBack(LogicalDrone* drone) {
  thread_local std::mt19937_64 random{std::random_device{}()};
  const double wait = std::uniform_real_distribution<double>(0, options_.comeback_seconds)(random);
  absl::MutexLock lock(&mu_);
  coming_back_.emplace_back(Now() + Nanoseconds(wait), drone);
}

void FleetSwarm::NoteOrder(bool mute) {
  if (mute) ++mute_orders_;
  const Instant now = Now();
  absl::MutexLock lock(&mu_);
  arrivals_.push_back(now);
}

void FleetSwarm::NoteError(const std::string& what) {
  ++errors_;
  absl::MutexLock lock(&mu_);
  if (first_error_.empty()) first_error_ = what;
}

void FleetSwarm::ForgetOrders() {
  absl::MutexLock lock(&mu_);
  arrivals_.clear();
}

std::vector<double> FleetSwarm::OrdersSince(Instant since) {
  std::vector<double> seconds;
  absl::MutexLock lock(&mu_);
  for (Instant arrival : arrivals_) seconds.push_back(std::chrono::duration<double>(arrival - since).count());
  std::sort(seconds.begin(), seconds.end());
  return seconds;
}

size_t FleetSwarm::orders() {
  absl::MutexLock lock(&mu_);
  return arrivals_.size();
}

std::string FleetSwarm::first_error() {
  absl::MutexLock lock(&mu_);
  return first_error_;
}

}  // namespace chartly::bench
