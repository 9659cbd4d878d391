#include "common/backup/restore.h"

#include <algorithm>
#include <filesystem>
#include <set>
#include <system_error>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/kv/kv_backup.h"
#include "common/status/status.h"

namespace chartly::backup {
namespace {

namespace fs = std::filesystem;

constexpr char kUnfinished[] = "/restore.unfinished";

// What may lie in the folder before: it is not in backups. The last is what a new disk has of its own.
const std::set<std::string>& KeyFiles() {
  static const auto* names = new std::set<std::string>{"admin.key", "audit-keys", "tls", "lost+found"};
  return *names;
}

// Below the data folder of a process.
std::string StoreFolder(const std::string& part) { return part == "aggregator" ? "records" : part; }

absl::Status IoError(const std::string& path, const std::error_code& error) {
  return Error(absl::StatusCode::kUnavailable, "RESTORE_IO_ERROR", absl::StrCat(path, ": ", error.message()),
               {{"path", path}});
}

absl::Status CheckEmpty(const std::string& data_dir) {
  if (!fs::exists(data_dir)) return absl::OkStatus();
  std::error_code error;
  for (fs::directory_iterator it(data_dir, error), end; !error && it != end; it.increment(error)) {
    const std::string name = it->path().filename().string();
    if (KeyFiles().count(name) != 0) continue;
    return Error(absl::StatusCode::kFailedPrecondition, "DATA_FOLDER_NOT_EMPTY",
                 absl::StrCat(data_dir, " has ", name,
                              " in it; a backup is restored into a new folder, which may have keys in it and no more"),
                 {{"path", data_dir}});
  }
  return error ? IoError(data_dir, error) : absl::OkStatus();
}

absl::StatusOr<BackupManifest> Choose(const BackupManifest& manifest, const std::vector<std::string>& parts) {
  BackupManifest chosen = manifest;
  chosen.clear_parts();
  for (const std::string& name : parts) {
    auto found = std::find_if(manifest.parts().begin(), manifest.parts().end(),
                              [&](const PartBackup& part) { return part.part() == name; });
    if (found == manifest.parts().end()) {
      return Error(absl::StatusCode::kNotFound, "BACKUP_NOT_FOUND",
                   absl::StrCat("backup ", manifest.id(), " does not hold ", name), {{"part", name}});
    }
    *chosen.add_parts() = *found;
  }
  return chosen;
}

absl::Status CheckFiles(const BackupFolder& folder, const BackupManifest& manifest) {
  ASSIGN_OR_RETURN(Verification checked, folder.Verify(manifest, [] { return false; }));
  if (checked.faults.empty()) return absl::OkStatus();
  return Error(absl::StatusCode::kDataLoss, "BACKUP_CORRUPT",
               absl::StrCat("backup ", manifest.id(), " is damaged and nothing was restored; use another one: ",
                            absl::StrJoin(checked.faults, "; ")),
               {{"backup", manifest.id()}});
}

}  // namespace

absl::StatusOr<BackupManifest> Restore(const BackupFolder& folder, absl::string_view id,
                                       const std::vector<std::string>& parts, const std::string& data_dir) {
  RETURN_IF_ERROR(CheckEmpty(data_dir));
  ASSIGN_OR_RETURN(BackupManifest whole, folder.Read(id));
  ASSIGN_OR_RETURN(BackupManifest manifest, Choose(whole, parts));
  RETURN_IF_ERROR(CheckFiles(folder, manifest));
  std::error_code error;
  fs::create_directories(data_dir + kUnfinished, error);
  if (error) return IoError(data_dir, error);
  for (const PartBackup& part : manifest.parts()) {
    RETURN_IF_ERROR(Annotate(RestoreKvBackup(folder.PartFolder(part.part()), part.number(),
                                             absl::StrCat(data_dir, "/", StoreFolder(part.part()))),
                             part.part()));
  }
  fs::remove(data_dir + kUnfinished, error);
  if (error) return IoError(data_dir, error);
  return manifest;
}

absl::Status CheckRestored(const std::string& data_dir) {
  std::error_code error;
  if (!fs::exists(data_dir + kUnfinished, error)) return absl::OkStatus();
  return Error(absl::StatusCode::kFailedPrecondition, "RESTORE_INTERRUPTED",
               absl::StrCat("a restore into ", data_dir, " was interrupted; remove the folder and restore it again"),
               {{"path", data_dir}});
}

}  // namespace chartly::backup
