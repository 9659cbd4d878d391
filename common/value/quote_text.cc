#include "common/value/quote_text.h"

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"

namespace chartly {

std::string QuoteText(absl::string_view text) {
  constexpr size_t kMaxBytes = 64;
  if (text.size() <= kMaxBytes) return absl::StrCat("\"", absl::Utf8SafeCEscape(text), "\"");
  size_t end = kMaxBytes;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) --end;  // not inside a character
  return absl::StrCat("\"", absl::Utf8SafeCEscape(text.substr(0, end)), "...\"");
}

}  // namespace chartly
