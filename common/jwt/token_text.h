// The pieces that tokens and keys are written with: base64url without padding, and members of JSON objects that are
// there once; and how they are refused. Pure functions, thread-safe.
#ifndef CHARTLY_COMMON_JWT_TOKEN_TEXT_H_
#define CHARTLY_COMMON_JWT_TOKEN_TEXT_H_

#include <simdjson.h>

#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace chartly::jwt {

// Nothing if a character, a length or a last bit is not as RFC 7515 has it: a token has one spelling.
std::optional<std::string> Base64UrlDecode(absl::string_view text);
std::string Base64UrlEncode(absl::string_view bytes);

// Nothing if it is absent or there twice.
std::optional<simdjson::dom::element> Member(const simdjson::dom::object& object, absl::string_view name);
// Nothing too if it is no text.
std::optional<std::string> MemberText(const simdjson::dom::object& object, absl::string_view name);

// Unauthenticated, with that reason: what every refusal of a token is.
absl::Status Refused(absl::string_view reason, absl::string_view message);

}  // namespace chartly::jwt

#endif  // CHARTLY_COMMON_JWT_TOKEN_TEXT_H_
