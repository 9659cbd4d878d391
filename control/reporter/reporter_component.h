// The reporter, put together. Open, then register services(), then Start; Shutdown is safe twice and before Start.
#ifndef CHARTLY_CONTROL_REPORTER_REPORTER_COMPONENT_H_
#define CHARTLY_CONTROL_REPORTER_REPORTER_COMPONENT_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/clock/clock.h"
#include "common/rpc/authenticator.h"
#include "common/rpc/peers.h"
#include "control/reporter/report_runner.h"
#include "control/reporter/reporter_service.h"

namespace chartly::reporter {

struct ReporterConfig {
  std::string data_dir;  // of the process; the reporter keeps nothing there
  ReportOptions limits;
  absl::Duration scan_timeout = absl::Seconds(60);  // reading one side from the aggregator
};

class ReporterComponent {
 public:
  // InvalidArgument (CONFIG_INVALID) if a limit is not positive. Authenticator, sink, and peers must outlive it.
  static absl::StatusOr<std::unique_ptr<ReporterComponent>> Open(const ReporterConfig& config,
                                                                 const rpc::Authenticator& authenticator,
                                                                 rpc::AuditSink* audit, const rpc::Peers& peers,
                                                                 Clock& clock);
  std::vector<grpc::Service*> services() { return {&service_}; }
  absl::Status Start() { return absl::OkStatus(); }
  // Empty: the reporter has no state that could be ill.
  std::string Health() { return ""; }
  void Shutdown() {}

 private:
  ReporterComponent(const ReporterConfig& config, const rpc::Authenticator& authenticator, rpc::AuditSink* audit,
                    const rpc::Peers& peers);
  ReportRunner runner_;
  ReporterService service_;
};

}  // namespace chartly::reporter

#endif  // CHARTLY_CONTROL_REPORTER_REPORTER_COMPONENT_H_
