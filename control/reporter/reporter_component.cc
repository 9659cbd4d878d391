#include "control/reporter/reporter_component.h"

#include "common/status/status.h"

namespace chartly::reporter {

ReporterComponent::ReporterComponent(const ReporterConfig& config, const rpc::Authenticator& authenticator,
                                     rpc::AuditSink* audit, const rpc::Peers& peers)
    : runner_(config.limits), service_(runner_, peers, config.scan_timeout, authenticator, audit) {}

absl::StatusOr<std::unique_ptr<ReporterComponent>> ReporterComponent::Open(const ReporterConfig& config,
                                                                           const rpc::Authenticator& authenticator,
                                                                           rpc::AuditSink* audit,
                                                                           const rpc::Peers& peers, Clock&) {
  if (config.limits.memory_bytes_max <= 0 || config.limits.rows_max <= 0 || config.limits.answer_bytes_max <= 0 ||
      config.scan_timeout <= absl::ZeroDuration()) {
    return Error(absl::StatusCode::kInvalidArgument, "CONFIG_INVALID",
                 "reporter: memory, rows, answer size and scan timeout must be positive");
  }
  return std::unique_ptr<ReporterComponent>(new ReporterComponent(config, authenticator, audit, peers));
}

}  // namespace chartly::reporter
