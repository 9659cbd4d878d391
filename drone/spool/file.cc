#include "drone/spool/file.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>

#include "absl/strings/str_cat.h"
#include "common/handle/handle.h"
#include "common/status/status.h"
#include "common/telemetry/log.h"

namespace chartly::drone {
namespace {

constexpr size_t kBlockBytes = 4096;  // of which a disk reads all or nothing

void LogUnreadable(const std::string& path, int64_t offset, size_t size, size_t unreadable) {
  LogError("the disk cannot read a part of the spool, which is taken for damaged; check it (dmesg, smartctl)",
           {{"path", path},
            {"from", absl::StrCat(offset)},
            {"to", absl::StrCat(offset + static_cast<int64_t>(size))},
            {"bytes", absl::StrCat(unreadable)}});
}

}  // namespace

FileDescriptor& FileDescriptor::operator=(FileDescriptor&& other) noexcept {
  if (this != &other) {
    Reset();
    std::swap(fd_, other.fd_);
  }
  return *this;
}

void FileDescriptor::Reset() {
  if (fd_ >= 0) ::close(fd_);
  fd_ = -1;
}

absl::Status ErrnoError(int error, absl::string_view what, absl::string_view path) {
  std::string message = absl::StrCat(what, " ", path, ": ", std::strerror(error));
  if (error == ENOSPC || error == EDQUOT || error == EFBIG) {
    return Error(absl::StatusCode::kResourceExhausted, "SPOOL_FULL",
                 absl::StrCat(message, "; free space on this disk, the drone waits until then"), {{"path", path}});
  }
  if (error == EACCES || error == EPERM || error == EROFS) {
    return Error(absl::StatusCode::kFailedPrecondition, "SPOOL_NOT_WRITABLE",
                 absl::StrCat(message, "; give the drone's user write access to it, or choose another --data folder"),
                 {{"path", path}});
  }
  return Error(absl::StatusCode::kUnavailable, "SPOOL_IO", message, {{"path", path}});
}

absl::StatusOr<FileDescriptor> OpenFile(const std::string& path, int flags) {
  int fd = ::open(path.c_str(), flags | O_CLOEXEC, 0600);
  if (fd < 0) return ErrnoError(errno, "open", path);
  return FileDescriptor(fd);
}

absl::Status WriteAt(int fd, int64_t offset, const std::vector<absl::string_view>& pieces, const std::string& path) {
  for (absl::string_view piece : pieces) {
    while (!piece.empty()) {
      ssize_t written = ::pwrite(fd, piece.data(), piece.size(), offset);
      if (written < 0) {
        if (errno == EINTR) continue;
        return ErrnoError(errno, "write", path);
      }
      offset += written;
      piece.remove_prefix(static_cast<size_t>(written));
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<std::string> ReadAt(int fd, int64_t offset, size_t size, const std::string& path) {
  std::string bytes(size, '\0');
  size_t done = 0;
  size_t unreadable = 0;
  while (done < size) {
    const int64_t from = offset + static_cast<int64_t>(done);
    ssize_t got = ::pread(fd, bytes.data() + done, size - done, from);
    if (got < 0 && errno == EIO) {
      size_t block = std::min(size - done, kBlockBytes - static_cast<size_t>(from) % kBlockBytes);
      got = ::pread(fd, bytes.data() + done, block, from);
      bool lost = got < 0 && errno == EIO;
      if (lost) got = static_cast<ssize_t>(block);
      if (lost) unreadable += block;
    }
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return ErrnoError(errno, "read", path);
    if (got == 0) break;
    done += static_cast<size_t>(got);
  }
  bytes.resize(done);
  if (unreadable > 0) LogUnreadable(path, offset, size, unreadable);
  return bytes;
}

absl::StatusOr<int64_t> FileSize(int fd, const std::string& path) {
  struct stat info;
  if (::fstat(fd, &info) != 0) return ErrnoError(errno, "stat", path);
  return static_cast<int64_t>(info.st_size);
}

absl::Status SyncData(int fd, const std::string& path) {
  if (::fdatasync(fd) != 0) return ErrnoError(errno, "fdatasync", path);
  return absl::OkStatus();
}

absl::Status SyncDirectory(const std::string& path) {
  ASSIGN_OR_RETURN(FileDescriptor directory, OpenFile(path, O_RDONLY | O_DIRECTORY));
  if (::fsync(directory.get()) != 0) return ErrnoError(errno, "fsync", path);
  return absl::OkStatus();
}

absl::Status MakeDirectory(const std::string& path) {
  size_t slash = path.find_last_of('/');
  std::string parent = slash == std::string::npos ? "." : slash == 0 ? "/" : path.substr(0, slash);
  if (::mkdir(path.c_str(), 0700) == 0) return SyncDirectory(parent);
  if (errno == EEXIST) return absl::OkStatus();
  if (errno != ENOENT || parent == path) return ErrnoError(errno, "mkdir", path);
  RETURN_IF_ERROR(MakeDirectory(parent));
  if (::mkdir(path.c_str(), 0700) != 0 && errno != EEXIST) return ErrnoError(errno, "mkdir", path);
  return SyncDirectory(parent);
}

absl::Status WriteFileDurably(const std::string& directory, const std::string& name, absl::string_view bytes) {
  std::string path = absl::StrCat(directory, "/", name);
  std::string temporary = absl::StrCat(path, kTemporarySuffix);
  absl::Status status = [&] {
    ASSIGN_OR_RETURN(FileDescriptor file, OpenFile(temporary, O_WRONLY | O_CREAT | O_TRUNC));
    RETURN_IF_ERROR(WriteAt(file.get(), 0, {bytes}, temporary));
    RETURN_IF_ERROR(SyncData(file.get(), temporary));
    if (::rename(temporary.c_str(), path.c_str()) != 0) return ErrnoError(errno, "rename", temporary);
    return SyncDirectory(directory);
  }();
  if (!status.ok()) ::unlink(temporary.c_str());
  return status;
}

absl::StatusOr<std::vector<std::string>> ListDirectory(const std::string& path) {
  std::unique_ptr<DIR, FreedBy<::closedir>> directory(::opendir(path.c_str()));
  if (directory == nullptr) return ErrnoError(errno, "open", path);
  std::vector<std::string> names;
  while (dirent* entry = ::readdir(directory.get())) {
    std::string name = entry->d_name;
    if (name != "." && name != "..") names.push_back(std::move(name));
  }
  std::sort(names.begin(), names.end());
  return names;
}

}  // namespace chartly::drone
