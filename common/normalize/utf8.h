// Characters of UTF-8 text. Bytes that are not UTF-8 count as one character each. Internal to this folder.
#ifndef CHARTLY_COMMON_NORMALIZE_UTF8_H_
#define CHARTLY_COMMON_NORMALIZE_UTF8_H_

#include <cstddef>

#include "absl/strings/string_view.h"

namespace chartly {

inline bool IsUtf8Tail(char c) { return (static_cast<unsigned char>(c) & 0xC0u) == 0x80u; }

inline size_t CountCharacters(absl::string_view text) {
  size_t count = 0;
  for (char c : text) count += IsUtf8Tail(c) ? 0 : 1;
  return count;
}

// Where the character after `count` others begins; the end of the text if there are fewer.
inline size_t SkipCharacters(absl::string_view text, size_t count) {
  size_t at = 0;
  for (; count > 0 && at < text.size(); --count) {
    ++at;
    while (at < text.size() && IsUtf8Tail(text[at])) ++at;
  }
  return at;
}

}  // namespace chartly

#endif  // CHARTLY_COMMON_NORMALIZE_UTF8_H_
