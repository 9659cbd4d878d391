// Unpacks a gzip body as it arrives, in pieces, and knows whether it was complete. libcurl's own decoder takes a
// stream that stops in the middle for a whole one; here that is an error. Not thread-safe.
#ifndef CHARTLY_COMMON_NET_GUNZIP_H_
#define CHARTLY_COMMON_NET_GUNZIP_H_

#include <zlib.h>

#include "absl/functional/function_ref.h"
#include "absl/strings/string_view.h"

namespace chartly::net {

class Gunzip {
 public:
  enum class Result { kOk, kCorrupt, kStopped };

  Gunzip();
  ~Gunzip();
  Gunzip(const Gunzip&) = delete;
  Gunzip& operator=(const Gunzip&) = delete;

  // Unpacks the next piece and hands it on in parts of at most 64 KiB; kStopped once `sink` says false, kCorrupt if it
  // is no gzip or a checksum is wrong. After anything but kOk the object is of no further use.
  Result Feed(absl::string_view piece, absl::FunctionRef<bool(absl::string_view)> sink);
  // Whether everything so far ends with a whole gzip member.
  bool complete() const { return complete_; }

 private:
  z_stream stream_{};
  bool ready_ = false;
  bool complete_ = false;
};

}  // namespace chartly::net

#endif  // CHARTLY_COMMON_NET_GUNZIP_H_
