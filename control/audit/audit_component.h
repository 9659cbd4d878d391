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
#include "common/rpc/tenants.h"
#include "common/secrets/secrets.h"
#include "common/state/state_store.h"
#include "control/audit/audit_service.h"
#include "control/audit/audit_tenant.h"

namespace chartly::audit {

class AuditComponent {
 public:
  // The authenticator, sink (may be null) and clock must outlive it. FailedPrecondition (STORE_LOCKED) if another
  // process has the store; else what its pieces give.
  static absl::StatusOr<std::unique_ptr<AuditComponent>> Open(const AuditConfig& config,
                                                              const rpc::Authenticator& authenticator,
                                                              rpc::AuditSink* audit, Clock& clock);
  absl::Status Start() { return tenants_.Start(); }
  std::vector<grpc::Service*> services() { return {&service_}; }
  // Empty if all is well; else what is wrong.
  std::string Health() { return tenants_.Health(); }
  // What backups take of it.
  KvSource& source() { return store_->source(); }
  // Signs what was appended last. Safe twice.
  void Shutdown() { tenants_.Shutdown(); }

 private:
  AuditComponent(const AuditConfig& config, std::unique_ptr<StateStore> store, const rpc::Authenticator& authenticator,
                 rpc::AuditSink* audit, Clock& clock);

  const Secrets secrets_;
  const std::unique_ptr<net::HttpClient> http_;
  const std::unique_ptr<StateStore> store_;
  rpc::Tenants<AuditTenant> tenants_;
  AuditService service_;
};

}  // namespace chartly::audit

#endif  // CHARTLY_CONTROL_AUDIT_AUDIT_COMPONENT_H_
