// The plain forms of numbers and times, which nearly all fields of nearly all sources have, read without a status.
// False says nothing but that the text is of another form: the Parse functions of value.h then settle what it is, and
// agree with these where these say yes. Pure, thread-safe.
#ifndef CHARTLY_COMMON_VALUE_PLAIN_VALUE_H_
#define CHARTLY_COMMON_VALUE_PLAIN_VALUE_H_

#include <bit>
#include <cstddef>
#include <cstdint>

#include "absl/base/attributes.h"
#include "absl/strings/string_view.h"
#include "common/text/short_text.h"
#include "common/value/value.h"

namespace chartly {

// unscaled * 10^-scale.
struct PlainNumber {
  int64_t unscaled = 0;
  uint8_t scale = 0;
  bool has_point = false;
};

// Up to 18 digits with at most one point between them, behind a minus or nothing; `negative` says which.
bool ReadLongPlainNumber(absl::string_view digits, bool negative, PlainNumber& number);

// Reads up to eight characters at once: there is no loop whose end a processor would have to guess, and no branch on
// the sign. It belongs into loops over columns of numbers, hence inline.
ABSL_ATTRIBUTE_ALWAYS_INLINE inline bool ReadPlainNumber(absl::string_view text, PlainNumber& number) {
  constexpr uint64_t kOnes = 0x0101010101010101u;
  constexpr uint64_t kZeros = kOnes * '0';
  if (text.empty()) return false;
  const size_t minus = text.front() == '-';
  const char* const at = text.data() + minus;
  size_t size = text.size() - minus;
  if (size - 1 >= 8 || std::endian::native != std::endian::little) {
    return ReadLongPlainNumber({at, size}, minus != 0, number);
  }
  // The first character in the lowest byte, the others above it.
  uint64_t word;
  if (size >= 4) {
    word = LoadWord<uint32_t>(at) | uint64_t{LoadWord<uint32_t>(at + size - 4)} << (8 * (size - 4));
  } else {
    const auto byte = [at](size_t i) { return uint64_t{static_cast<unsigned char>(at[i])} << (8 * i); };
    word = byte(0) | byte(size / 2) | byte(size - 1);
  }
  // The lowest flag is that of the first point.
  const uint64_t other = word ^ (kOnes * '.');
  const uint64_t points = (other - kOnes) & ~other & (kOnes << 7);
  number.has_point = points != 0;
  number.scale = 0;
  if (number.has_point) {
    const auto before = static_cast<unsigned>(std::countr_zero(points)) & ~7u;
    const uint64_t below = (uint64_t{1} << before) - 1;
    word = (word & below) | (word >> 8 & ~below);
    --size;
    number.scale = static_cast<uint8_t>(size - before / 8);
    if (size == 0) return false;
  }
  word = word << (8 * (8 - size)) | (kZeros >> (8 * size - 8)) >> 8;
  const uint64_t beyond_nine = ((word & kOnes * 0xF0) ^ kZeros) | (((word + kOnes * 6) & kOnes * 0xF0) ^ kZeros);
  if (beyond_nine != 0) return false;
  // Neighbours become pairs, then fours, then all eight digits one number.
  word = (word & kOnes * 0x0F) * (1 + (10 << 8)) >> 8;
  word = (word & 0x00FF00FF00FF00FFu) * (1 + (100 << 16)) >> 16;
  word = (word & 0x0000FFFF0000FFFFu) * (1 + (uint64_t{10000} << 32)) >> 32;
  const auto sign = -static_cast<int64_t>(minus);
  number.unscaled = (static_cast<int64_t>(word) ^ sign) - sign;
  return true;
}

// A plain number that a double holds after one rounding, of up to 15 digits.
bool ReadPlainFloat(absl::string_view text, double& number);
// 2026-01-31
bool ReadPlainDate(absl::string_view text, Date& date);
// 2026-01-31T09:00:00Z
bool ReadPlainTimestamp(absl::string_view text, Timestamp& time);

}  // namespace chartly

#endif  // CHARTLY_COMMON_VALUE_PLAIN_VALUE_H_
