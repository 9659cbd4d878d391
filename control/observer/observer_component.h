// The observer as one piece: its probes, logic and services. It keeps nothing on disk but backups. Made by the
// composition of chartly-control.
//
// Open and Shutdown are called from one thread. Shut the component down, then the RpcServer, then destroy it.
#ifndef CHARTLY_CONTROL_OBSERVER_OBSERVER_COMPONENT_H_
#define CHARTLY_CONTROL_OBSERVER_OBSERVER_COMPONENT_H_

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "common/clock/clock.h"
#include "common/rpc/audit_sink.h"
#include "common/rpc/authenticator.h"
#include "common/rpc/peers.h"
#include "control/observer/backup_book.h"
#include "control/observer/backup_service.h"
#include "control/observer/log_sender.h"
#include "control/observer/observer.h"
#include "control/observer/observer_service.h"
#include "control/observer/part_copies.h"
#include "control/observer/pod_gates.h"

namespace chartly::observer {

struct ObserverConfig {
  std::string gateway_address;  // where the gateway of this process listens; empty if it runs elsewhere
  BackupConfig backups;
  // The pods whose readiness gates it opens, as a label selector; none if empty. It is a pod itself then, and
  // kube_folder is where its account is.
  std::string gate_selector;
  std::string kube_folder;
};

class ObserverComponent {
 public:
  // The peers, authenticator, sink (may be null) and clock must outlive it. FailedPrecondition (KUBE_NOT_IN_POD) if it
  // is to open gates and has no account in a cluster.
  static absl::StatusOr<std::unique_ptr<ObserverComponent>> Open(const ObserverConfig& config,
                                                                 const rpc::Authenticator& authenticator,
                                                                 rpc::AuditSink* audit, const rpc::Peers& peers,
                                                                 Clock& clock);
  std::vector<grpc::Service*> services() { return {&service_, &backup_service_}; }
  // Empty: that other parts are down is what it tells, not a fault of its own.
  std::string Health() { return ""; }
  // Begins to send archived logs to the bucket.
  absl::Status Start() { return logs_.Start(); }
  // A round under way ends within a second, a backup and a look at gates are given up. Safe twice.
  void Shutdown() {
    if (gates_) gates_->Shutdown();
    logs_.Shutdown();
    backups_.Shutdown();
  }

 private:
  ObserverComponent(ObserverDeps deps, const BackupConfig& backups, const rpc::Authenticator& authenticator,
                    rpc::AuditSink* audit, const rpc::Peers& peers, Clock& clock)
      : observer_(std::move(deps), clock),
        copies_(peers),
        backups_(backups, copies_, clock),
        logs_(backups, clock),
        service_(observer_, authenticator, audit),
        backup_service_(backups_, authenticator, audit) {}

  Observer observer_;
  RpcPartCopies copies_;
  BackupBook backups_;
  LogSender logs_;
  ObserverService service_;
  BackupService backup_service_;
  std::unique_ptr<PodGates> gates_;  // none if it opens none
};

}  // namespace chartly::observer

#endif  // CHARTLY_CONTROL_OBSERVER_OBSERVER_COMPONENT_H_
