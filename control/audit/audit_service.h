// The gRPC face of the audit log.
#ifndef CHARTLY_CONTROL_AUDIT_AUDIT_SERVICE_H_
#define CHARTLY_CONTROL_AUDIT_AUDIT_SERVICE_H_

#include <grpcpp/grpcpp.h>

#include "chartly/v1/audit.grpc.pb.h"
#include "common/rpc/guard.h"
#include "control/audit/audit_log.h"

namespace chartly::audit {

class AuditService final : public v1::AuditService::Service {
 public:
  // Everything must outlive the service.
  AuditService(AuditLog& log, const rpc::Authenticator& authenticator, rpc::AuditSink* audit)
      : log_(log), guard_("chartly.v1.AuditService", authenticator, audit) {}

  grpc::Status AppendAuditEvent(grpc::ServerContext* context, const v1::AppendAuditEventRequest* request,
                                v1::AuditEvent* response) override;
  grpc::Status ListAuditEvents(grpc::ServerContext* context, const v1::ListAuditEventsRequest* request,
                               v1::ListAuditEventsResponse* response) override;

 private:
  AuditLog& log_;
  const rpc::Guard guard_;
};

}  // namespace chartly::audit

#endif  // CHARTLY_CONTROL_AUDIT_AUDIT_SERVICE_H_
