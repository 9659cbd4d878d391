// The audit log as one piece: its store, logic and service. Made by the composition of chartly-control.
//
// Open, Start and Shutdown are called from one thread. Shut the component down, then the RpcServer, then destroy it.
#ifndef CHARTLY_CONTROL_AUDIT_AUDIT_COMPONENT_H_
#define CHARTLY_CONTROL_AUDIT_AUDIT_COMPONENT_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/clock/clock.h"
#include "common/net/http_client.h"
#include "common/rpc/audit_sink.h"
#include "common/rpc/authenticator.h"
#include "common/secrets/secrets.h"
#include "common/state/state_store.h"
#include "control/audit/audit_log.h"
#include "control/audit/audit_service.h"
#include "control/audit/audit_upkeep.h"
#include "control/audit/checkpoint_keeper.h"

namespace chartly::audit {

struct AuditConfig {
  std::string data_dir;         // the store lies in its folder "audit", the keys in its folder "audit-keys"
  std::string origin;           // name of a new log; empty: one is made up
  std::string checkpoint_file;  // every checkpoint is appended to it; empty: none
  std::string webhook_url;      // every checkpoint is posted there; empty: nowhere
  SecretRef webhook_key;        // with this key
  std::string secrets_dir;
  absl::Duration keep = absl::ZeroDuration();  // how long events stay; zero: for good
};

class AuditComponent {
 public:
  // The authenticator, sink (may be null) and clock must outlive it. FailedPrecondition (STORE_LOCKED) if another
  // process has the store; else what its pieces give.
  static absl::StatusOr<std::unique_ptr<AuditComponent>> Open(const AuditConfig& config,
                                                              const rpc::Authenticator& authenticator,
                                                              rpc::AuditSink* audit, Clock& clock);
  absl::Status Start();
  std::vector<grpc::Service*> services() { return {service_.get()}; }
  // Empty if all is well; else what is wrong.
  std::string Health();
  // As KvStore::BackUp.
  absl::StatusOr<KvBackup> BackUp(const std::string& folder, const std::function<bool()>& stopped) {
    return store_->BackUp(folder, stopped);
  }
  // Signs what was appended last. Safe twice.
  void Shutdown();

 private:
  explicit AuditComponent(const AuditConfig& config) : secrets_(config.secrets_dir) {}

  const Secrets secrets_;
  std::unique_ptr<net::HttpClient> http_;
  std::unique_ptr<StateStore> store_;
  std::unique_ptr<AuditLog> log_;
  std::unique_ptr<CheckpointKeeper> keeper_;
  std::unique_ptr<AuditUpkeep> upkeep_;
  std::unique_ptr<AuditService> service_;
};

}  // namespace chartly::audit

#endif  // CHARTLY_CONTROL_AUDIT_AUDIT_COMPONENT_H_
