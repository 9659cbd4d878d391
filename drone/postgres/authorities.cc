#include "drone/postgres/authorities.h"

#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <iterator>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/status/status.h"

namespace chartly::drone {
namespace {

constexpr char kMachineFile[] = "/etc/ssl/certs/ca-certificates.crt";

bool WriteAll(int fd, const std::string& text) {
  for (size_t done = 0; done < text.size();) {
    ssize_t count = ::write(fd, text.data() + done, text.size() - done);
    if (count < 0 && errno != EINTR) return false;
    done += count < 0 ? 0 : static_cast<size_t>(count);
  }
  return true;
}

}  // namespace

absl::StatusOr<AuthoritiesFile> AuthoritiesFile::Create(const std::string& pem) {
  AuthoritiesFile file;
  file.path_ = kMachineFile;
  if (pem.empty()) return file;
  std::ifstream machine(kMachineFile, std::ios::binary);
  std::string all{std::istreambuf_iterator<char>(machine), std::istreambuf_iterator<char>()};
  file.fd_ = ::memfd_create("authorities", MFD_CLOEXEC);
  if (file.fd_ < 0 || !WriteAll(file.fd_, absl::StrCat(all, "\n", pem, "\n"))) {
    return Error(absl::StatusCode::kResourceExhausted, "OUT_OF_MEMORY",
                 absl::StrCat("the certificate authorities cannot be handed over: ", std::strerror(errno)));
  }
  file.path_ = absl::StrCat("/proc/self/fd/", file.fd_);
  return file;
}

AuthoritiesFile::AuthoritiesFile(AuthoritiesFile&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)), path_(std::move(other.path_)) {}

AuthoritiesFile::~AuthoritiesFile() {
  if (fd_ >= 0) ::close(fd_);
}

}  // namespace chartly::drone
