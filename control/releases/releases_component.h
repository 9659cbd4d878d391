// The release ledger as one piece: its store, logic and service. Made by the composition of chartly-control.
//
// Open and Shutdown are called from one thread. Shut the component down, then the RpcServer, then destroy it.
#ifndef CHARTLY_CONTROL_RELEASES_RELEASES_COMPONENT_H_
#define CHARTLY_CONTROL_RELEASES_RELEASES_COMPONENT_H_

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "common/clock/clock.h"
#include "common/rpc/audit_sink.h"
#include "common/rpc/authenticator.h"
#include "common/state/state_store.h"
#include "control/releases/releases_service.h"

namespace chartly::releases {

struct ReleasesConfig {
  std::string data_dir;       // the store lies in its folder "releases"
  size_t keep_log_bytes = 0;  // as in KvOptions
};

class ReleasesComponent {
 public:
  // The authenticator, sink (may be null) and clock must outlive it. FailedPrecondition (STORE_LOCKED) if another
  // process has the store.
  static absl::StatusOr<std::unique_ptr<ReleasesComponent>> Open(const ReleasesConfig& config,
                                                                 const rpc::Authenticator& authenticator,
                                                                 rpc::AuditSink* audit, Clock& clock);
  std::vector<grpc::Service*> services() { return {&service_}; }
  // Empty if all is well; else what is wrong.
  std::string Health() { return tenants_.Health(); }
  // What backups take of it.
  KvSource& source() { return store_->source(); }
  // Nothing here runs on its own: calls end with the server. Safe twice.
  void Shutdown() {}

 private:
  ReleasesComponent(std::unique_ptr<StateStore> store, const rpc::Authenticator& authenticator, rpc::AuditSink* audit,
                    Clock& clock)
      : store_(std::move(store)),
        tenants_([this, &clock](const std::string& tenant) -> absl::StatusOr<std::unique_ptr<ReleasesTenant>> {
          return std::make_unique<ReleasesTenant>(tenant, *store_, clock);
        }),
        service_(tenants_, authenticator, audit) {}

  std::unique_ptr<StateStore> store_;
  rpc::Tenants<ReleasesTenant> tenants_;
  ReleasesService service_;
};

}  // namespace chartly::releases

#endif  // CHARTLY_CONTROL_RELEASES_RELEASES_COMPONENT_H_
