#include "drone/fetch/file_source.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/status/status.h"

namespace chartly::drone {
namespace {

namespace fs = std::filesystem;

class FileDescriptor {
 public:
  explicit FileDescriptor(int fd) : fd_(fd) {}
  ~FileDescriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  FileDescriptor(const FileDescriptor&) = delete;
  FileDescriptor& operator=(const FileDescriptor&) = delete;
  int get() const { return fd_; }

 private:
  int fd_;
};

bool IsInside(const fs::path& path, const fs::path& root) {
  auto [root_end, path_end] = std::mismatch(root.begin(), root.end(), path.begin(), path.end());
  return root_end == root.end() && path_end != path.end();
}

absl::Status OutsideError(const std::string& path, const std::string& root) {
  return Error(absl::StatusCode::kPermissionDenied, "FILE_OUTSIDE_SOURCE_DIR",
               absl::StrCat("source.path leads to ", path, ", outside the drone's source folder ", root,
                            "; put the file there, or start the drone with another --source-dir"),
               {{"path", path}});
}

absl::Status OpenError(const std::string& path, int error) {
  bool missing = error == ENOENT || error == ENOTDIR;
  return Error(missing ? absl::StatusCode::kNotFound : absl::StatusCode::kFailedPrecondition,
               missing ? "FILE_NOT_FOUND" : "FILE_UNREADABLE",
               absl::StrCat(path, ": ", std::strerror(error),
                            missing ? "; source.path counts from the drone's --source-dir" : ""),
               {{"path", path}});
}

absl::Status TooLargeError(const std::string& path, int64_t max_bytes) {
  return Error(absl::StatusCode::kResourceExhausted, "SOURCE_TOO_LARGE",
               absl::StrCat(path, " is larger than limits.max_bytes (", max_bytes, " bytes); raise it in the profile"),
               {{"path", path}, {"limit", "limits.max_bytes"}});
}

// Checks what was opened, not what the name meant a moment before: a link may have changed in between.
absl::Status CheckOpened(int fd, const std::string& path, const std::string& root) {
  std::error_code error;
  fs::path real = fs::read_symlink(absl::StrCat("/proc/self/fd/", fd), error);
  if (error) return OpenError(path, error.value());
  if (!IsInside(real, root)) return OutsideError(real.string(), root);
  struct stat info {};
  if (::fstat(fd, &info) != 0) return OpenError(path, errno);
  if (S_ISREG(info.st_mode)) return absl::OkStatus();
  return Error(absl::StatusCode::kFailedPrecondition, "FILE_UNREADABLE", absl::StrCat(path, " is no regular file"),
               {{"path", path}});
}

absl::StatusOr<std::string> ReadFile(const std::string& path, const std::string& root, int64_t max_bytes) {
  // O_NONBLOCK: a pipe of that name must not hold the run.
  FileDescriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  if (file.get() < 0) return OpenError(path, errno);
  RETURN_IF_ERROR(CheckOpened(file.get(), path, root));
  std::string content;
  constexpr size_t kPiece = 256 << 10;
  while (true) {
    size_t size = content.size();
    content.resize(size + kPiece);
    ssize_t count = ::read(file.get(), content.data() + size, kPiece);
    if (count < 0 && errno != EINTR) return OpenError(path, errno);
    content.resize(size + static_cast<size_t>(std::max<ssize_t>(count, 0)));
    if (static_cast<int64_t>(content.size()) > max_bytes) return TooLargeError(path, max_bytes);
    if (count == 0) return content;
  }
}

}  // namespace

FileSource::FileSource(const Profile& profile, const SourceDeps& deps, std::string root, std::string path)
    : name_(profile.source.path),
      max_bytes_(profile.limits.max_bytes),
      clock_(deps.clock),
      root_(std::move(root)),
      path_(std::move(path)) {}

absl::StatusOr<std::unique_ptr<Source>> FileSource::Open(const Profile& profile, const SourceDeps& deps) {
  if (deps.source_dir.empty()) {
    return Error(absl::StatusCode::kFailedPrecondition, "FILE_SOURCES_OFF",
                 "this drone reads no files; start it with --source-dir FOLDER");
  }
  std::error_code error;
  fs::path root = fs::canonical(deps.source_dir, error);
  if (error) return Annotate(OpenError(deps.source_dir, error.value()), "--source-dir");
  fs::path given = fs::absolute(deps.source_dir).lexically_normal();
  if (!given.has_filename()) given = given.parent_path();
  fs::path path = (root / profile.source.path).lexically_normal();  // an absolute source.path replaces root here
  if (!IsInside(path, root) && !IsInside(path, given)) return OutsideError(path.string(), root.string());
  return std::unique_ptr<Source>(new FileSource(profile, deps, root.string(), path.string()));
}

absl::StatusOr<std::optional<Page>> FileSource::Next(const DecodeResult*) {
  if (cancelled_) return Error(absl::StatusCode::kCancelled, "CANCELLED", "the run was cancelled while fetching");
  if (done_) return std::nullopt;
  ASSIGN_OR_RETURN(std::string content, ReadFile(path_, root_, max_bytes_));
  done_ = true;
  return Page{1, absl::StrCat("file:", name_), "", std::make_unique<TextBody>(std::move(content)), clock_.Now()};
}

}  // namespace chartly::drone
