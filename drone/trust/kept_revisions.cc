#include "drone/trust/kept_revisions.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <system_error>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/status/status.h"
#include "common/text/sha256.h"
#include "drone/spool/file.h"
#include "drone/spool/slot_file.h"

namespace chartly::drone {
namespace {

namespace fs = std::filesystem;

constexpr char kSuffix[] = ".profile";
constexpr size_t kSumChars = 64;

absl::Status Damaged(const std::string& path) {
  return Error(absl::StatusCode::kDataLoss, "KEPT_REVISION_DAMAGED",
               absl::StrCat(path, " is not what was written; remove it if the disk is sound"), {{"path", path}});
}

}  // namespace

absl::StatusOr<KeptRevisions> KeptRevisions::Open(const std::string& folder, int64_t max_bytes) {
  RETURN_IF_ERROR(MakeDirectory(folder));
  return KeptRevisions(folder, max_bytes);
}

absl::StatusOr<storage::v1::KeptRevision> KeptRevisions::Find(const std::string& profile_id) const {
  const std::string path = absl::StrCat(folder_, "/", HashedFileName(profile_id, kSuffix));
  std::error_code error;
  if (!fs::exists(path, error) && !error) return absl::NotFoundError(path);
  std::ifstream file(path, std::ios::binary);
  const std::string bytes((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  storage::v1::KeptRevision revision;
  if (!file || bytes.size() < kSumChars || Sha256Hex(bytes.substr(kSumChars)) != bytes.substr(0, kSumChars) ||
      !revision.ParseFromString(bytes.substr(kSumChars)) || revision.profile_id() != profile_id) {
    return Damaged(path);
  }
  return revision;
}

absl::Status KeptRevisions::Put(const storage::v1::KeptRevision& revision) {
  const std::string name = HashedFileName(revision.profile_id(), kSuffix);
  const std::string bytes = revision.SerializeAsString();
  RETURN_IF_ERROR(WriteFileDurably(folder_, name, absl::StrCat(Sha256Hex(bytes), bytes)));
  MakeRoom(name);
  return absl::OkStatus();
}

// What cannot be looked at or removed is left: the next Put tries again.
void KeptRevisions::MakeRoom(const std::string& spare) const {
  struct Kept {
    fs::file_time_type written;
    int64_t bytes;
    fs::path path;
  };
  std::vector<Kept> files;
  int64_t total = 0;
  std::error_code error;
  for (fs::directory_iterator entry(folder_, error), end; !error && entry != end; entry.increment(error)) {
    std::error_code unreadable;
    Kept kept{entry->last_write_time(unreadable), static_cast<int64_t>(entry->file_size(unreadable)), entry->path()};
    if (unreadable || entry->path().extension() != kSuffix) continue;
    total += kept.bytes;
    if (entry->path().filename() != spare) files.push_back(std::move(kept));
  }
  std::sort(files.begin(), files.end(), [](const Kept& a, const Kept& b) { return a.written < b.written; });
  for (const Kept& kept : files) {
    if (total <= max_bytes_) return;
    if (fs::remove(kept.path, error)) total -= kept.bytes;
  }
}

}  // namespace chartly::drone
