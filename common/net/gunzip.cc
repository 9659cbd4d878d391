#include "common/net/gunzip.h"

#include <vector>

namespace chartly::net {
namespace {

constexpr int kGzipWindow = 15 + 16;  // 16: gzip framing, with its checksum
constexpr size_t kPartBytes = 64 << 10;

}  // namespace

Gunzip::Gunzip() : ready_(inflateInit2(&stream_, kGzipWindow) == Z_OK) {}

Gunzip::~Gunzip() {
  if (ready_) inflateEnd(&stream_);
}

Gunzip::Result Gunzip::Feed(absl::string_view piece, absl::FunctionRef<bool(absl::string_view)> sink) {
  if (!ready_) return Result::kCorrupt;
  std::vector<char> part(kPartBytes);
  stream_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(piece.data()));
  stream_.avail_in = static_cast<uInt>(piece.size());
  bool part_was_full = false;  // then more may be waiting inside the stream
  while (stream_.avail_in > 0 || part_was_full) {
    if (complete_) {  // another member follows
      complete_ = false;
      if (inflateReset(&stream_) != Z_OK) return Result::kCorrupt;
    }
    stream_.next_out = reinterpret_cast<Bytef*>(part.data());
    stream_.avail_out = static_cast<uInt>(part.size());
    int code = inflate(&stream_, Z_NO_FLUSH);
    if (code != Z_OK && code != Z_STREAM_END && code != Z_BUF_ERROR) return Result::kCorrupt;
    complete_ = code == Z_STREAM_END;
    part_was_full = stream_.avail_out == 0 && !complete_;
    size_t size = part.size() - stream_.avail_out;
    if (size > 0 && !sink(absl::string_view(part.data(), size))) return Result::kStopped;
  }
  return Result::kOk;
}

}  // namespace chartly::net
