#include "control/reporter/reporter_service.h"

#include "common/status/status.h"
#include "common/telemetry/metrics.h"
#include "control/reporter/record_batches.h"
#include "control/reporter/report_plan.h"

namespace chartly::reporter {

ReporterService::ReporterService(ReportRunner& runner, const rpc::Peers& peers, absl::Duration scan_timeout,
                                 const rpc::Authenticator& authenticator, rpc::AuditSink* audit)
    : runner_(runner),
      peers_(peers),
      scan_timeout_(scan_timeout),
      guard_("chartly.v1.ReporterService", authenticator, audit) {}

grpc::Status ReporterService::RunReport(grpc::ServerContext* context, const v1::RunReportRequest* request,
                                        v1::RunReportResponse* response) {
  return guard_.Unary(context, "RunReport", *request, response,
                      [&](const rpc::Caller&) -> absl::StatusOr<v1::RunReportResponse> {
                        ASSIGN_OR_RETURN(ReportPlan plan, PlanReport(*request));
                        RecordBatches batches(peers_, *context, scan_timeout_);
                        absl::StatusOr<v1::RunReportResponse> answer = runner_.Run(plan, batches);
                        Count("chartly_reports_total", 1, absl::StatusCodeToString(answer.status().code()));
                        return answer;
                      });
}

}  // namespace chartly::reporter
