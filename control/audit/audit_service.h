// The gRPC face of the audit logs, of which each tenant has its own.
#ifndef CHARTLY_CONTROL_AUDIT_AUDIT_SERVICE_H_
#define CHARTLY_CONTROL_AUDIT_AUDIT_SERVICE_H_

#include <grpcpp/grpcpp.h>

#include "chartly/v1/audit.grpc.pb.h"
#include "common/rpc/guard.h"
#include "common/rpc/tenants.h"
#include "control/audit/audit_tenant.h"

namespace chartly::audit {

class AuditService final : public v1::AuditService::Service {
 public:
  // Everything must outlive the service.
  AuditService(rpc::Tenants<AuditTenant>& tenants, const rpc::Authenticator& authenticator, rpc::AuditSink* audit)
      : tenants_(tenants), guard_("chartly.v1.AuditService", authenticator, audit, &tenants) {}

  grpc::Status AppendAuditEvent(grpc::ServerContext* context, const v1::AppendAuditEventRequest* request,
                                v1::AuditEvent* response) override;
  grpc::Status ListAuditEvents(grpc::ServerContext* context, const v1::ListAuditEventsRequest* request,
                               v1::ListAuditEventsResponse* response) override;
  grpc::Status GetAuditProof(grpc::ServerContext* context, const v1::GetAuditProofRequest* request,
                             v1::AuditProof* response) override;
  grpc::Status GetAuditCheckpoint(grpc::ServerContext* context, const v1::GetAuditCheckpointRequest* request,
                                  v1::AuditCheckpoint* response) override;
  grpc::Status WitnessAuditLog(grpc::ServerContext* context, const v1::WitnessAuditLogRequest* request,
                               v1::AuditCheckpoint* response) override;
  grpc::Status GetAuditConsistency(grpc::ServerContext* context, const v1::GetAuditConsistencyRequest* request,
                                   v1::AuditConsistency* response) override;
  grpc::Status ExportAuditLog(grpc::ServerContext* context, const v1::ExportAuditLogRequest* request,
                              grpc::ServerWriter<v1::ExportAuditLogResponse>* writer) override;
  grpc::Status RotateAuditKey(grpc::ServerContext* context, const v1::RotateAuditKeyRequest* request,
                              v1::AuditKey* response) override;
  grpc::Status EraseAuditPerson(grpc::ServerContext* context, const v1::EraseAuditPersonRequest* request,
                                v1::EraseAuditPersonResponse* response) override;

 private:
  rpc::Tenants<AuditTenant>& tenants_;
  const rpc::Guard guard_;
};

}  // namespace chartly::audit

#endif  // CHARTLY_CONTROL_AUDIT_AUDIT_SERVICE_H_
