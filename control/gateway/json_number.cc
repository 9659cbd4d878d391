#include "control/gateway/json_number.h"

#include "absl/strings/ascii.h"
#include "absl/strings/strip.h"

namespace chartly::gateway {
namespace {

size_t Digits(absl::string_view text) {
  size_t count = 0;
  while (count < text.size() && absl::ascii_isdigit(static_cast<unsigned char>(text[count]))) ++count;
  return count;
}

bool ConsumeDigits(absl::string_view& text) {
  size_t count = Digits(text);
  text.remove_prefix(count);
  return count > 0;
}

}  // namespace

bool IsJsonNumber(absl::string_view text) {
  absl::ConsumePrefix(&text, "-");
  if (!absl::ConsumePrefix(&text, "0") && !ConsumeDigits(text)) return false;
  if (absl::ConsumePrefix(&text, ".") && !ConsumeDigits(text)) return false;
  if (absl::ConsumePrefix(&text, "e") || absl::ConsumePrefix(&text, "E")) {
    if (!absl::ConsumePrefix(&text, "-")) absl::ConsumePrefix(&text, "+");
    if (!ConsumeDigits(text)) return false;
  }
  return text.empty();
}

bool IsWholeNumber(absl::string_view text) { return text.find_first_of(".eE") == absl::string_view::npos; }

}  // namespace chartly::gateway
