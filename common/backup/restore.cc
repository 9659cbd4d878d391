#include "common/backup/restore.h"

#include <algorithm>
#include <filesystem>
#include <limits>
#include <set>
#include <system_error>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/backup/log_folder.h"
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

std::string Show(int64_t time_us) {
  return absl::FormatTime(absl::RFC3339_full, absl::FromUnixMicros(time_us), absl::UTCTimeZone());
}

absl::Status NotKept(const BackupManifest& manifest, absl::Time moment, absl::string_view part, int64_t until_us,
                     absl::string_view why) {
  // A moment before the backup was whole is none for all parts.
  const std::string offer = until_us > manifest.finished_us()
                                ? absl::StrCat("the last moment that can be restored is ", Show(until_us))
                                : absl::StrCat("the backup itself can be restored: --restore ", manifest.id());
  return Error(absl::StatusCode::kOutOfRange, "MOMENT_NOT_KEPT",
               absl::StrCat("the log of ", part, " behind backup ", manifest.id(), " does not lead to ",
                            Show(absl::ToUnixMicros(moment)), " (", why, "); ", offer),
               {{"part", part}, {"backup", manifest.id()}});
}

// Nothing is changed; the log is read as it will be read to be written.
absl::Status CheckLogs(const BackupFolder& folder, const BackupManifest& manifest, absl::Time moment) {
  if (absl::ToUnixMicros(moment) < manifest.finished_us()) {
    return Error(absl::StatusCode::kInvalidArgument, "MOMENT_BEFORE_BACKUP",
                 absl::StrCat("backup ", manifest.id(), " was whole at ", Show(manifest.finished_us()),
                              ", behind the moment; name an earlier one, or none"),
                 {{"backup", manifest.id()}});
  }
  int64_t until_us = std::numeric_limits<int64_t>::max();
  absl::Status missing;
  for (const PartBackup& part : manifest.parts()) {
    if (!part.has_log()) return NotKept(manifest, moment, part.part(), 0, "none was archived");
    const absl::Status walked = LogFolder(folder.PartFolder(part.part()))
                                    .Replay(part.log(), moment, [](const LogBatch&) { return absl::OkStatus(); })
                                    .status();
    if (Reason(walked) != "BACKUP_LOG_BROKEN") {
      RETURN_IF_ERROR(Annotate(walked, part.part()));
      continue;
    }
    int64_t last_us = 0;
    if (!absl::SimpleAtoi(Details(walked)["until_us"], &last_us) || last_us >= until_us) continue;
    until_us = last_us;
    missing = NotKept(manifest, moment, part.part(), until_us, walked.message());
  }
  return missing;
}

absl::StatusOr<std::string> ChooseBackup(const BackupFolder& folder, const RestoreTarget& target) {
  if (!target.backup.empty() || !target.moment.has_value()) return target.backup;
  ASSIGN_OR_RETURN(const std::vector<std::string> ids, folder.List());
  return NewestBy(*target.moment, ids, [&](const std::string& id) { return folder.Read(id); });
}

KvBatch Decode(const LogBatch& batch) {
  KvBatch decoded;
  for (const storage::v1::LogOp& op : batch.ops()) {
    if (op.has_value()) decoded.Put(op.key(), op.value());
    if (!op.has_value()) decoded.Delete(op.key());
  }
  return decoded;
}

// Writes what the log has up to the moment behind the copy. Gives the number of writes.
absl::StatusOr<int64_t> ReplayLog(const BackupFolder& folder, const PartBackup& part, absl::Time moment,
                                  const std::string& path) {
  KvOptions options;
  options.large_values = part.part() == "aggregator";
  ASSIGN_OR_RETURN(const std::unique_ptr<KvStore> store, OpenKvStore(path, options));
  if (store->LastSequence() != part.log().sequence()) {
    return Error(absl::StatusCode::kDataLoss, "BACKUP_CORRUPT",
                 absl::StrCat("the copy ends with write ", store->LastSequence(), ", its manifest says ",
                              part.log().sequence(), "; use another backup"));
  }
  ASSIGN_OR_RETURN(const int64_t writes,
                   LogFolder(folder.PartFolder(part.part())).Replay(part.log(), moment, [&](const LogBatch& batch) {
                     return store->Write(Decode(batch), false);
                   }));
  RETURN_IF_ERROR(store->Write(KvBatch(), true));
  return writes;
}

}  // namespace

absl::StatusOr<std::string> NewestBy(absl::Time moment, const std::vector<std::string>& ids,
                                     const std::function<absl::StatusOr<BackupManifest>(const std::string&)>& read) {
  for (auto id = ids.rbegin(); id != ids.rend(); ++id) {
    const absl::StatusOr<absl::Time> begun = TimeOfBackup(*id);
    if (!begun.ok() || *begun > moment) continue;
    ASSIGN_OR_RETURN(const BackupManifest manifest, read(*id));
    if (manifest.finished_us() <= absl::ToUnixMicros(moment)) return *id;
  }
  return Error(absl::StatusCode::kNotFound, "BACKUP_NOT_FOUND",
               absl::StrCat("no backup was whole by ", Show(absl::ToUnixMicros(moment)),
                            "; there are: ", ids.empty() ? "none" : absl::StrJoin(ids, ", ")));
}

absl::StatusOr<Restored> Restore(const BackupFolder& folder, const RestoreTarget& target,
                                 const std::vector<std::string>& parts, const std::string& data_dir) {
  RETURN_IF_ERROR(CheckEmpty(data_dir));
  ASSIGN_OR_RETURN(const std::string id, ChooseBackup(folder, target));
  ASSIGN_OR_RETURN(BackupManifest whole, folder.Read(id));
  Restored restored;
  ASSIGN_OR_RETURN(restored.manifest, Choose(whole, parts));
  RETURN_IF_ERROR(CheckFiles(folder, restored.manifest));
  if (target.moment.has_value()) RETURN_IF_ERROR(CheckLogs(folder, restored.manifest, *target.moment));
  std::error_code error;
  fs::create_directories(data_dir + kUnfinished, error);
  if (error) return IoError(data_dir, error);
  for (const PartBackup& part : restored.manifest.parts()) {
    const std::string path = absl::StrCat(data_dir, "/", StoreFolder(part.part()));
    RETURN_IF_ERROR(Annotate(RestoreKvBackup(folder.PartFolder(part.part()), part.number(), path), part.part()));
    if (!target.moment.has_value()) continue;
    const absl::StatusOr<int64_t> writes = ReplayLog(folder, part, *target.moment, path);
    RETURN_IF_ERROR(Annotate(writes.status(), part.part()));
    restored.writes.push_back(*writes);
  }
  fs::remove(data_dir + kUnfinished, error);
  if (error) return IoError(data_dir, error);
  return restored;
}

absl::Status CheckRestored(const std::string& data_dir) {
  std::error_code error;
  if (!fs::exists(data_dir + kUnfinished, error)) return absl::OkStatus();
  return Error(absl::StatusCode::kFailedPrecondition, "RESTORE_INTERRUPTED",
               absl::StrCat("a restore into ", data_dir, " was interrupted; remove the folder and restore it again"),
               {{"path", data_dir}});
}

}  // namespace chartly::backup
