// The folder that holds backups of the control plane (docs/formats/backup.md): the copies of each part's store, and one
// manifest a backup, which is written last. What no manifest names is no backup.
//
// Thread-safe; one process at a time makes backups in a folder, any may read.
#ifndef CHARTLY_COMMON_BACKUP_BACKUP_FOLDER_H_
#define CHARTLY_COMMON_BACKUP_BACKUP_FOLDER_H_

#include <functional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "chartly/storage/v1/backup.pb.h"

namespace chartly::backup {

using storage::v1::BackupFile;
using storage::v1::BackupManifest;
using storage::v1::PartBackup;

// The id of a backup that began then: 20260131t090000z.
std::string BackupIdOf(absl::Time time);
// The time that BackupIdOf was given, to the second. InvalidArgument (BACKUP_NAME_INVALID) if it made no such name.
absl::StatusOr<absl::Time> TimeOfBackup(const std::string& id);

// What is wrong with the files of a backup.
struct Verification {
  int64_t files = 0;                // looked at
  std::vector<std::string> faults;  // at most kMaxFaults, each with the path and what is wrong
};
inline constexpr size_t kMaxFaults = 10;

inline constexpr char kManifestSuffix[] = ".json";  // after the id, in a folder and in a bucket

class BackupFolder {
 public:
  explicit BackupFolder(std::string path) : path_(std::move(path)) {}
  const std::string& path() const { return path_; }
  // Where the copies of a part's store lie.
  std::string PartFolder(absl::string_view part) const;

  // Where the manifest of a backup lies.
  std::string ManifestPath(absl::string_view id) const;
  // The text of a manifest that came from `place`. DataLoss (BACKUP_CORRUPT), FailedPrecondition
  // (BACKUP_FORMAT_UNKNOWN).
  static absl::StatusOr<BackupManifest> Parse(const std::string& text, absl::string_view id, const std::string& place);

  // Ids, oldest first; none if there is no folder.
  absl::StatusOr<std::vector<std::string>> List() const;
  // NotFound (BACKUP_NOT_FOUND) names the backups that there are; DataLoss (BACKUP_CORRUPT) if the manifest is damaged.
  absl::StatusOr<BackupManifest> Read(absl::string_view id) const;
  // On OK the manifest is on disk.
  absl::Status Write(const BackupManifest& manifest) const;
  // From then on it is no backup; its files stay until they are dropped.
  absl::Status Remove(absl::string_view id) const;

  // Gives the files of a part their checksums: those of `known`, for files that it has with the same path and size,
  // else of what is read. FailedPrecondition (BACKUP_NOT_SHARED) if a file is not there: another folder was written.
  absl::Status AddChecksums(PartBackup& part, const BackupManifest& known, const std::function<bool()>& stopped) const;
  // Reads every file. Cancelled once `stopped` says true; damage is no error here.
  absl::StatusOr<Verification> Verify(const BackupManifest& manifest, const std::function<bool()>& stopped) const;

 private:
  const std::string path_;
};

}  // namespace chartly::backup

#endif  // CHARTLY_COMMON_BACKUP_BACKUP_FOLDER_H_
