// The few file operations of the spool, each with the order of steps that survives a power cut. A full disk is
// ResourceExhausted (SPOOL_FULL); everything else that goes wrong is Unavailable (SPOOL_IO) and names the path.
// Thread-safe: no state.
#ifndef CHARTLY_DRONE_SPOOL_FILE_H_
#define CHARTLY_DRONE_SPOOL_FILE_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace chartly::drone {

// Owns a file descriptor.
class FileDescriptor {
 public:
  explicit FileDescriptor(int fd = -1) : fd_(fd) {}
  ~FileDescriptor() { Reset(); }
  FileDescriptor(FileDescriptor&& other) noexcept : fd_(other.fd_) { other.fd_ = -1; }
  FileDescriptor& operator=(FileDescriptor&& other) noexcept;
  int get() const { return fd_; }
  bool valid() const { return fd_ >= 0; }
  void Reset();

 private:
  int fd_;
};

absl::Status ErrnoError(int error, absl::string_view what, absl::string_view path);

// `flags` as for open(2).
absl::StatusOr<FileDescriptor> OpenFile(const std::string& path, int flags);
// Writes all of `pieces`, one after the other, from `offset` on.
absl::Status WriteAt(int fd, int64_t offset, const std::vector<absl::string_view>& pieces, const std::string& path);
// Reads up to `size` bytes; fewer only at the end of the file. Where the disk fails twice to read a block, the block is
// zeros, which is logged: what lies there has a checksum that no longer fits, and is dealt with as damage.
absl::StatusOr<std::string> ReadAt(int fd, int64_t offset, size_t size, const std::string& path);
absl::StatusOr<int64_t> FileSize(int fd, const std::string& path);
absl::Status SyncData(int fd, const std::string& path);
absl::Status SyncDirectory(const std::string& path);
// Makes the folder durably if it is absent.
absl::Status MakeDirectory(const std::string& path);
// Temporary file, write, fdatasync, rename, fsync of the folder. Nothing is left behind on failure.
absl::Status WriteFileDurably(const std::string& directory, const std::string& name, absl::string_view bytes);
// Names in the folder, sorted.
absl::StatusOr<std::vector<std::string>> ListDirectory(const std::string& path);

inline constexpr char kTemporarySuffix[] = ".tmp";

}  // namespace chartly::drone

#endif  // CHARTLY_DRONE_SPOOL_FILE_H_
