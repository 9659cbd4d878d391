#include "common/jwt/token_text.h"

#include "absl/strings/escaping.h"
#include "absl/strings/strip.h"
#include "common/status/status.h"

namespace chartly::jwt {

std::string Base64UrlEncode(absl::string_view bytes) {
  std::string text = absl::WebSafeBase64Escape(bytes);
  while (!text.empty() && text.back() == '=') text.pop_back();
  return text;
}

std::optional<std::string> Base64UrlDecode(absl::string_view text) {
  std::string bytes;
  if (!absl::WebSafeBase64Unescape(text, &bytes)) return std::nullopt;
  // The decoder overlooks padding, blanks and loose bits.
  if (Base64UrlEncode(bytes) != text) return std::nullopt;
  return bytes;
}

std::optional<simdjson::dom::element> Member(const simdjson::dom::object& object, absl::string_view name) {
  std::optional<simdjson::dom::element> found;
  for (const auto& field : object) {
    if (absl::string_view(field.key.data(), field.key.size()) != name) continue;
    if (found) return std::nullopt;
    found = field.value;
  }
  return found;
}

std::optional<std::string> MemberText(const simdjson::dom::object& object, absl::string_view name) {
  const std::optional<simdjson::dom::element> element = Member(object, name);
  std::string_view text;
  if (!element || element->get(text) != simdjson::SUCCESS) return std::nullopt;
  return std::string(text);
}

absl::Status Refused(absl::string_view reason, absl::string_view message) {
  return Error(absl::StatusCode::kUnauthenticated, reason, message);
}

}  // namespace chartly::jwt
