// Archives the log of one store beside its backups, so that every moment behind a backup can be restored. A log begins
// with a backup, for what lies before cannot be used without one. It goes on over restarts, and ends where what follows
// is not to be had any more: then the next backup begins another.
//
// Thread-safe. The source and clock must outlive it.
#ifndef CHARTLY_COMMON_BACKUP_PART_LOG_H_
#define CHARTLY_COMMON_BACKUP_PART_LOG_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "common/backup/log_folder.h"
#include "common/clock/clock.h"
#include "common/kv/kv_store.h"

namespace chartly::backup {

class PartLog {
 public:
  // `part_folder` holds the copies of the part.
  PartLog(std::string part, const std::string& part_folder, KvSource& source, Clock& clock)
      : part_(std::move(part)), folder_(part_folder), source_(source), clock_(clock) {}

  // Archives what was written since the last time and lets the store forget it. What fails is logged, counted and tried
  // again by the next call.
  void Archive();
  // Empty, or why moments cannot be restored until the next backup. Waits for nothing.
  std::string Fault() const;

  // Around each copy of the store: nothing of the log goes meanwhile.
  void CopyBegins();
  void CopyFailed();
  // Where the copy stands in the log, which begins there if there is none. Unavailable (BACKUP_IO_ERROR).
  absl::StatusOr<LogPosition> CopyMade(uint64_t sequence);

  // As LogFolder::Keep.
  absl::Status Keep(const std::vector<LogPosition>& positions);

 private:
  // Finds the log that an earlier process wrote, if the store goes on where it ends.
  absl::Status Resume() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  absl::StatusOr<bool> GoesOn(const std::string& history) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  absl::Status ArchiveNew() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  absl::Status Append(const std::vector<KvLogBatch>& batches) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void BreakOff(const std::string& why) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void Tell(const absl::Status& status) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void SetFault(const std::string& fault);
  void ShowBehind() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  const std::string part_;
  const LogFolder folder_;
  KvSource& source_;
  Clock& clock_;
  mutable absl::Mutex mu_;
  bool resumed_ ABSL_GUARDED_BY(mu_) = false;  // whether it was looked for an earlier log
  std::string history_ ABSL_GUARDED_BY(mu_);   // empty: none is kept
  uint64_t position_ ABSL_GUARDED_BY(mu_) = 0;
  int64_t until_us_ ABSL_GUARDED_BY(mu_) = 0;  // nothing up to here is missing; 0: not known
  LogSegment growing_ ABSL_GUARDED_BY(mu_);    // the newest one, as it lies in the folder
  absl::Time growing_since_ ABSL_GUARDED_BY(mu_);
  int copies_ ABSL_GUARDED_BY(mu_) = 0;  // that are being made
  absl::Time copy_begun_ ABSL_GUARDED_BY(mu_);
  std::string told_ ABSL_GUARDED_BY(mu_);  // the failure that was logged last
  mutable absl::Mutex fault_mu_;           // held for no longer than it takes to copy
  std::string fault_ ABSL_GUARDED_BY(fault_mu_);
};

}  // namespace chartly::backup

#endif  // CHARTLY_COMMON_BACKUP_PART_LOG_H_
