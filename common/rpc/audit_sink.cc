#include "common/rpc/audit_sink.h"

#include "chartly/v1/audit.grpc.pb.h"
#include "common/rpc/peers.h"
#include "common/telemetry/log.h"
#include "common/telemetry/metrics.h"

namespace chartly::rpc {

void RpcAuditSink::Record(const AuditEntry& entry) {
  v1::AppendAuditEventRequest request;
  v1::AuditEvent& event = *request.mutable_event();
  event.set_actor(entry.actor);
  event.set_action(entry.action);
  event.set_subject(entry.subject);
  event.set_outcome(entry.outcome);
  event.set_request_id(entry.request_id);
  grpc::ClientContext context;
  Prepare(context, absl::Seconds(2), entry.request_id);
  v1::AuditEvent appended;
  grpc::Status status =
      v1::AuditService::NewStub(peers_.Channel(Part::kAudit))->AppendAuditEvent(&context, request, &appended);
  if (status.ok()) return;
  Count("chartly_audit_failures_total");
  LogError("change is not in the audit log", {{"action", entry.action},
                                              {"subject", entry.subject},
                                              {"actor", entry.actor},
                                              {"error", status.error_message()}});
}

}  // namespace chartly::rpc
