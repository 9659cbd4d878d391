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
#include "control/observer/observer.h"
#include "control/observer/observer_service.h"
#include "control/observer/part_copies.h"

namespace chartly::observer {

struct ObserverConfig {
  std::string gateway_address;  // where the gateway of this process listens; empty if it runs elsewhere
  BackupConfig backups;
};

class ObserverComponent {
 public:
  // The peers, authenticator, sink (may be null) and clock must outlive it.
  static absl::StatusOr<std::unique_ptr<ObserverComponent>> Open(const ObserverConfig& config,
                                                                 const rpc::Authenticator& authenticator,
                                                                 rpc::AuditSink* audit, const rpc::Peers& peers,
                                                                 Clock& clock);
  std::vector<grpc::Service*> services() { return {&service_, &backup_service_}; }
  // Empty: that other parts are down is what it tells, not a fault of its own.
  std::string Health() { return ""; }
  // A round under way ends within a second, a backup is given up. Safe twice.
  void Shutdown() { backups_.Shutdown(); }

 private:
  ObserverComponent(ObserverDeps deps, const BackupConfig& backups, const rpc::Authenticator& authenticator,
                    rpc::AuditSink* audit, const rpc::Peers& peers, Clock& clock)
      : observer_(std::move(deps), clock),
        copies_(peers),
        backups_(backups, copies_, clock),
        service_(observer_, authenticator, audit),
        backup_service_(backups_, authenticator, audit) {}

  Observer observer_;
  RpcPartCopies copies_;
  BackupBook backups_;
  ObserverService service_;
  BackupService backup_service_;
};

}  // namespace chartly::observer

#endif  // CHARTLY_CONTROL_OBSERVER_OBSERVER_COMPONENT_H_
