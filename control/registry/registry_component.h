// The registry as one piece: its store, logic and service. Made by the composition of chartly-control.
//
// Open and Shutdown are called from one thread. Shut the component down, then the RpcServer, then destroy it.
#ifndef CHARTLY_CONTROL_REGISTRY_REGISTRY_COMPONENT_H_
#define CHARTLY_CONTROL_REGISTRY_REGISTRY_COMPONENT_H_

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "common/clock/clock.h"
#include "common/rpc/audit_sink.h"
#include "common/rpc/authenticator.h"
#include "common/rpc/peers.h"
#include "common/state/state_store.h"
#include "control/registry/registry_service.h"
#include "control/registry/registry_tenant.h"

namespace chartly::registry {

struct RegistryConfig {
  std::string data_dir;       // the store lies in its folder "registry"
  size_t keep_log_bytes = 0;  // as in KvOptions
};

class RegistryComponent {
 public:
  // The authenticator, sink (may be null), peers and clock must outlive it. FailedPrecondition (STORE_LOCKED) if
  // another process has the store.
  static absl::StatusOr<std::unique_ptr<RegistryComponent>> Open(const RegistryConfig& config,
                                                                 const rpc::Authenticator& authenticator,
                                                                 rpc::AuditSink* audit, const rpc::Peers& peers,
                                                                 Clock& clock);
  std::vector<grpc::Service*> services() { return {&service_}; }
  // Empty if all is well; else what is wrong.
  std::string Health() { return tenants_.Health(); }
  // What backups take of it.
  KvSource& source() { return store_->source(); }
  // Ends the watches; other calls go on until the server ends them. Safe twice.
  void Shutdown() { tenants_.Shutdown(); }

 private:
  RegistryComponent(std::unique_ptr<StateStore> store, const rpc::Authenticator& authenticator, rpc::AuditSink* audit,
                    const rpc::Peers& peers, Clock& clock)
      : store_(std::move(store)),
        tenants_([this, &peers, &clock](const std::string& tenant) -> absl::StatusOr<std::unique_ptr<RegistryTenant>> {
          return std::make_unique<RegistryTenant>(tenant, *store_, peers, clock);
        }),
        service_(tenants_, authenticator, audit) {}

  std::unique_ptr<StateStore> store_;
  rpc::Tenants<RegistryTenant> tenants_;
  RegistryService service_;
};

}  // namespace chartly::registry

#endif  // CHARTLY_CONTROL_REGISTRY_REGISTRY_COMPONENT_H_
