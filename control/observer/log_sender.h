// Sends what is archived of the logs behind the backups to the bucket, every few seconds, on a thread of its own. Does
// nothing without a bucket.
//
// Start and Shutdown come from one thread.
#ifndef CHARTLY_CONTROL_OBSERVER_LOG_SENDER_H_
#define CHARTLY_CONTROL_OBSERVER_LOG_SENDER_H_

#include <atomic>
#include <memory>
#include <string>
#include <thread>

#include "absl/status/statusor.h"
#include "absl/synchronization/notification.h"
#include "common/backup/bucket_log.h"
#include "common/clock/clock.h"
#include "common/s3/bucket.h"
#include "control/observer/backup_book.h"

namespace chartly::observer {

class LogSender {
 public:
  // The clock must outlive it.
  LogSender(const BackupConfig& config, Clock& clock) : config_(config), folder_(config.folder), clock_(clock) {}
  ~LogSender() { Shutdown(); }
  // As Bucket::Open.
  absl::Status Start();
  // Ends a request that is under way. Safe twice.
  void Shutdown();

 private:
  void SendNew();

  const BackupConfig config_;
  const backup::BackupFolder folder_;
  Clock& clock_;
  std::atomic<bool> stopping_ = false;
  absl::Notification stop_;
  std::unique_ptr<s3::Bucket> bucket_;  // of the thread, as what follows
  std::unique_ptr<backup::BucketLog> log_;
  std::string told_;  // the failure that was logged last
  std::thread thread_;
};

}  // namespace chartly::observer

#endif  // CHARTLY_CONTROL_OBSERVER_LOG_SENDER_H_
