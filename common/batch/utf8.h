// UTF-8 of texts that came from outside. Pure functions.
#ifndef CHARTLY_COMMON_BATCH_UTF8_H_
#define CHARTLY_COMMON_BATCH_UTF8_H_

#include <string>

#include "absl/strings/string_view.h"

namespace chartly {

// Whether all bytes are UTF-8: shortest forms only, no surrogates, nothing past U+10FFFF.
bool IsUtf8(absl::string_view text);
// The text with each byte that is not UTF-8 replaced by U+FFFD.
std::string ToUtf8(absl::string_view text);
// At most `bytes` bytes of the text, not ending inside a character.
absl::string_view CutAtCharacter(absl::string_view text, size_t bytes);

}  // namespace chartly

#endif  // CHARTLY_COMMON_BATCH_UTF8_H_
