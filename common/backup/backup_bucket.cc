#include "common/backup/backup_bucket.h"

#include <algorithm>
#include <filesystem>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "common/backup/backup_folder.h"
#include "common/backup/bucket_log.h"
#include "common/backup/restore.h"
#include "common/status/status.h"

namespace chartly::backup {
namespace {

namespace fs = std::filesystem;

constexpr char kManifests[] = "manifests/";
constexpr char kPartFiles[] = "parts/";

std::string ManifestKey(absl::string_view id) { return absl::StrCat(kManifests, id, kManifestSuffix); }

std::string KeyOf(const PartBackup& part, const BackupFile& file) {
  return absl::StrCat(kPartFiles, part.part(), "/", file.path());
}

absl::Status Taken(const std::string& key) {
  return Error(absl::StatusCode::kAlreadyExists, "BACKUP_BUCKET_TAKEN",
               absl::StrCat("the bucket has another ", key,
                            ": backups of another control plane, or of this one before a restore; name another prefix"),
               {{"key", key}});
}

// A bucket is not this process's own: what it names must not lead out of the folder.
bool IsBelow(absl::string_view path) {
  const fs::path parsed{std::string(path)};
  return !path.empty() && !parsed.is_absolute() && std::find(parsed.begin(), parsed.end(), "..") == parsed.end();
}

absl::Status CheckPaths(const BackupManifest& manifest) {
  for (const PartBackup& part : manifest.parts()) {
    bool below = IsBelow(part.part());
    for (const BackupFile& file : part.files()) below = below && IsBelow(file.path());
    if (below) continue;
    return Error(absl::StatusCode::kDataLoss, "BACKUP_CORRUPT",
                 absl::StrCat("the manifest of ", manifest.id(), " names a file outside of the folder"));
  }
  return absl::OkStatus();
}

absl::Status MakeFolderOf(const std::string& path) {
  std::error_code error;
  fs::create_directories(fs::path(path).parent_path(), error);
  if (!error) return absl::OkStatus();
  return Error(absl::StatusCode::kUnavailable, "BACKUP_IO_ERROR",
               absl::StrCat("cannot make the folder of ", path, ": ", error.message()), {{"path", path}});
}

}  // namespace

absl::StatusOr<std::vector<std::string>> BackupBucket::List() const {
  ASSIGN_OR_RETURN(const std::vector<s3::Object> objects, bucket_.List(kManifests));
  std::vector<std::string> ids;
  for (const s3::Object& object : objects) {
    if (!absl::EndsWith(object.key, kManifestSuffix)) continue;
    ids.emplace_back(absl::StripSuffix(absl::StripPrefix(object.key, kManifests), kManifestSuffix));
  }
  std::sort(ids.begin(), ids.end());
  return ids;
}

absl::StatusOr<BackupManifest> BackupBucket::Read(const std::string& id) const {
  ASSIGN_OR_RETURN(const std::string text, bucket_.Get(ManifestKey(id)));
  return BackupFolder::Parse(text, id, absl::StrCat(bucket_.url(), "/", ManifestKey(id)));
}

absl::StatusOr<BackupBucket::Known> BackupBucket::KnownFiles(const std::vector<std::string>& ids) const {
  Known known;
  for (const std::string& id : ids) {
    ASSIGN_OR_RETURN(const BackupManifest manifest, Read(id));
    for (const PartBackup& part : manifest.parts()) {
      for (const BackupFile& file : part.files()) known[KeyOf(part, file)] = file.sha256();
    }
  }
  return known;
}

absl::StatusOr<int64_t> BackupBucket::SendFiles(const BackupManifest& manifest, Known& known) {
  int64_t bytes = 0;
  for (const PartBackup& part : manifest.parts()) {
    for (const BackupFile& file : part.files()) {
      const std::string key = KeyOf(part, file);
      const auto [there, is_new] = known.try_emplace(key, file.sha256());
      if (!is_new && there->second != file.sha256()) return Taken(key);
      if (!is_new) continue;
      RETURN_IF_ERROR(bucket_.PutFile(key, absl::StrCat(folder_.PartFolder(part.part()), "/", file.path())));
      bytes += file.bytes();
    }
  }
  return bytes;
}

absl::StatusOr<int64_t> BackupBucket::Send() {
  ASSIGN_OR_RETURN(const std::vector<std::string> there, List());
  ASSIGN_OR_RETURN(Known known, KnownFiles(there));
  ASSIGN_OR_RETURN(const std::vector<std::string> here, folder_.List());
  int64_t bytes = 0;
  for (const std::string& id : here) {
    ASSIGN_OR_RETURN(const BackupManifest manifest, folder_.Read(id));
    // Also of what is there: one of another control plane may have the same name.
    ASSIGN_OR_RETURN(const int64_t sent, SendFiles(manifest, known));
    bytes += sent;
    if (std::binary_search(there.begin(), there.end(), id)) continue;
    RETURN_IF_ERROR(bucket_.PutFile(ManifestKey(id), folder_.ManifestPath(id)));
  }
  return bytes;
}

absl::Status BackupBucket::Keep(size_t count) {
  ASSIGN_OR_RETURN(std::vector<std::string> ids, List());
  if (ids.size() <= count) return absl::OkStatus();
  for (; ids.size() > count; ids.erase(ids.begin())) RETURN_IF_ERROR(bucket_.Delete(ManifestKey(ids.front())));
  ASSIGN_OR_RETURN(const Known known, KnownFiles(ids));
  NeededLogs logs;
  for (const std::string& id : ids) {
    ASSIGN_OR_RETURN(const BackupManifest manifest, Read(id));
    logs.Add(manifest);
  }
  ASSIGN_OR_RETURN(const std::vector<s3::Object> objects, bucket_.List(kPartFiles));
  for (const s3::Object& object : objects) {
    const std::optional<LogKey> log = LogKey::Parse(object.key);
    const bool is_needed = log.has_value() ? logs.Has(*log) : known.contains(object.key);
    if (!is_needed) RETURN_IF_ERROR(bucket_.Delete(object.key));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::string> BackupBucket::NewestBy(absl::Time moment) const {
  ASSIGN_OR_RETURN(const std::vector<std::string> ids, List());
  return backup::NewestBy(moment, ids, [this](const std::string& id) { return Read(id); });
}

absl::Status BackupBucket::Fetch(const std::string& id) {
  const absl::StatusOr<BackupManifest> manifest = Read(id);
  if (Reason(manifest.status()) == "S3_OBJECT_NOT_FOUND") {
    ASSIGN_OR_RETURN(const std::vector<std::string> ids, List());
    return Error(absl::StatusCode::kNotFound, "BACKUP_NOT_FOUND",
                 absl::StrCat("there is no backup ", id, " in ", bucket_.url(),
                              "; there are: ", ids.empty() ? "none" : absl::StrJoin(ids, ", ")),
                 {{"backup", id}});
  }
  RETURN_IF_ERROR(manifest.status());
  RETURN_IF_ERROR(CheckPaths(*manifest));
  for (const PartBackup& part : manifest->parts()) {
    for (const BackupFile& file : part.files()) {
      const std::string path = absl::StrCat(folder_.PartFolder(part.part()), "/", file.path());
      std::error_code error;
      // Whether it is what it should be is looked at by the restore, of every file.
      if (fs::file_size(path, error) == static_cast<uintmax_t>(file.bytes()) && !error) continue;
      RETURN_IF_ERROR(MakeFolderOf(path));
      RETURN_IF_ERROR(bucket_.GetFile(KeyOf(part, file), path));
    }
  }
  RETURN_IF_ERROR(BucketLog(folder_, bucket_).Fetch(*manifest));
  RETURN_IF_ERROR(MakeFolderOf(folder_.ManifestPath(id)));
  return bucket_.GetFile(ManifestKey(id), folder_.ManifestPath(id));
}

}  // namespace chartly::backup
