// Files of a folder of backups that are there whole or not at all, also after a power cut.
#ifndef CHARTLY_COMMON_BACKUP_DURABLE_FILE_H_
#define CHARTLY_COMMON_BACKUP_DURABLE_FILE_H_

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace chartly::backup {

// Unavailable (BACKUP_IO_ERROR).
absl::Status IoError(const std::string& path, absl::string_view what);

// Makes its folder if absent and puts the file in the place of what was there; on OK it is on disk. BACKUP_IO_ERROR.
absl::Status WriteDurably(const std::string& path, absl::string_view content);
// As it is now, whatever becomes of the power. Makes no promise about the disk.
absl::Status WriteAtOnce(const std::string& path, absl::string_view content);
// NotFound if it is not there, else BACKUP_IO_ERROR.
absl::StatusOr<std::string> ReadWhole(const std::string& path);
// What was renamed or removed in the folder is on disk. BACKUP_IO_ERROR.
absl::Status SyncFolder(const std::string& path);

}  // namespace chartly::backup

#endif  // CHARTLY_COMMON_BACKUP_DURABLE_FILE_H_
