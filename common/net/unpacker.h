// Unpacks a compressed stream as it arrives, piece by piece, in bounded memory, and knows whether it was complete: a
// stream that stops in the middle must not pass for a whole one. For bodies of HTTP answers and for packed files.
// Not thread-safe.
#ifndef CHARTLY_COMMON_NET_UNPACKER_H_
#define CHARTLY_COMMON_NET_UNPACKER_H_

#include <cstddef>
#include <cstdint>
#include <memory>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace chartly::net {

// What HttpClient asks for, in its order of liking.
inline constexpr char kAcceptEncoding[] = "zstd, br, gzip, deflate";

class Unpacker {
 public:
  virtual ~Unpacker() = default;

  // For a name of HTTP's Content-Encoding: gzip, x-gzip, deflate (with zlib's header or without), br or zstd. Null if
  // the stream is not packed: empty or identity. FailedPrecondition (SOURCE_ENCODING) names any other.
  static absl::StatusOr<std::unique_ptr<Unpacker>> Create(absl::string_view encoding);

  // For deflate as archives hold it: never with a header.
  static std::unique_ptr<Unpacker> ForRawDeflate();

  // Takes bytes off the front of `input` and writes what they unpack to. The number of bytes written; 0 only when all
  // input was taken and more is needed, or when it was complete. DataLoss (SOURCE_TRUNCATED) if the stream is damaged,
  // FailedPrecondition (SOURCE_ENCODING) if it needs more memory than there is for it; then the object is of no further
  // use. Requires: size > 0.
  virtual absl::StatusOr<size_t> Unpack(absl::string_view& input, char* output, size_t size) = 0;
  // Whether everything so far ends with a whole stream. Streams of gzip and zstd may follow each other.
  virtual bool complete() const = 0;
};

// Watches what a stream unpacks to. ResourceExhausted (SOURCE_TOO_LARGE) once it is a bomb: more than a hundred times
// the `packed` bytes, and more than 1 MiB.
absl::Status CheckRatio(int64_t packed, int64_t unpacked);

}  // namespace chartly::net

#endif  // CHARTLY_COMMON_NET_UNPACKER_H_
