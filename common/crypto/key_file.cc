#include "common/crypto/key_file.h"

#include <fcntl.h>
#include <openssl/crypto.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "common/status/status.h"

namespace chartly {
namespace {

constexpr char kEndOfPublicKey[] = "-----END PUBLIC KEY-----";
constexpr char kBeginOfPublicKey[] = "-----BEGIN PUBLIC KEY-----";

absl::Status Failed(const std::string& path, absl::string_view what, int error) {
  return Error(absl::StatusCode::kUnavailable, "KEY_FILE_FAILED",
               absl::StrCat("cannot ", what, " the key file ", path, ": ", std::strerror(error)), {{"path", path}});
}

absl::Status Invalid(const std::string& path, absl::string_view why) {
  return Error(absl::StatusCode::kFailedPrecondition, "KEY_FILE_INVALID",
               absl::StrCat("the key file ", path, " cannot be used: ", why), {{"path", path}});
}

absl::Status Exists(const std::string& path) {
  return Error(absl::StatusCode::kAlreadyExists, "KEY_FILE_EXISTS",
               absl::StrCat("there is a key file ", path, " already; choose another name, or remove it yourself"),
               {{"path", path}});
}

absl::StatusOr<std::string> ReadText(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::string text{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  if (!file) return Failed(path, "read", errno);
  return text;
}

absl::Status CheckMode(const std::string& path) {
  struct stat info {};
  if (::stat(path.c_str(), &info) != 0) return Failed(path, "read", errno);
  // A file of somebody else's reaches this process only through its group; so a Secret of Kubernetes is handed over.
  const mode_t refused = info.st_uid == ::geteuid() ? 077 : 037;
  if ((info.st_mode & refused) == 0) return absl::OkStatus();
  return Error(absl::StatusCode::kFailedPrecondition, "KEY_FILE_OPEN",
               absl::StrCat("others may read the key file ", path, "; run: chmod 600 ", path), {{"path", path}});
}

absl::Status WriteAndSync(const std::string& path, absl::string_view text, mode_t mode) {
  const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
  if (fd < 0) return Failed(path, "create", errno);
  const bool written = ::write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size()) && ::fsync(fd) == 0;
  const int error = errno;
  ::close(fd);
  return written ? absl::OkStatus() : Failed(path, "write", error);
}

absl::Status SyncFolderOf(const std::string& path) {
  std::string folder = std::filesystem::path(path).parent_path().string();
  if (folder.empty()) folder = ".";
  const int fd = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  const bool synced = fd >= 0 && ::fsync(fd) == 0;
  const int error = errno;
  if (fd >= 0) ::close(fd);
  return synced ? absl::OkStatus() : Failed(path, "make durable", error);
}

// Written beside and linked to its name: whoever sees the file sees all of it, and one of two writers wins.
absl::Status WriteNew(const std::string& path, absl::string_view text, mode_t mode) {
  std::error_code ignored;
  const std::filesystem::path parent = std::filesystem::path(path).parent_path();
  if (!parent.empty()) std::filesystem::create_directories(parent, ignored);
  static std::atomic<int> count = 0;
  const std::string temporary = absl::StrCat(path, ".new.", ::getpid(), ".", ++count);
  absl::Status written = WriteAndSync(temporary, text, mode);
  const int linked = written.ok() ? ::link(temporary.c_str(), path.c_str()) : -1;
  const int error = errno;
  ::unlink(temporary.c_str());
  RETURN_IF_ERROR(written);
  if (linked != 0) return error == EEXIST ? Exists(path) : Failed(path, "create", error);
  return SyncFolderOf(path);
}

}  // namespace

absl::StatusOr<PrivateKey> ReadPrivateKey(const std::string& path) {
  RETURN_IF_ERROR(CheckMode(path));
  ASSIGN_OR_RETURN(std::string text, ReadText(path));
  absl::StatusOr<PrivateKey> key = PrivateKey::FromPem(text);
  OPENSSL_cleanse(text.data(), text.size());
  if (!key.ok()) return Invalid(path, key.status().message());
  return key;
}

absl::Status WritePrivateKey(const std::string& path, const PrivateKey& key) {
  std::string text = key.Pem();
  absl::Status status = WriteNew(path, text, 0600);
  OPENSSL_cleanse(text.data(), text.size());
  return status;
}

absl::StatusOr<PrivateKey> ReadOrMakePrivateKey(const std::string& path) {
  std::error_code ignored;
  if (std::filesystem::exists(path, ignored)) return ReadPrivateKey(path);
  ASSIGN_OR_RETURN(PrivateKey key, PrivateKey::Generate());
  absl::Status written = WritePrivateKey(path, key);
  if (absl::IsAlreadyExists(written)) return ReadPrivateKey(path);
  RETURN_IF_ERROR(written);
  return key;
}

absl::StatusOr<std::vector<PublicKey>> ReadPublicKeys(const std::string& path) {
  ASSIGN_OR_RETURN(const std::string text, ReadText(path));
  std::vector<PublicKey> keys;
  absl::string_view rest = text;
  while (rest.find(kBeginOfPublicKey) != rest.npos) {
    rest.remove_prefix(rest.find(kBeginOfPublicKey));
    absl::StatusOr<PublicKey> key = PublicKey::FromPem(rest);
    if (!key.ok()) return Invalid(path, absl::StrCat("key ", keys.size() + 1, ": ", key.status().message()));
    keys.push_back(*std::move(key));
    const size_t end = rest.find(kEndOfPublicKey);
    rest.remove_prefix(end + sizeof(kEndOfPublicKey) - 1);
  }
  if (keys.empty()) return Invalid(path, "it holds no PUBLIC KEY");
  return keys;
}

absl::Status WritePublicKey(const std::string& path, const PublicKey& key) { return WriteNew(path, key.Pem(), 0644); }

}  // namespace chartly
