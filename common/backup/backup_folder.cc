#include "common/backup/backup_folder.h"

#include <google/protobuf/util/json_util.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <system_error>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "common/backup/durable_file.h"
#include "common/handle/handle.h"
#include "common/status/status.h"
#include "common/text/sha256.h"

namespace chartly::backup {
namespace {

namespace fs = std::filesystem;

constexpr int kManifestFormat = 1;
constexpr char kIdFormat[] = "%E4Y%m%dt%H%M%Sz";
constexpr size_t kCopyBytes = size_t{1} << 20;

absl::Status Damaged(const std::string& path, absl::string_view what) {
  return Error(absl::StatusCode::kDataLoss, "BACKUP_CORRUPT",
               absl::StrCat("the manifest ", path, " is damaged (", what, "); use another backup"), {{"path", path}});
}

using File = std::unique_ptr<std::FILE, FreedBy<std::fclose>>;

// The checksum and size of what is read; NotFound if it is not there.
absl::StatusOr<BackupFile> ReadFile(const std::string& path, const std::function<bool()>& stopped) {
  File file(std::fopen(path.c_str(), "rbe"));
  if (file == nullptr) return errno == ENOENT ? absl::NotFoundError("missing") : IoError(path, std::strerror(errno));
  Sha256 sum;
  BackupFile read;
  std::string buffer(kCopyBytes, '\0');
  for (size_t bytes = 0; (bytes = std::fread(buffer.data(), 1, buffer.size(), file.get())) > 0;) {
    if (stopped()) return absl::CancelledError("stopped");
    sum.Add(absl::string_view(buffer).substr(0, bytes));
    read.set_bytes(read.bytes() + static_cast<int64_t>(bytes));
  }
  if (std::ferror(file.get()) != 0) return IoError(path, std::strerror(errno));
  read.set_sha256(sum.Hex());
  return read;
}

// What is wrong with a file as it lies there; empty if nothing.
absl::StatusOr<std::string> FaultOf(const std::string& path, const BackupFile& file,
                                    const std::function<bool()>& stopped) {
  absl::StatusOr<BackupFile> read = ReadFile(path, stopped);
  if (absl::IsCancelled(read.status())) return read.status();
  if (!read.ok()) return std::string(read.status().message());
  if (read->bytes() != file.bytes()) return absl::StrCat(read->bytes(), " bytes instead of ", file.bytes());
  return read->sha256() == file.sha256() ? std::string() : "its checksum is not that of what was written";
}

}  // namespace

std::string BackupIdOf(absl::Time time) { return absl::FormatTime(kIdFormat, time, absl::UTCTimeZone()); }

absl::StatusOr<absl::Time> TimeOfBackup(const std::string& id) {
  absl::Time time;
  std::string why;
  if (absl::ParseTime(kIdFormat, id, &time, &why)) return time;
  return Error(absl::StatusCode::kInvalidArgument, "BACKUP_NAME_INVALID",
               absl::StrCat("\"", id, "\" is no name of a backup: ", why));
}

std::string BackupFolder::PartFolder(absl::string_view part) const { return absl::StrCat(path_, "/parts/", part); }

std::string BackupFolder::ManifestPath(absl::string_view id) const {
  return absl::StrCat(path_, "/manifests/", id, kManifestSuffix);
}

absl::StatusOr<std::vector<std::string>> BackupFolder::List() const {
  std::vector<std::string> ids;
  const std::string folder = path_ + "/manifests";
  if (!fs::exists(folder)) return ids;
  std::error_code error;
  for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) {
    std::string name = it->path().filename().string();
    if (absl::EndsWith(name, kManifestSuffix)) ids.emplace_back(absl::StripSuffix(name, kManifestSuffix));
  }
  if (error) return IoError(folder, error.message());
  std::sort(ids.begin(), ids.end());
  return ids;
}

absl::StatusOr<BackupManifest> BackupFolder::Read(absl::string_view id) const {
  ASSIGN_OR_RETURN(std::vector<std::string> ids, List());
  if (!std::binary_search(ids.begin(), ids.end(), std::string(id))) {
    return Error(absl::StatusCode::kNotFound, "BACKUP_NOT_FOUND",
                 absl::StrCat("there is no backup ", id, " in ", path_,
                              "; there are: ", ids.empty() ? "none" : absl::StrJoin(ids, ", ")),
                 {{"backup", id}});
  }
  const std::string path = ManifestPath(id);
  std::ifstream file(path, std::ios::binary);
  std::string text(std::istreambuf_iterator<char>(file), {});
  if (!file) return IoError(path, "it cannot be read");
  return Parse(text, id, path);
}

