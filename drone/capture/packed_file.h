// One kept payload on the disk, as a zstd frame. Not thread-safe.
#ifndef CHARTLY_DRONE_CAPTURE_PACKED_FILE_H_
#define CHARTLY_DRONE_CAPTURE_PACKED_FILE_H_

#include <zstd.h>

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/handle/handle.h"
#include "common/net/unpacker.h"
#include "drone/decode/body.h"
#include "drone/spool/file.h"

namespace chartly::drone {

// Packs what comes in pieces into a new file, in about 1 MiB of memory. The file is removed with the object unless it
// was kept.
class PackedFile {
 public:
  // Replaces a file of that name. ResourceExhausted (CAPTURE_TOO_LARGE) comes once it takes more than `max_bytes`.
  static absl::StatusOr<std::unique_ptr<PackedFile>> Create(std::string path, int64_t max_bytes);
  ~PackedFile();
  PackedFile(const PackedFile&) = delete;
  PackedFile& operator=(const PackedFile&) = delete;

  // After an error the object is of no further use.
  absl::Status Add(absl::string_view piece);
  // Writes what is left, and waits for the disk.
  absl::Status Finish();
  // Bytes of the file.
  int64_t bytes() const { return bytes_; }
  // Gives it another name in its folder, without waiting for the disk. Requires: finished.
  absl::Status KeepAs(const std::string& path);

 private:
  PackedFile(std::string path, FileDescriptor file, int64_t max_bytes);
  absl::Status Pack(absl::string_view piece, ZSTD_EndDirective directive);

  std::string path_;  // empty once it was kept
  FileDescriptor file_;
  const int64_t max_bytes_;
  const std::unique_ptr<ZSTD_CCtx, FreedBy<ZSTD_freeCCtx>> packer_;
  std::string out_;
  int64_t bytes_ = 0;
};

// The payload in such a file. Errors are DataLoss (CAPTURE_DAMAGED); NotFound (CAPTURE_REMOVED) if there is none.
class PackedBody final : public Body {
 public:
  static absl::StatusOr<std::unique_ptr<Body>> Open(const std::string& path);
  absl::StatusOr<absl::string_view> Read() override;

 private:
  PackedBody(std::string path, FileDescriptor file, std::unique_ptr<net::Unpacker> unpacker);
  absl::Status Damaged(absl::string_view why) const;

  const std::string path_;
  const FileDescriptor file_;
  const std::unique_ptr<net::Unpacker> unpacker_;
  int64_t offset_ = 0;
  std::string packed_;
  absl::string_view input_;  // of packed_, not unpacked yet
  std::string piece_;
};

}  // namespace chartly::drone

#endif  // CHARTLY_DRONE_CAPTURE_PACKED_FILE_H_
