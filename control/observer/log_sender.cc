#include "control/observer/log_sender.h"

#include "common/status/status.h"
#include "common/telemetry/log.h"
#include "common/telemetry/metrics.h"

namespace chartly::observer {

absl::Status LogSender::Start() {
  const bool is_archived = !config_.folder.empty() && config_.log_interval > absl::ZeroDuration();
  if (config_.bucket.url.empty() || !is_archived) return absl::OkStatus();
  ASSIGN_OR_RETURN(bucket_, s3::Bucket::Open(config_.bucket, clock_, stopping_));
  log_ = std::make_unique<backup::BucketLog>(folder_, *bucket_);
  thread_ = std::thread([this] {
    do {
      SendNew();
    } while (!clock_.WaitFor(config_.log_interval, stop_));
  });
  return absl::OkStatus();
}

void LogSender::Shutdown() {
  if (!thread_.joinable()) return;
  stopping_ = true;
  stop_.Notify();
  thread_.join();
}

void LogSender::SendNew() {
  const absl::Status status = log_->Send().status();
  if (absl::IsCancelled(status)) return;
  Count("chartly_backup_log_copies_total", 1, status.ok() ? "succeeded" : "failed");
  if (status.ok()) {
    SetGauge("chartly_backup_log_copy_last_success_seconds", absl::ToDoubleSeconds(clock_.Now() - absl::UnixEpoch()));
  }
  // Once for each cause, however often it is tried again.
  const std::string failure(status.message());
  if (!status.ok() && failure != told_) LogWarn("the log is not sent to the bucket", {{"error", failure}});
  told_ = failure;
}

}  // namespace chartly::observer
