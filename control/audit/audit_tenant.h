// The audit log of one tenant: a tree, keys and checkpoints of its own, so that it can be shown and proven without a
// word about others. Thread-safe.
#ifndef CHARTLY_CONTROL_AUDIT_AUDIT_TENANT_H_
#define CHARTLY_CONTROL_AUDIT_AUDIT_TENANT_H_

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/clock/clock.h"
#include "common/net/http_client.h"
#include "common/secrets/secrets.h"
#include "common/state/state_store.h"
#include "control/audit/audit_log.h"
#include "control/audit/audit_upkeep.h"
#include "control/audit/checkpoint_keeper.h"

namespace chartly::audit {

struct AuditConfig {
  std::string data_dir;  // the store lies in its folder "audit", the keys in its folder "audit-keys"
  std::string origin;    // name of a new log; empty: one is made up. Of a tenant: with "/TENANT" behind it
  std::string
      checkpoint_file;      // every checkpoint is appended to it; empty: none. Of a tenant: with ".TENANT" behind it
  std::string webhook_url;  // every checkpoint is posted there; empty: nowhere
  SecretRef webhook_key;    // with this key
  std::string secrets_dir;
  absl::Duration keep = absl::ZeroDuration();  // how long events stay; zero: for good
  size_t keep_log_bytes = 0;                   // as in KvOptions
};

class AuditTenant {
 public:
  // What its pieces give. All must outlive it.
  static absl::StatusOr<std::unique_ptr<AuditTenant>> Open(const std::string& tenant, const AuditConfig& config,
                                                           StateStore& shared, net::HttpClient& http,
                                                           const Secrets& secrets, Clock& clock);
  absl::Status Start();
  // Empty if all is well; else what is wrong.
  std::string Health();
  // Signs what was appended last. Safe twice.
  void Shutdown();

  const StateStore& store() const { return *store_; }
  AuditLog& log() { return *log_; }
  CheckpointKeeper& keeper() { return *keeper_; }
  AuditUpkeep& upkeep() { return *upkeep_; }

 private:
  AuditTenant() = default;

  std::unique_ptr<StateStore> store_;
  std::unique_ptr<AuditLog> log_;
  std::unique_ptr<CheckpointKeeper> keeper_;
  std::unique_ptr<AuditUpkeep> upkeep_;
};

}  // namespace chartly::audit

#endif  // CHARTLY_CONTROL_AUDIT_AUDIT_TENANT_H_
