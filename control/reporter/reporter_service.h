// The gRPC face of the reporter. Thread-safe; runner, peers, authenticator and sink must outlive it.
#ifndef CHARTLY_CONTROL_REPORTER_REPORTER_SERVICE_H_
#define CHARTLY_CONTROL_REPORTER_REPORTER_SERVICE_H_

#include "absl/time/time.h"
#include "chartly/v1/reporter.grpc.pb.h"
#include "common/rpc/guard.h"
#include "common/rpc/peers.h"
#include "control/reporter/report_runner.h"

namespace chartly::reporter {

class ReporterService final : public v1::ReporterService::Service {
 public:
  // `scan_timeout` bounds the reading of one side.
  ReporterService(ReportRunner& runner, const rpc::Peers& peers, absl::Duration scan_timeout,
                  const rpc::Authenticator& authenticator, rpc::AuditSink* audit);
  grpc::Status RunReport(grpc::ServerContext* context, const v1::RunReportRequest* request,
                         v1::RunReportResponse* response) override;

 private:
  ReportRunner& runner_;
  const rpc::Peers& peers_;
  const absl::Duration scan_timeout_;
  const rpc::Guard guard_;
};

}  // namespace chartly::reporter

#endif  // CHARTLY_CONTROL_REPORTER_REPORTER_SERVICE_H_
