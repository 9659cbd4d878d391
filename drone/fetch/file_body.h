// The bytes of files as bodies: a range of one, and what a packed stream unpacks to. See body.h for the contract.
#ifndef CHARTLY_DRONE_FETCH_FILE_BODY_H_
#define CHARTLY_DRONE_FETCH_FILE_BODY_H_

#include <unistd.h>

#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/net/unpacker.h"
#include "drone/decode/body.h"

namespace chartly::drone {

// An open file; closed with the object.
class OpenFile {
 public:
  OpenFile(int fd, std::string name) : fd_(fd), name_(std::move(name)) {}
  ~OpenFile() { ::close(fd_); }
  OpenFile(const OpenFile&) = delete;
  OpenFile& operator=(const OpenFile&) = delete;

  const std::string& name() const { return name_; }  // for messages, in UTF-8
  // How many bytes were read to `out` from `offset` on; fewer than `size` only at the end of the file. FILE_UNREADABLE.
  absl::StatusOr<size_t> ReadAt(uint64_t offset, char* out, size_t size) const;
  absl::StatusOr<uint64_t> Size() const;

 private:
  const int fd_;
  const std::string name_;
};

// The bytes of `file` from `offset` on, at most `size`.
class FileBody final : public Body {
 public:
  explicit FileBody(std::shared_ptr<OpenFile> file, uint64_t offset = 0,
                    uint64_t size = std::numeric_limits<uint64_t>::max());
  absl::StatusOr<absl::string_view> Read() override;

 private:
  const std::shared_ptr<OpenFile> file_;
  uint64_t offset_;
  uint64_t left_;
  std::string piece_;
};

// What `packed` unpacks to. SOURCE_TRUNCATED if the stream is damaged or stops in the middle, SOURCE_TOO_LARGE if it is
// a bomb; `name` is for messages.
class UnpackedBody final : public Body {
 public:
  UnpackedBody(std::unique_ptr<Body> packed, std::unique_ptr<net::Unpacker> unpacker, std::string name);
  absl::StatusOr<absl::string_view> Read() override;

 private:
  absl::StatusOr<absl::string_view> Next();

  const std::unique_ptr<Body> packed_;
  const std::unique_ptr<net::Unpacker> unpacker_;
  const std::string name_;
  absl::string_view input_;
  std::string piece_;
  bool ended_ = false;  // packed_ has no more
  int64_t taken_ = 0;   // from packed_
  int64_t given_ = 0;
};

// Passes `body` on and says SOURCE_TRUNCATED at its end unless it had this size and CRC-32.
class CheckedBody final : public Body {
 public:
  CheckedBody(std::unique_ptr<Body> body, uint64_t size, uint32_t crc32, std::string name);
  absl::StatusOr<absl::string_view> Read() override;

 private:
  const std::unique_ptr<Body> body_;
  const uint64_t size_;
  const uint32_t crc32_;
  const std::string name_;
  uint64_t seen_ = 0;
  uint32_t seen_crc32_ = 0;
};

}  // namespace chartly::drone

#endif  // CHARTLY_DRONE_FETCH_FILE_BODY_H_
