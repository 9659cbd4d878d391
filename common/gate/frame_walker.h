// Walks the frames of what a client sends on one HTTP/2 connection and says what they cost the server beyond what calls
// cost: streams that are taken back, control frames, header blocks that go on and on. It looks at the nine bytes before
// each frame and at nothing else, and keeps nothing of what it is shown. Whether the frames are sound is for others to
// find out: whatever comes, any split of the same bytes comes to the same.
//
// Not thread-safe.
#ifndef CHARTLY_COMMON_GATE_FRAME_WALKER_H_
#define CHARTLY_COMMON_GATE_FRAME_WALKER_H_

#include <array>
#include <cstddef>
#include <cstdint>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace chartly::gate {

// What every client begins with.
inline constexpr absl::string_view kPreface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
inline constexpr size_t kFrameHeaderBytes = 9;
// A header block of more is no request of anybody: gRPC refuses 16 KiB of metadata.
inline constexpr size_t kHeaderBlockBytesMax = 256 << 10;

// Measured of gRPC 1.51 on one core of an EPYC; see docs/adr/0035.
inline constexpr absl::Duration kCostOfReset = absl::Microseconds(100);
inline constexpr absl::Duration kCostOfPing = absl::Microseconds(2);
inline constexpr absl::Duration kCostOfSettings = absl::Microseconds(1);
inline constexpr absl::Duration kCostOfIdleFrame = absl::Nanoseconds(200);
inline constexpr absl::Duration kCostOfContinuedByte = absl::Nanoseconds(4);

class FrameWalker {
 public:
  // Takes what came next, from the first byte of the preface on, and returns what it costs.
  absl::Duration Take(absl::string_view bytes);
  // How many bytes come before the next frame, as far as that is known.
  size_t rest() const { return rest_; }
  // Whether a header block became too long; stays so.
  bool broken() const { return broken_; }
  // Streams that were begun so far, and those taken back.
  int64_t begun() const { return begun_; }
  int64_t taken_back() const { return taken_back_; }

 private:
  // What the frame with the header in header_ costs.
  absl::Duration Enter();
  absl::Duration EnterContinuation(size_t length, bool ends);

  size_t rest_ = kPreface.size();  // of the preface, then of the payload of a frame
  std::array<uint8_t, kFrameHeaderBytes> header_ = {};
  size_t header_bytes_ = 0;
  size_t block_bytes_ = 0;  // of the header block that has not ended
  bool broken_ = false;
  int64_t begun_ = 0;
  int64_t taken_back_ = 0;
};

}  // namespace chartly::gate

#endif  // CHARTLY_COMMON_GATE_FRAME_WALKER_H_
