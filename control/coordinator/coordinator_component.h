// The coordinator, put together. Open, then register services(), then Start once the server runs; Shutdown is safe
// twice and before Start, and ends streams within 200 ms.
#ifndef CHARTLY_CONTROL_COORDINATOR_COORDINATOR_COMPONENT_H_
#define CHARTLY_CONTROL_COORDINATOR_COORDINATOR_COMPONENT_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "common/clock/clock.h"
#include "common/rpc/authenticator.h"
#include "common/rpc/peers.h"
#include "common/rpc/tenants.h"
#include "common/state/state_store.h"
#include "control/coordinator/coordinator_service.h"
#include "control/coordinator/coordinator_tenant.h"

namespace chartly::coordinator {

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
  absl::Status Start() { return tenants_.Start(); }
  // Empty, or what is wrong.
  std::string Health() { return tenants_.Health(); }
  // Empty, or what it lacks of other parts, so that no restart helps. It serves all the same.
  std::string Amiss() { return tenants_.Amiss(); }
  // What backups take of it.
  KvSource& source() { return store_->source(); }
  void Shutdown() { tenants_.Shutdown(); }

 private:
  CoordinatorComponent(const CoordinatorConfig& config, std::unique_ptr<StateStore> store,
                       const rpc::Authenticator& authenticator, rpc::AuditSink* audit, const rpc::Peers& peers,
                       Clock& clock);

  const std::unique_ptr<StateStore> store_;
  rpc::Tenants<CoordinatorTenant> tenants_;
  CoordinatorService service_;
};

}  // namespace chartly::coordinator

#endif  // CHARTLY_CONTROL_COORDINATOR_COORDINATOR_COMPONENT_H_
