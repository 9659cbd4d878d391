// The coordinator of one tenant: its drones, runs, webhooks and events, and the threads that work on them. Thread-safe
// once it is started; Shutdown is safe twice and before Start, and ends streams within 200 ms.
#ifndef CHARTLY_CONTROL_COORDINATOR_COORDINATOR_TENANT_H_
#define CHARTLY_CONTROL_COORDINATOR_COORDINATOR_TENANT_H_

#include <atomic>
#include <memory>
#include <string>
#include <thread>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/synchronization/notification.h"
#include "common/clock/clock.h"
#include "common/clock/steady_clock.h"
#include "common/rpc/peers.h"
#include "common/secrets/secrets.h"
#include "common/state/state_store.h"
#include "control/coordinator/coordinator.h"
#include "control/coordinator/drone_intake.h"
#include "control/coordinator/event_log.h"
#include "control/coordinator/ledger_sync.h"
#include "control/coordinator/profile_watcher.h"
#include "control/coordinator/webhook_receiver.h"

namespace chartly::coordinator {

struct CoordinatorConfig {
  std::string data_dir;  // of the process; the coordinator's state is in data_dir/coordinator
  absl::Duration heartbeat_interval = absl::Seconds(1);
  absl::Duration lease_min = absl::Seconds(6);
  absl::Duration lost_grace = absl::Seconds(60);
  size_t runs_max = 10'000;
  size_t keep_log_bytes = 0;  // as in KvOptions
  // Keys of webhooks; empty: only the environment. Those of a tenant are in its folder tenants/NAME, and nowhere else.
  std::string secrets_dir;
};

class CoordinatorTenant {
 public:
  // What reading the state gives. Store, peers and clock, all shared, must outlive it.
  static absl::StatusOr<std::unique_ptr<CoordinatorTenant>> Open(const std::string& tenant,
                                                                 const CoordinatorConfig& config, StateStore& shared,
                                                                 const rpc::Peers& peers, Clock& clock);
  ~CoordinatorTenant() { Shutdown(); }
  // Starts the schedule, the profile watch and the ledger sync.
  absl::Status Start();
  // Empty, or what is wrong.
  std::string Health();
  // Empty, or what it lacks of the registry or the aggregator; it serves all the same.
  std::string Amiss();
  void Shutdown();

 private:
  CoordinatorTenant(const std::string& tenant, const CoordinatorConfig& config, StateStore& shared,
                    const rpc::Peers& peers, Clock& clock);
  absl::Status Remember(const std::string& tenant);
  void TickLoop();

  Clock& clock_;
  SteadyClock steady_;
  const absl::Duration tick_interval_;
  const std::unique_ptr<StateStore> store_;

 public:
  EventLog events;
  Coordinator coordinator;
  DroneIntake intake;
  ProfileWatcher profiles;

 private:
  LedgerSync ledger_;
  const Secrets secrets_;

 public:
  WebhookReceiver webhooks;
  std::atomic<int> watchers{0};  // of events

 private:
  absl::Notification stop_;
  absl::Mutex mu_;
  absl::Status tick_status_ ABSL_GUARDED_BY(mu_);
  std::thread ticker_;
};

}  // namespace chartly::coordinator

#endif  // CHARTLY_CONTROL_COORDINATOR_COORDINATOR_TENANT_H_
