// Texts of fields are short: these take fewer steps than a call of memcmp, memcpy or a hash of any length, and never
// touch a byte outside the text. Pure, thread-safe.
#ifndef CHARTLY_COMMON_TEXT_SHORT_TEXT_H_
#define CHARTLY_COMMON_TEXT_SHORT_TEXT_H_

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "absl/strings/string_view.h"

namespace chartly {

inline constexpr size_t kShortTextBytes = 32;

template <typename Word>
Word LoadWord(const char* from) {
  Word word;
  std::memcpy(&word, from, sizeof(word));
  return word;
}

// In all of them the last word overlaps the one before, so that no text has a rest.
inline bool IsSameText(absl::string_view a, absl::string_view b) {
  const size_t size = a.size();
  if (size != b.size()) return false;
  if (size > kShortTextBytes) return std::memcmp(a.data(), b.data(), size) == 0;
  if (size >= 8) {
    for (size_t at = 0; at < size - 8; at += 8) {
      if (LoadWord<uint64_t>(a.data() + at) != LoadWord<uint64_t>(b.data() + at)) return false;
    }
    return LoadWord<uint64_t>(a.data() + size - 8) == LoadWord<uint64_t>(b.data() + size - 8);
  }
  if (size >= 4) {
    return LoadWord<uint32_t>(a.data()) == LoadWord<uint32_t>(b.data()) &&
           LoadWord<uint32_t>(a.data() + size - 4) == LoadWord<uint32_t>(b.data() + size - 4);
  }
  return size == 0 || (a[0] == b[0] && a[size / 2] == b[size / 2] && a[size - 1] == b[size - 1]);
}

inline void CopyText(absl::string_view text, char* to) {
  const size_t size = text.size();
  const char* from = text.data();
  if (size > kShortTextBytes) {
    std::memcpy(to, from, size);
  } else if (size >= 8) {
    for (size_t at = 0; at < size - 8; at += 8) std::memcpy(to + at, from + at, 8);
    std::memcpy(to + size - 8, from + size - 8, 8);
  } else if (size >= 4) {
    std::memcpy(to, from, 4);
    std::memcpy(to + size - 4, from + size - 4, 4);
  } else if (size > 0) {
    const char first = from[0], middle = from[size / 2], last = from[size - 1];
    to[0] = first;
    to[size / 2] = middle;
    to[size - 1] = last;
  }
}

// Whether it is known to be ASCII; longer texts than short ones are not looked at.
inline bool IsShortAscii(absl::string_view text) {
  constexpr uint64_t kHighBits = 0x8080808080808080u;
  const size_t size = text.size();
  uint64_t bits = 0;
  if (size > kShortTextBytes) return false;
  if (size >= 8) {
    for (size_t at = 0; at < size - 8; at += 8) bits |= LoadWord<uint64_t>(text.data() + at);
    bits |= LoadWord<uint64_t>(text.data() + size - 8);
  } else if (size >= 4) {
    bits = LoadWord<uint32_t>(text.data()) | LoadWord<uint32_t>(text.data() + size - 4);
  } else if (size > 0) {
    bits = static_cast<unsigned char>(text[0] | text[size / 2] | text[size - 1]);
  }
  return (bits & kHighBits) == 0;
}

}  // namespace chartly

#endif  // CHARTLY_COMMON_TEXT_SHORT_TEXT_H_
