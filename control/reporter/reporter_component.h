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
#include "common/state/state_store.h"
#include "control/reporter/report_runner.h"
#include "control/reporter/reporter_service.h"
#include "control/reporter/reporter_tenant.h"

namespace chartly::reporter {

struct ReporterConfig {
  std::string data_dir;  // of the process; saved reports are in data_dir/reporter
  ReportOptions limits;
  absl::Duration scan_timeout = absl::Seconds(60);  // reading one side from the aggregator
  absl::Duration tick_interval = absl::Seconds(1);  // how often due reports are looked for
  size_t keep_log_bytes = 0;                        // as in KvOptions
};

class ReporterComponent {
 public:
  // InvalidArgument (CONFIG_INVALID) if a limit is not positive, or what opening the state gives. Authenticator, sink,
  // peers and clock must outlive it.
  static absl::StatusOr<std::unique_ptr<ReporterComponent>> Open(const ReporterConfig& config,
                                                                 const rpc::Authenticator& authenticator,
                                                                 rpc::AuditSink* audit, const rpc::Peers& peers,
                                                                 Clock& clock);
  ~ReporterComponent() { Shutdown(); }
  std::vector<grpc::Service*> services() { return {&service_}; }
  // Starts the schedule of saved reports.
  absl::Status Start() { return tenants_.Start(); }
  // Empty, or what is wrong.
  std::string Health() { return tenants_.Health(); }
  // What backups take of it.
  KvSource& source() { return store_->source(); }
  void Shutdown() { tenants_.Shutdown(); }

 private:
  ReporterComponent(const ReporterConfig& config, std::unique_ptr<StateStore> store,
                    const rpc::Authenticator& authenticator, rpc::AuditSink* audit, const rpc::Peers& peers,
                    Clock& clock);
  std::unique_ptr<StateStore> store_;
  ReportRunner runner_;
  rpc::Tenants<ReporterTenant> tenants_;
  ReporterService service_;
};

}  // namespace chartly::reporter

#endif  // CHARTLY_CONTROL_REPORTER_REPORTER_COMPONENT_H_
