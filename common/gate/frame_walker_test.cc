#include "common/gate/frame_walker.h"

#include <algorithm>
#include <random>

#include "common/gate/frames_for_test.h"
#include "test/support/test.h"

namespace chartly::gate {
namespace {

// Frames of all kinds, and some that are none.
std::string AnyFrames(std::mt19937& rng, int count) {
  std::string bytes(kPreface);
  for (int i = 0; i < count; ++i) {
    const auto kind = static_cast<uint8_t>(rng() % 12);
    bytes +=
        FrameOf(kind, static_cast<uint8_t>(rng() % 256), rng() % 1000, std::string(rng() % 40 * (rng() % 40), 'x'));
  }
  return bytes;
}

absl::Duration CostOf(absl::string_view frames) {
  FrameWalker walker;
  walker.Take(kPreface);
  return walker.Take(frames);
}

}  // namespace

TEST_CASE("however the bytes are split, they cost the same") {
  std::mt19937 rng(14);
  for (int round = 0; round < 200; ++round) {
    const std::string bytes = AnyFrames(rng, 60);
    FrameWalker whole;
    const absl::Duration cost = whole.Take(bytes);
    FrameWalker split;
    absl::Duration split_cost;
    for (size_t at = 0; at < bytes.size();) {
      const size_t size = std::min<size_t>(bytes.size() - at, round % 3 == 0 ? 1 : rng() % 50);
      split_cost += split.Take(absl::string_view(bytes).substr(at, size));
      at += size;
    }
    CHECK(cost == split_cost);
    CHECK(whole.rest() == split.rest());
    CHECK(whole.broken() == split.broken());
    CHECK(whole.begun() == split.begun());
    CHECK(whole.taken_back() == split.taken_back());
  }
}

TEST_CASE("whatever bytes come, they are walked") {
  std::mt19937 rng(15);
  for (int round = 0; round < 300; ++round) {
    FrameWalker walker;
    for (int piece = 0; piece < 50; ++piece) {
      std::string bytes(rng() % 100, '\0');
      for (char& each : bytes) each = static_cast<char>(rng() % 256);
      CHECK(walker.Take(bytes) >= absl::ZeroDuration());
      CHECK(walker.rest() < size_t{1} << 24);
    }
  }
}

TEST_CASE("calls cost nothing of their own, in both directions and of any size") {
  std::string calls;
  for (uint32_t i = 0; i < 1000; ++i) {
    calls += FrameOf(kHeadersFrame, kEndHeadersFlag, 2 * i + 1, std::string(300, 'h'));
    calls += FrameOf(kDataFrame, 0, 2 * i + 1, std::string(16384, 'd'));
    calls += FrameOf(kDataFrame, kEndStreamFlag, 2 * i + 1, "");
    calls += FrameOf(kWindowUpdateFrame, 0, 0, std::string(4, 'w'));
    calls += FrameOf(kPingFrame, kAckFlag, 0, std::string(8, 'p'));
    calls += FrameOf(kSettingsFrame, kAckFlag, 0, "");
  }
  FrameWalker walker;
  walker.Take(kPreface);
  CHECK(walker.Take(calls) == absl::ZeroDuration());
  CHECK(walker.begun() == 1000);
  CHECK(walker.taken_back() == 0);
}

TEST_CASE("what comes to nothing costs what it takes of the server") {
  CHECK(CostOf(FrameOf(kResetFrame, 0, 1, std::string(4, 'r'))) == kCostOfReset);
  CHECK(CostOf(FrameOf(kPingFrame, 0, 0, std::string(8, 'p'))) == kCostOfPing);
  CHECK(CostOf(FrameOf(kSettingsFrame, 0, 0, std::string(6, 's'))) > kCostOfSettings);
  CHECK(CostOf(FrameOf(kDataFrame, 0, 1, "")) == kCostOfIdleFrame);
  CHECK(CostOf(FrameOf(2, 0, 1, std::string(5, 'p'))) == kCostOfIdleFrame);
  CHECK(CostOf(FrameOf(77, 0, 1, std::string(5, '?'))) == kCostOfIdleFrame);
  CHECK(CostOf(FrameOf(kHeadersFrame, 0, 1, "h") + FrameOf(kContinuationFrame, 0, 1, std::string(10000, 'c'))) ==
        kCostOfIdleFrame + 10000 * kCostOfContinuedByte);
}

TEST_CASE("a header block without an end is broken once it is larger than any request") {
  FrameWalker walker;
  walker.Take(kPreface);
  walker.Take(FrameOf(kHeadersFrame, 0, 1, std::string(16384, 'h')));
  size_t bytes = 16384;
  while (bytes + 16384 <= kHeaderBlockBytesMax) {
    walker.Take(FrameOf(kContinuationFrame, 0, 1, std::string(16384, 'c')));
    bytes += 16384;
    CHECK_FALSE(walker.broken());
  }
  SECTION("its end comes in time") {
    walker.Take(FrameOf(kContinuationFrame, kEndHeadersFlag, 1, ""));
    walker.Take(FrameOf(kHeadersFrame, 0, 3, std::string(16384, 'h')));
    CHECK_FALSE(walker.broken());
  }
  SECTION("it goes on") {
    walker.Take(FrameOf(kContinuationFrame, kEndHeadersFlag, 1, "c"));
    CHECK(walker.broken());
  }
}

}  // namespace chartly::gate
