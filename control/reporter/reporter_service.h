// The gRPC face of the reporter. Thread-safe; all that it is given must outlive it.
#ifndef CHARTLY_CONTROL_REPORTER_REPORTER_SERVICE_H_
#define CHARTLY_CONTROL_REPORTER_REPORTER_SERVICE_H_

#include "absl/time/time.h"
#include "chartly/v1/reporter.grpc.pb.h"
#include "common/clock/clock.h"
#include "common/rpc/guard.h"
#include "common/rpc/tenants.h"
#include "control/reporter/report_runner.h"
#include "control/reporter/reporter_tenant.h"

namespace chartly::reporter {

class ReporterService final : public v1::ReporterService::Service {
 public:
  // The runner, whose memory is bounded, is of all tenants. `scan_timeout` bounds the reading of one side.
  ReporterService(ReportRunner& runner, rpc::Tenants<ReporterTenant>& tenants, Clock& clock,
                  absl::Duration scan_timeout, const rpc::Authenticator& authenticator, rpc::AuditSink* audit);
  grpc::Status RunReport(grpc::ServerContext* context, const v1::RunReportRequest* request,
                         v1::RunReportResponse* response) override;
  grpc::Status ExportReport(grpc::ServerContext* context, const v1::ExportReportRequest* request,
                            grpc::ServerWriter<v1::ExportReportResponse>* writer) override;
  grpc::Status SuggestReports(grpc::ServerContext* context, const v1::SuggestReportsRequest* request,
                              v1::SuggestReportsResponse* response) override;
  grpc::Status ListReports(grpc::ServerContext* context, const v1::ListReportsRequest* request,
                           v1::ListReportsResponse* response) override;
  grpc::Status GetReport(grpc::ServerContext* context, const v1::GetReportRequest* request,
                         v1::SavedReport* response) override;
  grpc::Status SaveReport(grpc::ServerContext* context, const v1::SaveReportRequest* request,
                          v1::SavedReport* response) override;
  grpc::Status DeleteReport(grpc::ServerContext* context, const v1::DeleteReportRequest* request,
                            google::protobuf::Empty* response) override;
  grpc::Status RunSavedReport(grpc::ServerContext* context, const v1::RunSavedReportRequest* request,
                              v1::ReportRun* response) override;
  grpc::Status ListReportRuns(grpc::ServerContext* context, const v1::ListReportRunsRequest* request,
                              v1::ListReportRunsResponse* response) override;
  grpc::Status GetReportRun(grpc::ServerContext* context, const v1::GetReportRunRequest* request,
                            v1::ReportRun* response) override;

 private:
  ReportRunner& runner_;
  rpc::Tenants<ReporterTenant>& tenants_;
  Clock& clock_;
  const absl::Duration scan_timeout_;
  const rpc::Guard guard_;
};

}  // namespace chartly::reporter

#endif  // CHARTLY_CONTROL_REPORTER_REPORTER_SERVICE_H_
