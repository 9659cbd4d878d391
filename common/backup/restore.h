// Makes a data folder out of a backup. Nothing may run on the folder meanwhile.
#ifndef CHARTLY_COMMON_BACKUP_RESTORE_H_
#define CHARTLY_COMMON_BACKUP_RESTORE_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "common/backup/backup_folder.h"

namespace chartly::backup {

// Checks every file of these parts of the backup, then restores their stores below `data_dir`, and gives the manifest.
// FailedPrecondition (DATA_FOLDER_NOT_EMPTY) if there is anything but keys; NotFound (BACKUP_NOT_FOUND) if there is no
// such backup or it lacks a part; DataLoss (BACKUP_CORRUPT) names what is damaged, and nothing was written. A restore
// that is interrupted leaves a folder that CheckRestored refuses.
absl::StatusOr<BackupManifest> Restore(const BackupFolder& folder, absl::string_view id,
                                       const std::vector<std::string>& parts, const std::string& data_dir);

// OK unless a restore into the data folder was interrupted: FailedPrecondition (RESTORE_INTERRUPTED).
absl::Status CheckRestored(const std::string& data_dir);

}  // namespace chartly::backup

#endif  // CHARTLY_COMMON_BACKUP_RESTORE_H_
