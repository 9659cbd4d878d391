#include "control/reporter/reporter_component.h"

#include <utility>

#include "common/status/status.h"
#include "control/reporter/record_batches.h"

namespace chartly::reporter {

ReporterComponent::ReporterComponent(const ReporterConfig& config, std::unique_ptr<StateStore> store,
                                     const rpc::Authenticator& authenticator, rpc::AuditSink* audit,
                                     const rpc::Peers& peers, Clock& clock)
    : tick_interval_(config.tick_interval),
      store_(std::move(store)),
      runner_(config.limits),
      book_(*store_, clock),
      desk_(
          book_, runner_,
          [this, &peers, timeout = config.scan_timeout](absl::Time as_of) {
            return std::make_unique<RecordBatches>(peers, nullptr, timeout, as_of, &desk_.stop());
          },
          clock),
      service_(runner_, book_, desk_, peers, clock, config.scan_timeout, authenticator, audit) {}

absl::StatusOr<std::unique_ptr<ReporterComponent>> ReporterComponent::Open(const ReporterConfig& config,
                                                                           const rpc::Authenticator& authenticator,
                                                                           rpc::AuditSink* audit,
                                                                           const rpc::Peers& peers, Clock& clock) {
  if (config.limits.memory_bytes_max <= 0 || config.limits.rows_max <= 0 || config.limits.answer_bytes_max <= 0 ||
      config.scan_timeout <= absl::ZeroDuration() || config.tick_interval <= absl::ZeroDuration()) {
    return Error(absl::StatusCode::kInvalidArgument, "CONFIG_INVALID",
                 "reporter: memory, rows, answer size, scan timeout and tick must be positive");
  }
  ASSIGN_OR_RETURN(std::unique_ptr<StateStore> store, OpenEmbeddedStateStore(config.data_dir + "/reporter", clock));
  return std::unique_ptr<ReporterComponent>(
      new ReporterComponent(config, std::move(store), authenticator, audit, peers, clock));
}

absl::Status ReporterComponent::Start() {
  desk_.Start(tick_interval_);
  return absl::OkStatus();
}

std::string ReporterComponent::Health() {
  absl::Status status = book_.Health();
  return status.ok() ? "" : std::string(status.message());
}

}  // namespace chartly::reporter
