#include "common/text/utf8.h"

#include <cstdint>
#include <cstring>

namespace chartly {

size_t Utf8Length(absl::string_view text) {
  auto byte = [&](size_t i) { return static_cast<unsigned char>(text[i]); };
  unsigned char first = byte(0);
  if (first < 0x80) return 1;
  size_t length = first >= 0xF0 ? 4 : (first >= 0xE0 ? 3 : 2);
  if (first < 0xC2 || first > 0xF4 || text.size() < length) return 0;
  for (size_t i = 1; i < length; ++i) {
    if (!IsUtf8Tail(text[i])) return 0;
  }
  bool overlong = (first == 0xE0 && byte(1) < 0xA0) || (first == 0xF0 && byte(1) < 0x90);
  bool surrogate = first == 0xED && byte(1) > 0x9F;
  bool too_large = first == 0xF4 && byte(1) > 0x8F;
  return overlong || surrogate || too_large ? 0 : length;
}

bool IsUtf8(absl::string_view text) {
  if (text.size() < sizeof(uint64_t)) {
    unsigned char bits = 0;
    for (char c : text) bits |= static_cast<unsigned char>(c);
    if (bits < 0x80) return true;
  }
  while (!text.empty()) {
    // Most text is ASCII: eight bytes at once.
    uint64_t word = 0;
    if (text.size() >= sizeof(word)) {
      std::memcpy(&word, text.data(), sizeof(word));
      if ((word & 0x8080808080808080u) == 0) {
        text.remove_prefix(sizeof(word));
        continue;
      }
    }
    size_t length = Utf8Length(text);
    if (length == 0) return false;
    text.remove_prefix(length);
  }
  return true;
}

std::string ToUtf8(absl::string_view text) {
  std::string result;
  result.reserve(text.size());
  while (!text.empty()) {
    size_t length = Utf8Length(text);
    if (length == 0) {
      result.append("\xEF\xBF\xBD");
      length = 1;
    } else {
      result.append(text.data(), length);
    }
    text.remove_prefix(length);
  }
  return result;
}

absl::string_view CutAtCharacter(absl::string_view text, size_t bytes) {
  if (text.size() <= bytes) return text;
  while (bytes > 0 && IsUtf8Tail(text[bytes])) --bytes;
  return text.substr(0, bytes);
}

size_t CountCharacters(absl::string_view text) {
  size_t count = 0;
  for (char c : text) count += IsUtf8Tail(c) ? 0 : 1;
  return count;
}

size_t SkipCharacters(absl::string_view text, size_t count) {
  size_t at = 0;
  for (; count > 0 && at < text.size(); --count) {
    ++at;
    while (at < text.size() && IsUtf8Tail(text[at])) ++at;
  }
  return at;
}

}  // namespace chartly
