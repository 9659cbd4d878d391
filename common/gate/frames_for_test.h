// Frames of HTTP/2 as a client sends them.
#ifndef CHARTLY_COMMON_GATE_FRAMES_FOR_TEST_H_
#define CHARTLY_COMMON_GATE_FRAMES_FOR_TEST_H_

#include <cstdint>
#include <string>

namespace chartly::gate {

enum FrameKind : uint8_t {
  kDataFrame = 0,
  kHeadersFrame = 1,
  kResetFrame = 3,
  kSettingsFrame = 4,
  kPingFrame = 6,
  kWindowUpdateFrame = 8,
  kContinuationFrame = 9
};
inline constexpr uint8_t kEndStreamFlag = 1;
inline constexpr uint8_t kAckFlag = 1;
inline constexpr uint8_t kEndHeadersFlag = 4;

inline std::string FrameOf(uint8_t kind, uint8_t flags, uint32_t stream, const std::string& payload) {
  std::string frame;
  for (int shift : {16, 8, 0}) frame += static_cast<char>(payload.size() >> shift & 255);
  frame += static_cast<char>(kind);
  frame += static_cast<char>(flags);
  for (int shift : {24, 16, 8, 0}) frame += static_cast<char>(stream >> shift & 255);
  return frame + payload;
}

}  // namespace chartly::gate

#endif  // CHARTLY_COMMON_GATE_FRAMES_FOR_TEST_H_
