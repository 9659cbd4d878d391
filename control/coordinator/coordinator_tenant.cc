#include "control/coordinator/coordinator_tenant.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "common/rpc/caller.h"
#include "common/state/tenant_state.h"
#include "common/status/status.h"
#include "common/telemetry/log.h"
#include "common/telemetry/metrics.h"

namespace chartly::coordinator {
namespace {

constexpr char kOpened[] = "opened";

// A few steps a heartbeat, so that no drone waits long for what is due.
absl::Duration StepOf(absl::Duration heartbeat_interval) {
  return std::clamp(heartbeat_interval / 4, absl::Milliseconds(10), absl::Milliseconds(250));
}

CoordinatorOptions OptionsOf(const CoordinatorConfig& config, Clock& steady) {
  CoordinatorOptions options;
  options.heartbeat_interval = config.heartbeat_interval;
  options.lease_min = config.lease_min;
  options.lost_grace = config.lost_grace;
  options.runs_max = config.runs_max;
  options.steady = &steady;
  return options;
}

// A tenant names the secrets of its webhooks itself, so it must not reach those of another.
Secrets SecretsOf(const std::string& tenant, const std::string& dir) {
  if (tenant == rpc::kDefaultTenant) return Secrets(dir);
  return Secrets::OfFolder(dir.empty() ? "" : absl::StrCat(dir, "/tenants/", tenant));
}

}  // namespace

CoordinatorTenant::CoordinatorTenant(const std::string& tenant, const CoordinatorConfig& config, StateStore& shared,
                                     const rpc::Peers& peers, Clock& clock)
    : clock_(clock),
      tick_interval_(StepOf(config.heartbeat_interval)),
      store_(MakeTenantState(shared, tenant)),
      events(clock.Now()),
      coordinator(OptionsOf(config, steady_), *store_, clock, events),
      intake(coordinator),
      profiles(coordinator, peers.ForTenant(tenant), clock),
      ledger_(coordinator, peers.ForTenant(tenant), clock, tick_interval_),
      secrets_(SecretsOf(tenant, config.secrets_dir)),
      webhooks(coordinator, profiles, secrets_, clock) {}

absl::StatusOr<std::unique_ptr<CoordinatorTenant>> CoordinatorTenant::Open(const std::string& tenant,
                                                                           const CoordinatorConfig& config,
                                                                           StateStore& shared, const rpc::Peers& peers,
                                                                           Clock& clock) {
  std::unique_ptr<CoordinatorTenant> opened(new CoordinatorTenant(tenant, config, shared, peers, clock));
  RETURN_IF_ERROR(opened->Remember(tenant));
  opened->coordinator.Listen(opened->intake);
  RETURN_IF_ERROR(
      Annotate(opened->coordinator.Load(), absl::StrCat("read coordinator state ", config.data_dir, "/coordinator")));
  return opened;
}

// What makes it one of TenantsIn the store from now on: its schedules and webhooks are there after a restart, also if
// nothing else was written yet.
absl::Status CoordinatorTenant::Remember(const std::string& tenant) {
  if (tenant == rpc::kDefaultTenant) return absl::OkStatus();
  const absl::Status known = store_->Get(kOpened).status();
  if (!absl::IsNotFound(known)) return known;
  StateTransaction transaction;
  transaction.puts = {{kOpened, "1"}};
  return store_->Commit(transaction).status();
}

absl::Status CoordinatorTenant::Start() {
  intake.Start();
  profiles.Start();
  ledger_.Start();
  ticker_ = std::thread([this, tenant = MetricTenant::Current()] {
    const MetricTenant metrics(tenant);
    TickLoop();
  });
  return absl::OkStatus();
}

void CoordinatorTenant::TickLoop() {
  while (!clock_.WaitFor(tick_interval_, stop_)) {
    absl::Status status = coordinator.Tick();
    absl::MutexLock lock(&mu_);
    if (!status.ok() && tick_status_.ok()) LogError("coordinator cannot write", {{"status", status.ToString()}});
    tick_status_ = status;
  }
}

std::string CoordinatorTenant::Health() {
  absl::MutexLock lock(&mu_);
  return std::string(tick_status_.message());
}

std::string CoordinatorTenant::Amiss() {
  if (!profiles.in_sync()) return "the registry's profiles are not known yet";
  if (!ledger_.reachable()) return "the aggregator's ledger is out of reach";
  return "";
}

void CoordinatorTenant::Shutdown() {
  events.Close();
  intake.Shutdown();
  if (!stop_.HasBeenNotified()) stop_.Notify();
  if (ticker_.joinable()) ticker_.join();
  ledger_.Shutdown();
  profiles.Shutdown();
}

}  // namespace chartly::coordinator
