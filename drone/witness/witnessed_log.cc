#include "drone/witness/witnessed_log.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "common/audit/audit_keys.h"
#include "common/status/status.h"

namespace chartly::drone {
namespace {

constexpr char kCheckpointFile[] = "checkpoint.txt";
constexpr char kKeyFile[] = "key.txt";
constexpr char kForkFile[] = "fork.txt";

absl::StatusOr<std::string> ReadIfThere(const std::string& path) {
  std::error_code ignored;
  if (!std::filesystem::exists(path, ignored)) return std::string();
  std::ifstream file(path, std::ios::binary);
  std::string text{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  if (file) return text;
  return Error(absl::StatusCode::kDataLoss, "WITNESS_DAMAGED", absl::StrCat("cannot read ", path));
}

absl::Status WriteFailed(const std::string& path) {
  return Error(absl::StatusCode::kUnavailable, "WITNESS_WRITE_FAILED",
               absl::StrCat("cannot write ", path, ": ", std::strerror(errno)));
}

// The file has the new text or the old one, whenever the power fails.
absl::Status WriteWhole(const std::string& path, absl::string_view text) {
  const std::string temporary = path + ".new";
  const int fd = ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (fd < 0) return WriteFailed(temporary);
  const bool written = ::write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size()) && ::fsync(fd) == 0;
  ::close(fd);
  if (!written || std::rename(temporary.c_str(), path.c_str()) != 0) return WriteFailed(path);
  const std::string folder = std::filesystem::path(path).parent_path().string();
  const int folder_fd = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  const bool synced = folder_fd >= 0 && ::fsync(folder_fd) == 0;
  if (folder_fd >= 0) ::close(folder_fd);
  return synced ? absl::OkStatus() : WriteFailed(folder);
}

absl::Status ForkError(absl::string_view why) {
  return Error(absl::StatusCode::kDataLoss, "AUDIT_FORK",
               absl::StrCat("the audit log of the control plane is not the one that was seen before: ", why));
}

}  // namespace

std::string WitnessedLog::File(const char* name) const { return absl::StrCat(folder_, "/", name); }

absl::StatusOr<WitnessedLog> WitnessedLog::Open(const std::string& folder, const std::vector<PublicKey>& trusted) {
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (error) {
    return Error(absl::StatusCode::kFailedPrecondition, "WITNESS_WRITE_FAILED",
                 absl::StrCat("cannot make the folder ", folder, ": ", error.message()));
  }
  WitnessedLog log(folder, trusted);
  absl::Status loaded = log.Load();
  if (loaded.ok()) return log;
  return Error(absl::StatusCode::kDataLoss, "WITNESS_DAMAGED",
               absl::StrCat("the folder ", folder, " of the witness cannot be used: ", loaded.message(),
                            "; move it away to begin anew"));
}

absl::Status WitnessedLog::Load() {
  ASSIGN_OR_RETURN(std::string fork, ReadIfThere(File(kForkFile)));
  if (!fork.empty()) fork_ = ForkError(absl::StrCat("see ", File(kForkFile)));
  ASSIGN_OR_RETURN(std::string key, ReadIfThere(File(kKeyFile)));
  if (!key.empty()) {
    ASSIGN_OR_RETURN(NoteKey known, NoteKey::Parse(absl::StripSuffix(key, "\n")));
    trusted_ = {known.key()};
  }
  ASSIGN_OR_RETURN(std::string note, ReadIfThere(File(kCheckpointFile)));
  if (note.empty()) return absl::OkStatus();
  ASSIGN_OR_RETURN(std::string text, TextOfNote(note));
  ASSIGN_OR_RETURN(last_, ParseCheckpoint(text));
  return absl::OkStatus();
}

absl::Status WitnessedLog::CheckContinues(const Checkpoint& next, const v1::AuditCheckpoint& answer) const {
  MerkleProof proof;
  for (const std::string& hex : answer.consistency()) {
    ASSIGN_OR_RETURN(proof.emplace_back(), MerkleHashFromHex(hex));
  }
  return VerifyConsistency(last_.size, last_.root, next.size, next.root, proof);
}

absl::Status WitnessedLog::Remember(const v1::AuditCheckpoint& answer, const Checkpoint& next, const NoteKey& newest) {
  RETURN_IF_ERROR(WriteWhole(File(kCheckpointFile), answer.checkpoint()));
  const bool new_key = trusted_.size() != 1 || !(trusted_[0] == newest.key());
  if (new_key || last_.origin.empty()) RETURN_IF_ERROR(WriteWhole(File(kKeyFile), newest.Text() + "\n"));
  trusted_ = {newest.key()};
  last_ = next;
  return absl::OkStatus();
}

absl::Status WitnessedLog::Fork(const v1::AuditCheckpoint& answer, absl::string_view why) {
  fork_ = ForkError(why);
  ASSIGN_OR_RETURN(std::string seen, ReadIfThere(File(kCheckpointFile)));
  RETURN_IF_ERROR(WriteWhole(File(kForkFile), absl::StrCat(seen, answer.checkpoint())));
  return fork_;
}

absl::Status WitnessedLog::Take(const v1::AuditCheckpoint& answer) {
  RETURN_IF_ERROR(fork_);
  ASSIGN_OR_RETURN(std::string text, TextOfNote(answer.checkpoint()));
  ASSIGN_OR_RETURN(Checkpoint next, ParseCheckpoint(text));
  if (!last_.origin.empty() && next.origin != last_.origin) {
    return Fork(answer, absl::StrCat("it is called ", next.origin, ", not ", last_.origin));
  }
  ASSIGN_OR_RETURN(std::vector<NoteKey> all,
                   ReadAuditKeys(next.origin, std::vector<v1::AuditKey>(answer.keys().begin(), answer.keys().end())));
  ASSIGN_OR_RETURN(std::vector<NoteKey> keys, TrustedAuditKeys(all, trusted_));
  RETURN_IF_ERROR(OpenNote(answer.checkpoint(), keys).status());
  if (last_.origin.empty()) return Remember(answer, next, keys.back());
  if (next.size < last_.size) {
    return Fork(answer, absl::StrCat("it has ", next.size, " entries, and had ", last_.size));
  }
  if (next.size == last_.size) {
    if (next.root == last_.root) return absl::OkStatus();
    return Fork(answer, absl::StrCat("two logs of ", next.size, " entries have different roots"));
  }
  absl::Status continues = CheckContinues(next, answer);
  if (!continues.ok()) {
    return Error(absl::StatusCode::kDataLoss, "AUDIT_PROOF_WRONG",
                 absl::StrCat("the audit log of ", next.size, " entries is not proven to continue that of ", last_.size,
                              ": ", continues.message()));
  }
  return Remember(answer, next, keys.back());
}

}  // namespace chartly::drone
