// Makes a data folder out of a backup. Nothing may run on the folder meanwhile.
#ifndef CHARTLY_COMMON_BACKUP_RESTORE_H_
#define CHARTLY_COMMON_BACKUP_RESTORE_H_

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/backup/backup_folder.h"

namespace chartly::backup {

// What is to be restored: a backup, or a moment behind one.
struct RestoreTarget {
  std::string backup;                               // empty: the newest that was whole by `moment`
  std::optional<absl::Time> moment = std::nullopt;  // none: the backup itself
};

struct Restored {
  BackupManifest manifest;
  std::vector<int64_t> writes;  // of each part, those behind the backup
};

// Checks every file of these parts of the backup and of the log up to the moment, then restores their stores below
// `data_dir`. FailedPrecondition (DATA_FOLDER_NOT_EMPTY) if there is anything but keys; NotFound (BACKUP_NOT_FOUND) if
// there is no such backup, or it lacks a part; DataLoss (BACKUP_CORRUPT) names what is damaged; OutOfRange
// (MOMENT_NOT_KEPT) names the last moment that can be had. With all of these nothing was written. A restore that is
// interrupted leaves a folder that CheckRestored refuses.
absl::StatusOr<Restored> Restore(const BackupFolder& folder, const RestoreTarget& target,
                                 const std::vector<std::string>& parts, const std::string& data_dir);

// The newest of these backups, which `read` gives, that was whole by `moment`. NotFound (BACKUP_NOT_FOUND).
absl::StatusOr<std::string> NewestBy(absl::Time moment, const std::vector<std::string>& ids,
                                     const std::function<absl::StatusOr<BackupManifest>(const std::string&)>& read);

// OK unless a restore into the data folder was interrupted: FailedPrecondition (RESTORE_INTERRUPTED).
absl::Status CheckRestored(const std::string& data_dir);

}  // namespace chartly::backup

#endif  // CHARTLY_COMMON_BACKUP_RESTORE_H_
