#include "common/gate/frame_walker.h"

#include <algorithm>
#include <cstring>

namespace chartly::gate {
namespace {

enum Kind : uint8_t {
  kData = 0,
  kHeaders = 1,
  kReset = 3,
  kSettings = 4,
  kPing = 6,
  kWindowUpdate = 8,
  kContinuation = 9
};

constexpr uint8_t kEndStream = 1;  // of DATA
constexpr uint8_t kAck = 1;        // of SETTINGS and PING
constexpr uint8_t kEndHeaders = 4;

}  // namespace

absl::Duration FrameWalker::Take(absl::string_view bytes) {
  absl::Duration cost;
  while (!bytes.empty()) {
    const size_t skipped = std::min(rest_, bytes.size());
    rest_ -= skipped;
    bytes.remove_prefix(skipped);
    const size_t more = std::min(kFrameHeaderBytes - header_bytes_, bytes.size());
    std::memcpy(header_.data() + header_bytes_, bytes.data(), more);
    header_bytes_ += more;
    bytes.remove_prefix(more);
    if (header_bytes_ < kFrameHeaderBytes) continue;
    header_bytes_ = 0;
    cost += Enter();
  }
  return cost;
}

absl::Duration FrameWalker::Enter() {
  const size_t length = size_t{header_[0]} << 16 | size_t{header_[1]} << 8 | header_[2];
  const uint8_t flags = header_[4];
  rest_ = length;
  switch (header_[3]) {
    case kHeaders:
      ++begun_;
      block_bytes_ = (flags & kEndHeaders) != 0 ? 0 : length;
      return absl::ZeroDuration();
    case kContinuation:
      return EnterContinuation(length, (flags & kEndHeaders) != 0);
    case kReset:
      ++taken_back_;
      return kCostOfReset;
    case kSettings:
      return (flags & kAck) != 0 ? absl::ZeroDuration() : kCostOfSettings + length * absl::Nanoseconds(40);
    case kPing:
      return (flags & kAck) != 0 ? absl::ZeroDuration() : kCostOfPing;
    case kWindowUpdate:  // who receives much sends many
      return absl::ZeroDuration();
    case kData:
      return length > 0 || (flags & kEndStream) != 0 ? absl::ZeroDuration() : kCostOfIdleFrame;
    default:
      return kCostOfIdleFrame;
  }
}

absl::Duration FrameWalker::EnterContinuation(size_t length, bool ends) {
  block_bytes_ += length;
  broken_ = broken_ || block_bytes_ > kHeaderBlockBytesMax;
  if (ends) block_bytes_ = 0;
  return kCostOfIdleFrame + length * kCostOfContinuedByte;
}

}  // namespace chartly::gate
