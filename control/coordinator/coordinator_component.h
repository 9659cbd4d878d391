// The coordinator, put together. Open, then register services(), then Start once the server runs; Shutdown is safe
// twice and before Start, and ends streams within 200 ms.
#ifndef CHARTLY_CONTROL_COORDINATOR_COORDINATOR_COMPONENT_H_
#define CHARTLY_CONTROL_COORDINATOR_COORDINATOR_COMPONENT_H_

#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/synchronization/notification.h"
#include "common/clock/clock.h"
#include "common/clock/steady_clock.h"
#include "common/rpc/authenticator.h"
#include "common/rpc/peers.h"
#include "common/secrets/secrets.h"
#include "common/state/state_store.h"
#include "control/coordinator/coordinator.h"
#include "control/coordinator/coordinator_service.h"
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
  std::string secrets_dir;  // keys of webhooks; empty: only the environment
};

class CoordinatorComponent {
 public:
  // InvalidArgument (CONFIG_INVALID), or what opening and reading the state gives. Authenticator, sink, peers, and
  // clock must outlive it.
  static absl::StatusOr<std::unique_ptr<CoordinatorComponent>> Open(const CoordinatorConfig& config,
                                                                    const rpc::Authenticator& authenticator,
                                                                    rpc::AuditSink* audit, const rpc::Peers& peers,
                                                                    Clock& clock);
  ~CoordinatorComponent() { Shutdown(); }
  std::vector<grpc::Service*> services() { return {&service_}; }
  // Starts the schedule, the profile watch and the ledger sync.
  absl::Status Start();
  // Empty, or what is wrong.
  std::string Health();
  // As KvStore::BackUp.
  absl::StatusOr<KvBackup> BackUp(const std::string& folder, const std::function<bool()>& stopped) {
    return store_->BackUp(folder, stopped);
  }
  void Shutdown();

 private:
  CoordinatorComponent(const CoordinatorConfig& config, const CoordinatorOptions& options,
                       std::unique_ptr<StateStore> store, const rpc::Authenticator& authenticator,
                       rpc::AuditSink* audit, const rpc::Peers& peers, Clock& clock);
  void TickLoop();

  Clock& clock_;
  SteadyClock steady_;
  const absl::Duration tick_interval_;
  std::unique_ptr<StateStore> store_;
  EventLog events_;
  Coordinator coordinator_;
  DroneIntake intake_;
  ProfileWatcher profiles_;
  LedgerSync ledger_;
  const Secrets secrets_;
  WebhookReceiver webhooks_;
  CoordinatorService service_;
  absl::Notification stop_;
  absl::Mutex mu_;
  absl::Status tick_status_ ABSL_GUARDED_BY(mu_);
  std::thread ticker_;
};

}  // namespace chartly::coordinator

#endif  // CHARTLY_CONTROL_COORDINATOR_COORDINATOR_COMPONENT_H_
