// A signed token (RFC 7519) as programs get it from an OpenID Connect issuer: read, and checked against the keys of the
// issuer. RS256 and ES256 only; what a token says of itself decides nothing but which key is looked at.
//
// Plain data; thread-safe once made.
#ifndef CHARTLY_COMMON_JWT_JSON_WEB_TOKEN_H_
#define CHARTLY_COMMON_JWT_JSON_WEB_TOKEN_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "common/jwt/json_web_key.h"

namespace chartly::jwt {

struct TokenTerms {
  std::string issuer;
  std::string audience;
  std::string list_claim;                     // whose texts Verify gives back; dots lead into objects
  absl::Duration leeway = absl::Seconds(60);  // between the clocks
  std::string tenant_claim = {};              // as list_claim; empty: none is looked for
  std::string project_claim = {};             // likewise
  // Of the token that tells a client who signed in (ID token): what the client sent with its question. Then the token
  // has to be for the audience first of all (azp), and for others only if it says so.
  std::string nonce = {};  // empty: no such token
};

struct TokenClaims {
  std::string subject;
  absl::Time expiry;
  std::vector<std::string> list;  // of the claim of the terms: one text, or the texts of a list
  std::vector<std::string> tenants;
  std::vector<std::string> projects;
};

class JsonWebToken {
 public:
  static constexpr size_t kMaxBytes = 8 << 10;

  // Unauthenticated: TOKEN_MALFORMED, TOKEN_ALGORITHM_REFUSED.
  static absl::StatusOr<JsonWebToken> Parse(absl::string_view text);
  // The key that is to have signed it; empty if it names none.
  const std::string& key_id() const { return key_id_; }
  // The signature first; only who has a good one learns what else is wrong. Unauthenticated: what JsonWebKeys::Verify
  // says, TOKEN_MALFORMED, TOKEN_ISSUER_WRONG, TOKEN_AUDIENCE_WRONG, TOKEN_EXPIRED, TOKEN_NOT_YET_VALID, and with
  // a nonce TOKEN_PARTY_WRONG, TOKEN_NONCE_WRONG.
  absl::StatusOr<TokenClaims> Verify(const JsonWebKeys& keys, const TokenTerms& terms, absl::Time now) const;

 private:
  std::string key_id_;
  Algorithm algorithm_ = Algorithm::kRs256;
  std::string signed_text_;
  std::string payload_;
  std::string signature_;
};

}  // namespace chartly::jwt

#endif  // CHARTLY_COMMON_JWT_JSON_WEB_TOKEN_H_