absl::StatusOr<BackupManifest> BackupFolder::Parse(const std::string& text, absl::string_view id,
                                                   const std::string& path) {
  // The last line is the checksum of what stands before it.
  const size_t line = text.size() < 2 ? std::string::npos : text.rfind('\n', text.size() - 2);
  if (line == std::string::npos || text.substr(line + 1) != Sha256Hex(text.substr(0, line + 1)) + "\n") {
    return Damaged(path, "its checksum does not fit");
  }
  BackupManifest manifest;
  // A later version may have more to say of what it writes in this format.
  google::protobuf::util::JsonParseOptions options;
  options.ignore_unknown_fields = true;
  if (!google::protobuf::util::JsonStringToMessage(text.substr(0, line), &manifest, options).ok()) {
    return Damaged(path, "it does not parse");
  }
  if (manifest.format() != kManifestFormat || manifest.id() != id) {
    return Error(
        absl::StatusCode::kFailedPrecondition, "BACKUP_FORMAT_UNKNOWN",
        absl::StrCat(path, " has format ", manifest.format(), " and id ", manifest.id(), ", this program knows ",
                     kManifestFormat, "; use the version that wrote it, ", manifest.version()));
  }
  return manifest;
}

absl::Status BackupFolder::Write(const BackupManifest& manifest) const {
  BackupManifest stamped = manifest;
  stamped.set_format(kManifestFormat);
  std::string text;
  google::protobuf::util::JsonPrintOptions options;
  options.preserve_proto_field_names = true;
  if (!google::protobuf::util::MessageToJsonString(stamped, &text, options).ok()) {
    return absl::InternalError("the manifest of a backup is no JSON");
  }
  text += "\n";
  text += Sha256Hex(text) + "\n";
  return WriteDurably(ManifestPath(manifest.id()), text);
}

absl::Status BackupFolder::Remove(absl::string_view id) const {
  std::error_code error;
  fs::remove(ManifestPath(id), error);
  if (error) return IoError(ManifestPath(id), error.message());
  return SyncFolder(path_ + "/manifests");
}

absl::Status BackupFolder::AddChecksums(PartBackup& part, const BackupManifest& known,
                                        const std::function<bool()>& stopped) const {
  std::map<std::string, BackupFile> sums;
  for (const PartBackup& other : known.parts()) {
    if (other.part() != part.part()) continue;
    for (const BackupFile& file : other.files()) sums[file.path()] = file;
  }
  for (BackupFile& file : *part.mutable_files()) {
    const std::string path = absl::StrCat(PartFolder(part.part()), "/", file.path());
    auto found = sums.find(file.path());
    std::error_code error;
    const bool is_known = found != sums.end() && found->second.bytes() == file.bytes() &&
                          fs::file_size(path, error) == static_cast<uintmax_t>(file.bytes()) && !error;
    absl::StatusOr<BackupFile> read = is_known ? found->second : ReadFile(path, stopped);
    if (absl::IsNotFound(read.status()) || (read.ok() && read->bytes() != file.bytes())) {
      return Error(absl::StatusCode::kFailedPrecondition, "BACKUP_NOT_SHARED",
                   absl::StrCat(part.part(), " made its copy, but ", path,
                                " is not there; all processes need the same --backup-dir, on a volume that they share"),
                   {{"part", part.part()}, {"path", path}});
    }
    RETURN_IF_ERROR(read.status());
    file.set_sha256(read->sha256());
  }
  return absl::OkStatus();
}

absl::StatusOr<Verification> BackupFolder::Verify(const BackupManifest& manifest,
                                                  const std::function<bool()>& stopped) const {
  Verification result;
  for (const PartBackup& part : manifest.parts()) {
    for (const BackupFile& file : part.files()) {
      ++result.files;
      ASSIGN_OR_RETURN(std::string fault,
                       FaultOf(absl::StrCat(PartFolder(part.part()), "/", file.path()), file, stopped));
      if (fault.empty() || result.faults.size() >= kMaxFaults) continue;
      result.faults.push_back(absl::StrCat(part.part(), "/", file.path(), ": ", fault));
    }
  }
  return result;
}

}  // namespace chartly::backup
