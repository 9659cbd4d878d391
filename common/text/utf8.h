// UTF-8 of texts that came from outside. Pure functions.
#ifndef CHARTLY_COMMON_TEXT_UTF8_H_
#define CHARTLY_COMMON_TEXT_UTF8_H_

#include <cstddef>
#include <string>

#include "absl/strings/string_view.h"

namespace chartly {

// Bytes of the character that a non-empty text begins with; 0 if it begins with none (RFC 3629: shortest forms only, no
// surrogates, nothing past U+10FFFF).
size_t Utf8Length(absl::string_view text);
// Whether the text is made of such characters alone.
bool IsUtf8(absl::string_view text);
// The text with each byte that is not UTF-8 replaced by U+FFFD.
std::string ToUtf8(absl::string_view text);
// At most `bytes` bytes of the text, not ending inside a character.
absl::string_view CutAtCharacter(absl::string_view text, size_t bytes);

// Whether a character goes on with this byte.
inline bool IsUtf8Tail(char c) { return (static_cast<unsigned char>(c) & 0xC0u) == 0x80u; }
// How many bytes begin a character. Tail bytes that belong to none are not counted.
size_t CountCharacters(absl::string_view text);
// Where the character after `count` others begins; the end of the text if there are fewer.
size_t SkipCharacters(absl::string_view text, size_t count);

}  // namespace chartly

#endif  // CHARTLY_COMMON_TEXT_UTF8_H_
