#include "control/coordinator/coordinator_component.h"

#include <algorithm>
#include <filesystem>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/status/status.h"
#include "common/telemetry/log.h"

namespace chartly::coordinator {
namespace {

// A few steps a heartbeat, so that no drone waits long for what is due.
absl::Duration StepOf(absl::Duration heartbeat_interval) {
  return std::clamp(heartbeat_interval / 4, absl::Milliseconds(10), absl::Milliseconds(250));
}

CoordinatorOptions With(CoordinatorOptions options, Clock& steady) {
  options.steady = &steady;
  return options;
}

CoordinatorOptions OptionsOf(const CoordinatorConfig& config) {
  CoordinatorOptions options;
  options.heartbeat_interval = config.heartbeat_interval;
  options.lease_min = config.lease_min;
  options.lost_grace = config.lost_grace;
  options.runs_max = config.runs_max;
  return options;
}

}  // namespace

CoordinatorComponent::CoordinatorComponent(const CoordinatorConfig& config, const CoordinatorOptions& options,
                                           std::unique_ptr<StateStore> store, const rpc::Authenticator& authenticator,
                                           rpc::AuditSink* audit, const rpc::Peers& peers, Clock& clock)
    : clock_(clock),
      tick_interval_(StepOf(config.heartbeat_interval)),
      store_(std::move(store)),
      events_(clock.Now()),
      coordinator_(With(options, steady_), *store_, clock, events_),
      intake_(coordinator_),
      profiles_(coordinator_, peers, clock),
      ledger_(coordinator_, peers, clock, tick_interval_),
      secrets_(config.secrets_dir),
      webhooks_(coordinator_, profiles_, secrets_, clock),
      service_(coordinator_, intake_, profiles_, events_, webhooks_, authenticator, audit) {}

absl::StatusOr<std::unique_ptr<CoordinatorComponent>> CoordinatorComponent::Open(
    const CoordinatorConfig& config, const rpc::Authenticator& authenticator, rpc::AuditSink* audit,
    const rpc::Peers& peers, Clock& clock) {
  if (config.heartbeat_interval < absl::Milliseconds(10) || config.runs_max == 0) {
    return Error(absl::StatusCode::kInvalidArgument, "CONFIG_INVALID",
                 "coordinator: heartbeat_interval must be at least 10ms and runs_max at least 1");
  }
  std::string folder = config.data_dir + "/coordinator";
  std::error_code made;
  std::filesystem::create_directories(config.data_dir, made);  // opening the store tells if this failed
  absl::StatusOr<std::unique_ptr<StateStore>> store = OpenEmbeddedStateStore(folder, clock);
  if (!store.ok()) return Annotate(store.status(), absl::StrCat("open coordinator state ", folder));
  std::unique_ptr<CoordinatorComponent> component(
      new CoordinatorComponent(config, OptionsOf(config), *std::move(store), authenticator, audit, peers, clock));
  component->coordinator_.Listen(component->intake_);
  RETURN_IF_ERROR(Annotate(component->coordinator_.Load(), absl::StrCat("read coordinator state ", folder)));
  return component;
}

absl::Status CoordinatorComponent::Start() {
  intake_.Start();
  profiles_.Start();
  ledger_.Start();
  ticker_ = std::thread([this] { TickLoop(); });
  return absl::OkStatus();
}

void CoordinatorComponent::TickLoop() {
  while (!clock_.WaitFor(tick_interval_, stop_)) {
    absl::Status status = coordinator_.Tick();
    absl::MutexLock lock(&mu_);
    if (!status.ok() && tick_status_.ok()) LogError("coordinator cannot write", {{"status", status.ToString()}});
    tick_status_ = status;
  }
}

std::string CoordinatorComponent::Health() {
  absl::MutexLock lock(&mu_);
  if (!tick_status_.ok()) return std::string(tick_status_.message());
  if (!profiles_.in_sync()) return "the registry's profiles are not known yet";
  if (!ledger_.reachable()) return "the aggregator's ledger is out of reach";
  return "";
}

void CoordinatorComponent::Shutdown() {
  events_.Close();
  intake_.Shutdown();
  if (!stop_.HasBeenNotified()) stop_.Notify();
  if (ticker_.joinable()) ticker_.join();
  ledger_.Shutdown();
  profiles_.Shutdown();
}

}  // namespace chartly::coordinator
