#include "control/audit/audit_service.h"

namespace chartly::audit {

grpc::Status AuditService::AppendAuditEvent(grpc::ServerContext* context, const v1::AppendAuditEventRequest* request,
                                            v1::AuditEvent* response) {
  return guard_.Unary(context, "AppendAuditEvent", *request, response,
                      [&](const rpc::Caller&) { return log_.Append(*request); });
}

grpc::Status AuditService::ListAuditEvents(grpc::ServerContext* context, const v1::ListAuditEventsRequest* request,
                                           v1::ListAuditEventsResponse* response) {
  return guard_.Unary(context, "ListAuditEvents", *request, response,
                      [&](const rpc::Caller&) { return log_.List(*request); });
}

}  // namespace chartly::audit
