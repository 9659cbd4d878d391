// Numbers of a fixed number of bits, one behind the other, lowest bit first. Pure functions.
#ifndef CHARTLY_COMMON_CHUNK_BIT_PACKING_H_
#define CHARTLY_COMMON_CHUNK_BIT_PACKING_H_

#include <algorithm>
#include <bit>
#include <cstdint>
#include <cstring>
#include <string>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "common/chunk/byte_io.h"

namespace chartly {

// Widths from 57 to 63 are stored as 64, so that a number lies in one load of 8 bytes.
inline constexpr uint32_t kMaxPackedWidth = 56;

inline uint32_t BitWidth(uint64_t value) {
  const auto width = static_cast<uint32_t>(std::bit_width(value));
  return width > kMaxPackedWidth ? 64 : width;
}
inline size_t PackedBytes(size_t count, uint32_t width) { return (count * width + 7) / 8; }
inline uint64_t LowBits(uint32_t width) { return width >= 64 ? ~uint64_t{0} : (uint64_t{1} << width) - 1; }

// Up to 8 bytes of a block from `at`, zeros behind its end.
inline uint64_t LoadWithin(absl::string_view bytes, size_t at) {
  if (at + 8 <= bytes.size()) return LoadAs<uint64_t>(bytes.data() + at);
  uint64_t word = 0;
  if (at < bytes.size()) std::memcpy(&word, bytes.data() + at, bytes.size() - at);
  return word;
}

// Appends bits; Finish pads the last byte with zeros.
class BitWriter {
 public:
  explicit BitWriter(std::string& out) : out_(out) {}
  // Requires: value < 2^width, width <= 64.
  void Write(uint64_t value, uint32_t width) {
    word_ |= value << held_;
    held_ += width;
    if (held_ < 64) return;
    AppendWord(8);
    held_ -= 64;
    word_ = held_ == 0 ? 0 : value >> (width - held_);
  }
  void Finish() {
    AppendWord((held_ + 7) / 8);
    word_ = 0;
    held_ = 0;
  }

 private:
  void AppendWord(size_t bytes) {
    static_assert(std::endian::native == std::endian::little, "numbers are stored as they lie in memory");
    char word[sizeof(word_)];
    std::memcpy(word, &word_, sizeof(word_));
    out_.append(word, bytes);
  }
  std::string& out_;
  uint64_t word_ = 0;
  uint32_t held_ = 0;
};

// What is more than `base`. Requires: that of every value < 2^width; width as BitWidth gives it.
void AppendPacked(absl::Span<const int64_t> values, uint64_t base, uint32_t width, std::string& out);
// Reads `count` numbers and adds `base` to each. False if the bytes end before.
bool ReadPacked(ByteReader& in, size_t count, uint32_t width, uint64_t base, int64_t* out);

}  // namespace chartly

#endif  // CHARTLY_COMMON_CHUNK_BIT_PACKING_H_
