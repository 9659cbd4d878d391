// Backups in a bucket: the files of a folder of backups (docs/formats/backup.md) under the same names, so that whatever
// copies a bucket into a folder gives the folder back. What is there as part of a backup is never written again.
//
// Not thread-safe; one process at a time writes, any may read.
#ifndef CHARTLY_COMMON_BACKUP_BACKUP_BUCKET_H_
#define CHARTLY_COMMON_BACKUP_BACKUP_BUCKET_H_

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/backup/backup_folder.h"
#include "common/s3/bucket.h"

namespace chartly::backup {

class BackupBucket {
 public:
  // Both must outlive it.
  BackupBucket(const BackupFolder& folder, s3::Bucket& bucket) : folder_(folder), bucket_(bucket) {}

  // Ids, oldest first. As Bucket, like all that follow.
  absl::StatusOr<std::vector<std::string>> List() const;
  // Sends the backups of the folder that the bucket lacks, oldest first: of each the files that no backup there has,
  // then its manifest. Gives the bytes sent. AlreadyExists (BACKUP_BUCKET_TAKEN), with nothing overwritten, if a file
  // of another control plane lies where one of these is to lie.
  absl::StatusOr<int64_t> Send();
  // Leaves the newest `count` backups, then removes files that none of them has, and logs that none of them needs. As
  // long as a manifest cannot be read, no file goes.
  absl::Status Keep(size_t count);
  // The newest backup that was whole by then. NotFound (BACKUP_NOT_FOUND).
  absl::StatusOr<std::string> NewestBy(absl::Time moment) const;
  // Brings a backup and the log behind it into the folder, its manifest last. NotFound (BACKUP_NOT_FOUND) names those
  // that there are; DataLoss (BACKUP_CORRUPT) if its manifest is damaged, or would lead out of the folder.
  absl::Status Fetch(const std::string& id);

 private:
  // Keys with the checksum of their content, of all backups in the bucket.
  using Known = std::map<std::string, std::string>;

  absl::StatusOr<BackupManifest> Read(const std::string& id) const;
  absl::StatusOr<Known> KnownFiles(const std::vector<std::string>& ids) const;
  absl::StatusOr<int64_t> SendFiles(const BackupManifest& manifest, Known& known);

  const BackupFolder& folder_;
  s3::Bucket& bucket_;
};

}  // namespace chartly::backup

#endif  // CHARTLY_COMMON_BACKUP_BACKUP_BUCKET_H_
