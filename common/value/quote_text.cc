#include "common/value/quote_text.h"

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "common/text/utf8.h"

namespace chartly {

std::string QuoteText(absl::string_view text) {
  constexpr size_t kMaxBytes = 64;
  if (text.size() <= kMaxBytes) return absl::StrCat("\"", absl::Utf8SafeCEscape(text), "\"");
  return absl::StrCat("\"", absl::Utf8SafeCEscape(CutAtCharacter(text, kMaxBytes)), "...\"");
}

}  // namespace chartly
