// The gRPC face of the observer.
#ifndef CHARTLY_CONTROL_OBSERVER_OBSERVER_SERVICE_H_
#define CHARTLY_CONTROL_OBSERVER_OBSERVER_SERVICE_H_

#include <grpcpp/grpcpp.h>

#include "chartly/v1/observer.grpc.pb.h"
#include "common/rpc/guard.h"
#include "control/observer/observer.h"

namespace chartly::observer {

class ObserverService final : public v1::ObserverService::Service {
 public:
  // Everything must outlive the service.
  ObserverService(Observer& observer, const rpc::Authenticator& authenticator, rpc::AuditSink* audit)
      : observer_(observer), guard_("chartly.v1.ObserverService", authenticator, audit, &every_tenant_) {}

  grpc::Status GetStatus(grpc::ServerContext* context, const v1::GetStatusRequest* request,
                         v1::SystemStatus* response) override;

 private:
  Observer& observer_;
  rpc::EveryTenant every_tenant_;  // how the parts do is the same for all
  const rpc::Guard guard_;
};

}  // namespace chartly::observer

#endif  // CHARTLY_CONTROL_OBSERVER_OBSERVER_SERVICE_H_
