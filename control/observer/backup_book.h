// The backups of this deployment: makes them part after part, in the order that ADR 21 gives, keeps the newest ones and
// checks them. One job at a time, on a thread of its own; what it does is asked for by name.
//
// Thread-safe.
#ifndef CHARTLY_CONTROL_OBSERVER_BACKUP_BOOK_H_
#define CHARTLY_CONTROL_OBSERVER_BACKUP_BOOK_H_

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <thread>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "chartly/v1/observer.pb.h"
#include "common/backup/backup_folder.h"
#include "common/clock/clock.h"
#include "common/s3/bucket.h"
#include "control/observer/part_copies.h"

namespace chartly::observer {

struct BackupConfig {
  std::string folder;                                  // empty: no backups can be made
  size_t keep = 14;                                    // backups; older ones go once a new one is whole
  s3::BucketConfig bucket;                             // where each is copied to; without a url nowhere
  absl::Duration log_interval = absl::ZeroDuration();  // between copies of archived logs; zero: there are none
};

class BackupBook {
 public:
  // Copies and clock must outlive it.
  BackupBook(BackupConfig config, PartCopies& copies, Clock& clock);
  ~BackupBook() { Shutdown(); }
  // Before anything else; does nothing without a bucket. As Bucket::Open.
  absl::Status OpenBucket();

  // Begins one. FailedPrecondition: BACKUP_DIR_NOT_SET, or BACKUP_BUSY while another job runs.
  absl::StatusOr<v1::Backup> Create();
  // NotFound (BACKUP_NOT_FOUND), DataLoss (BACKUP_CORRUPT).
  absl::StatusOr<v1::Backup> Get(const std::string& name);
  // One whose manifest is damaged is listed as FAILED.
  absl::StatusOr<v1::ListBackupsResponse> List(const v1::ListBackupsRequest& request);
  // Begins a check of its files and of the log behind it. As Create and Get.
  absl::StatusOr<v1::Backup> Verify(const std::string& name);
  // Ends what is under way; a backup that is not whole is none. Safe twice.
  void Shutdown();

 private:
  // What a job leaves for everybody to see.
  using Publish = std::function<void()>;

  absl::Status Admit() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  absl::StatusOr<std::string> NewId() const;
  void StartJob(std::function<Publish()> job) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  Publish MakeBackup(const std::string& id);
  absl::StatusOr<backup::BackupManifest> CopyParts(const std::string& id);
  backup::BackupManifest Newest() const;
  absl::Status DropOld();
  // Sends what the bucket lacks; nothing if there is none.
  std::optional<v1::BackupCopy> CopyToBucket();
  Publish CheckFiles(const backup::BackupManifest& manifest);
  absl::StatusOr<backup::Verification> CheckWithLogs(const backup::BackupManifest& manifest) const;
  // Up to when every moment behind it can be restored, microseconds; 0 if none.
  int64_t LogUntil(const backup::BackupManifest& manifest) const;
  v1::Backup Describe(const std::string& id) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  const BackupConfig config_;
  const backup::BackupFolder folder_;
  PartCopies& copies_;
  Clock& clock_;
  std::atomic<bool> stopping_ = false;
  std::unique_ptr<s3::Bucket> bucket_;  // null: none
  absl::Mutex mu_;
  bool busy_ ABSL_GUARDED_BY(mu_) = false;
  std::optional<v1::Backup> unfinished_ ABSL_GUARDED_BY(mu_);  // under way, or the last one if it failed
  std::map<std::string, v1::BackupVerification> verifications_ ABSL_GUARDED_BY(mu_);  // by id
  std::map<std::string, v1::BackupCopy> bucket_copies_ ABSL_GUARDED_BY(mu_);          // by id
  std::thread job_ ABSL_GUARDED_BY(mu_);
};

}  // namespace chartly::observer

#endif  // CHARTLY_CONTROL_OBSERVER_BACKUP_BOOK_H_
