// Archived logs in a bucket: the segments of a folder of backups that some backup there needs, under the same names
// (docs/formats/backup.md).
//
// Not thread-safe; may be used beside a BackupBucket, which never touches what this one sends and a backup needs.
#ifndef CHARTLY_COMMON_BACKUP_BUCKET_LOG_H_
#define CHARTLY_COMMON_BACKUP_BUCKET_LOG_H_

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/backup/backup_folder.h"
#include "common/backup/log_folder.h"
#include "common/s3/bucket.h"

namespace chartly::backup {

// An object of an archived log.
struct LogKey {
  std::string part;
  std::string history;
  std::optional<SegmentName> segment;  // none: the mark
  std::string Text() const;
  static std::optional<LogKey> Parse(absl::string_view key);
};

// Which of the objects of logs some backups need.
class NeededLogs {
 public:
  void Add(const BackupManifest& manifest);
  bool Has(const LogKey& key) const;
  // Parts and histories, with the least position.
  const std::map<std::pair<std::string, std::string>, uint64_t>& positions() const { return positions_; }

 private:
  std::map<std::pair<std::string, std::string>, uint64_t> positions_;
};

class BucketLog {
 public:
  // Both must outlive it.
  BucketLog(const BackupFolder& folder, s3::Bucket& bucket) : folder_(folder), bucket_(bucket) {}

  // Sends what the folder has of the logs behind its backups and the bucket lacks, and the marks; what a longer segment
  // took the place of goes. Gives the bytes sent. As Bucket.
  absl::StatusOr<int64_t> Send();
  // Brings the logs behind a backup into the folder, as far as it lacks them. As Bucket.
  absl::Status Fetch(const BackupManifest& manifest);

 private:
  absl::Status ListOnce();
  absl::StatusOr<NeededLogs> Needed();
  absl::StatusOr<int64_t> SendHistory(const std::string& part, const std::string& history, uint64_t position);
  absl::Status SendMark(const LogKey& key, const LogMark& mark);
  absl::Status FetchSegments(const std::string& part, const LogPosition& position);

  const BackupFolder& folder_;
  s3::Bucket& bucket_;
  std::optional<std::set<std::string>> there_;  // keys of logs in the bucket
  std::map<std::string, LogMark> marks_;        // as they were sent last, by key
  int64_t written_us_ = 0;                      // the newest of those that something was written before
};

}  // namespace chartly::backup

#endif  // CHARTLY_COMMON_BACKUP_BUCKET_LOG_H_
