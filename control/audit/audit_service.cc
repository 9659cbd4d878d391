#include "control/audit/audit_service.h"

#include "common/audit/audit_entry.h"
#include "common/status/status.h"
#include "control/audit/audit_export.h"
#include "control/audit/audit_proofs.h"

namespace chartly::audit {
namespace {

// What the log itself does on somebody's behalf.
v1::AuditEvent EventOf(const rpc::Caller& caller, const char* action) {
  v1::AuditEvent event;
  event.set_actor(caller.principal);
  event.set_tenant(caller.tenant);
  event.set_request_id(caller.request_id);
  event.set_address(caller.address);
  event.set_action(action);
  event.set_outcome("OK");
  return event;
}

}  // namespace

grpc::Status AuditService::AppendAuditEvent(grpc::ServerContext* context, const v1::AppendAuditEventRequest* request,
                                            v1::AuditEvent* response) {
  return guard_.Unary(context, "AppendAuditEvent", *request, response,
                      [&](const rpc::Caller&) -> absl::StatusOr<v1::AuditEvent> {
                        // It belongs to the tenant in which it was done; only parts of the control plane say which.
                        const std::string& told = request->event().tenant();
                        const std::string tenant = told.empty() ? rpc::kDefaultTenant : told;
                        RETURN_IF_ERROR(tenants_.Admit(tenant));
                        return tenants_.Find(tenant)->log().Append(request->event());
                      });
}

grpc::Status AuditService::ListAuditEvents(grpc::ServerContext* context, const v1::ListAuditEventsRequest* request,
                                           v1::ListAuditEventsResponse* response) {
  return guard_.Unary(context, "ListAuditEvents", *request, response,
                      [&](const rpc::Caller& caller) { return tenants_.Of(caller).log().List(*request); });
}

grpc::Status AuditService::GetAuditProof(grpc::ServerContext* context, const v1::GetAuditProofRequest* request,
                                         v1::AuditProof* response) {
  return guard_.Unary(context, "GetAuditProof", *request, response, [&](const rpc::Caller& caller) {
    return ProveInclusion(tenants_.Of(caller).log(), tenants_.Of(caller).keeper(), request->seq());
  });
}

grpc::Status AuditService::GetAuditCheckpoint(grpc::ServerContext* context,
                                              const v1::GetAuditCheckpointRequest* request,
                                              v1::AuditCheckpoint* response) {
  return guard_.Unary(context, "GetAuditCheckpoint", *request, response, [&](const rpc::Caller& caller) {
    return ProveCheckpoint(tenants_.Of(caller).log(), tenants_.Of(caller).keeper(), request->since_size(),
                           request->fresh());
  });
}

grpc::Status AuditService::WitnessAuditLog(grpc::ServerContext* context, const v1::WitnessAuditLogRequest* request,
                                           v1::AuditCheckpoint* response) {
  return guard_.Unary(context, "WitnessAuditLog", *request, response, [&](const rpc::Caller& caller) {
    return ProveCheckpoint(tenants_.Of(caller).log(), tenants_.Of(caller).keeper(), request->since_size(), false);
  });
}

grpc::Status AuditService::GetAuditConsistency(grpc::ServerContext* context,
                                               const v1::GetAuditConsistencyRequest* request,
                                               v1::AuditConsistency* response) {
  return guard_.Unary(context, "GetAuditConsistency", *request, response, [&](const rpc::Caller& caller) {
    return ProveConsistency(tenants_.Of(caller).log(), tenants_.Of(caller).keeper(), request->first_size(),
                            request->second_size());
  });
}

grpc::Status AuditService::ExportAuditLog(grpc::ServerContext* context, const v1::ExportAuditLogRequest* request,
                                          grpc::ServerWriter<v1::ExportAuditLogResponse>* writer) {
  return guard_.Export(context, "ExportAuditLog", *request, [&](const rpc::Caller& caller) {
    return WriteAuditLog(tenants_.Of(caller).store(), tenants_.Of(caller).log(), tenants_.Of(caller).keeper(),
                         [&](const v1::ExportAuditLogResponse& piece) { return writer->Write(piece); });
  });
}

grpc::Status AuditService::RotateAuditKey(grpc::ServerContext* context, const v1::RotateAuditKeyRequest* request,
                                          v1::AuditKey* response) {
  return guard_.Unary(context, "RotateAuditKey", *request, response, [&](const rpc::Caller& caller) {
    return tenants_.Of(caller).keeper().Rotate(EventOf(caller, kRotateAction));
  });
}

grpc::Status AuditService::EraseAuditPerson(grpc::ServerContext* context, const v1::EraseAuditPersonRequest* request,
                                            v1::EraseAuditPersonResponse* response) {
  return guard_.Unary(context, "EraseAuditPerson", *request, response, [&](const rpc::Caller& caller) {
    return tenants_.Of(caller).upkeep().Erase(*request, EventOf(caller, kEraseAction));
  });
}

}  // namespace chartly::audit
