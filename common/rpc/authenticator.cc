#include "common/rpc/authenticator.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "common/rpc/credential_directory.h"
#include "common/status/status.h"

namespace chartly::rpc {
namespace {

absl::Status FileError(const std::string& path, absl::string_view what) {
  return Error(absl::StatusCode::kUnavailable, "KEY_FILE_FAILED",
               absl::StrCat("cannot ", what, " key file ", path, ": ", std::strerror(errno)), {{"path", path}});
}

absl::StatusOr<std::string> ReadKey(const std::string& path) {
  struct stat info;
  if (::stat(path.c_str(), &info) != 0) return FileError(path, "read");
  // A file of somebody else's can only reach this process through its group; so a Secret of Kubernetes is handed over.
  const mode_t refused = info.st_uid == ::geteuid() ? 077 : 037;
  if ((info.st_mode & refused) != 0) {
    return Error(absl::StatusCode::kFailedPrecondition, "KEY_FILE_OPEN",
                 absl::StrCat("others may read the key file ", path, "; run: chmod 600 ", path), {{"path", path}});
  }
  std::ifstream file(path);
  std::string key;
  std::getline(file, key);
  key = std::string(absl::StripAsciiWhitespace(key));
  if (key.size() < 16) {
    return Error(
        absl::StatusCode::kFailedPrecondition, "KEY_FILE_INVALID",
        absl::StrCat("the key file ", path, " holds no key of at least 16 characters; remove it to get a new one"),
        {{"path", path}});
  }
  return key;
}

absl::StatusOr<std::string> MakeKeyFile(const std::string& path) {
  ASSIGN_OR_RETURN(std::string key, MakeKey(""));
  // Written beside and renamed, so that two processes that start at once end with one whole key.
  std::string temporary = absl::StrCat(path, ".", ::getpid());
  int fd = ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (fd < 0) return FileError(temporary, "create");
  std::string line = key + "\n";
  bool written = ::write(fd, line.data(), line.size()) == static_cast<ssize_t>(line.size()) && ::fsync(fd) == 0;
  ::close(fd);
  if (!written) return FileError(temporary, "write");
  int linked = ::link(temporary.c_str(), path.c_str());
  int link_errno = errno;
  ::unlink(temporary.c_str());
  if (linked != 0 && link_errno == EEXIST) return ReadKey(path);
  errno = link_errno;
  if (linked != 0) return FileError(path, "create");
  return key;
}

}  // namespace

KeyAuthenticator::KeyAuthenticator(const std::vector<DeploymentKey>& keys, Role anonymous) : anonymous_(anonymous) {
  for (const DeploymentKey& key : keys) {
    if (!key.key.empty()) entries_.push_back({key.principal, key.role, DigestOf(key.key)});
  }
}

absl::StatusOr<Caller> KeyAuthenticator::Authenticate(const Credentials& credentials) const {
  const absl::string_view shown = credentials.api_key;
  if (shown.empty()) {
    const DroneIdentity drone = ParseDroneIdentity(credentials.identity);
    if (directory_ != nullptr && !drone.drone_id.empty()) return directory_->CheckDrone(drone);
    Caller caller;
    caller.role = anonymous_;
    return caller;
  }
  if (directory_ != nullptr && IsSessionToken(shown)) return directory_->CheckSession(DigestOf(shown));
  if (directory_ != nullptr && IsSignedToken(shown)) return directory_->CheckToken(shown);
  return AuthenticateKey(KeyIdOf(shown), DigestOf(shown));
}

absl::StatusOr<Caller> KeyAuthenticator::AuthenticateKey(absl::string_view key_id, const KeyDigest& digest) const {
  // Every entry is compared in full, so the time tells nothing about which one came close.
  const Entry* known = nullptr;
  for (const Entry& entry : entries_) {
    if (SameDigest(AsText(entry.digest), AsText(digest))) known = &entry;
  }
  if (known != nullptr) {
    Caller caller;
    caller.kind = CallerKind::kDeployment;
    caller.principal = known->principal;
    caller.role = known->role;
    return caller;
  }
  if (directory_ != nullptr && !key_id.empty()) return directory_->CheckKey(key_id, digest);
  return UnknownKey();
}

absl::StatusOr<std::string> LoadOrCreateAdminKey(const std::string& path) {
  std::error_code ignored;
  std::filesystem::path parent = std::filesystem::path(path).parent_path();
  if (!parent.empty()) std::filesystem::create_directories(parent, ignored);
  if (std::filesystem::exists(path, ignored)) return ReadKey(path);
  return MakeKeyFile(path);
}

}  // namespace chartly::rpc
