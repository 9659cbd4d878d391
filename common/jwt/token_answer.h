// What the token endpoint of an OpenID Connect issuer answers (RFC 6749, OpenID Connect Core 1.0). Pure function,
// thread-safe.
#ifndef CHARTLY_COMMON_JWT_TOKEN_ANSWER_H_
#define CHARTLY_COMMON_JWT_TOKEN_ANSWER_H_

#include <string>

namespace chartly::jwt {

struct TokenAnswer {
  std::string id_token;
  std::string error;  // "invalid_grant"; only what is lower-case letters and _, at most 40
};

// What is absent, or is no text, is empty; all of it if `json` is no object.
TokenAnswer ReadTokenAnswer(const std::string& json);

// Whether `text` is such an error: short and plain enough to be shown, whoever made it up.
bool IsPlainErrorCode(const std::string& text);

}  // namespace chartly::jwt

#endif  // CHARTLY_COMMON_JWT_TOKEN_ANSWER_H_
