// The scalars of JSON text (RFC 8259 sections 6 and 7), shared by everything that reads JSON. Pure, thread-safe.
#ifndef CHARTLY_DRONE_DECODE_JSON_LEXER_H_
#define CHARTLY_DRONE_DECODE_JSON_LEXER_H_

#include <bit>
#include <cstdint>
#include <cstring>

#include "absl/strings/string_view.h"

namespace chartly::drone {

// Bytes after a text that may be read.
inline constexpr size_t kJsonPadding = 64;

inline bool IsJsonBlank(char c) { return c == ' ' || c == '\n' || c == '\r' || c == '\t'; }

// Requires: kJsonPadding readable bytes after the text.
inline bool HasBackslash(const char* begin, const char* end) {
  constexpr uint64_t kOnes = 0x0101010101010101;
  constexpr uint64_t kHighs = 0x8080808080808080;
  for (; begin < end; begin += 8) {
    uint64_t word;
    std::memcpy(&word, begin, 8);
    word ^= kOnes * '\\';
    // The lowest flag is exact, and flags beyond the end do not count.
    uint64_t zeros = (word - kOnes) & ~word & kHighs;
    if (zeros != 0) return std::memchr(begin, '\\', static_cast<size_t>(end - begin)) != nullptr;
  }
  return false;
}

inline bool IsJsonNumber(const char* begin, const char* end) {
  auto digits = [&begin, end] {
    const char* first = begin;
    while (begin < end && static_cast<unsigned char>(*begin - '0') < 10) ++begin;
    return begin - first;
  };
  if (begin < end && *begin == '-') ++begin;
  const char* whole = begin;
  auto count = digits();
  if (count == 0 || (count > 1 && *whole == '0')) return false;
  if (begin < end && *begin == '.') {
    ++begin;
    if (digits() == 0) return false;
  }
  if (begin < end && (*begin == 'e' || *begin == 'E')) {
    ++begin;
    if (begin < end && (*begin == '+' || *begin == '-')) ++begin;
    if (digits() == 0) return false;
  }
  return begin == end;
}

// Whether it is a number of up to eight digits, one of them perhaps a point: nearly all are. Requires: as HasBackslash.
inline bool IsPlainJsonNumber(const char* begin, const char* end) {
  constexpr uint64_t kOnes = 0x0101010101010101;
  constexpr uint64_t kZeros = kOnes * '0';
  begin += *begin == '-' ? 1 : 0;
  const auto size = static_cast<size_t>(end - begin);
  if (size - 1 >= 8 || std::endian::native != std::endian::little) return false;
  uint64_t word;
  std::memcpy(&word, begin, 8);
  const uint64_t outside = size == 8 ? 0 : ~uint64_t{0} << (8 * size);
  word = (word & ~outside) | (kZeros & outside);
  const uint64_t other = word ^ (kOnes * '.');
  const uint64_t points = (other - kOnes) & ~other & (kOnes << 7);
  const size_t point = points == 0 ? size : static_cast<size_t>(std::countr_zero(points)) / 8;
  if (points != 0) word ^= uint64_t{'.' ^ '0'} << (8 * point);
  const uint64_t beyond_nine = ((word & kOnes * 0xF0) ^ kZeros) | (((word + kOnes * 6) & kOnes * 0xF0) ^ kZeros);
  // Without a branch on each: they are as random as the digits.
  const bool leading_zero = (*begin == '0') & (point > 1);
  return (beyond_nine == 0) & (point != 0) & (point + 1 != size) & !leading_zero;
}

// Writes the text without its escapes, which is never longer, and returns its end; nullptr if an escape is none, or
// half of a surrogate pair. `out` may be the text itself.
char* UnescapeJson(absl::string_view raw, char* out);

}  // namespace chartly::drone

#endif  // CHARTLY_DRONE_DECODE_JSON_LEXER_H_
