#include "common/jwt/json_web_token.h"

#include <openssl/crypto.h>
#include <simdjson.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "common/jwt/token_text.h"
#include "common/status/status.h"

namespace chartly::jwt {
namespace {

using simdjson::dom::element;
using simdjson::dom::object;

constexpr size_t kMaxSubjectBytes = 200;
constexpr size_t kMaxListEntries = 1000;
// Years 1970 to 5138: what is beyond is no time of a token.
constexpr double kMaxSeconds = 1e11;

absl::Status Malformed(absl::string_view what) { return Refused("TOKEN_MALFORMED", absl::StrCat("the token ", what)); }

absl::StatusOr<Algorithm> AlgorithmOf(const object& header) {
  const std::string name = MemberText(header, "alg").value_or("");
  if (name == "RS256") return Algorithm::kRs256;
  if (name == "ES256") return Algorithm::kEs256;
  return Refused("TOKEN_ALGORITHM_REFUSED", "the token is not signed by RS256 or ES256");
}

// Nothing for an absent time; an error for one that is none.
absl::StatusOr<std::optional<absl::Time>> TimeOf(const object& claims, absl::string_view name) {
  std::optional<absl::Time> none;
  element value;
  if (claims.at_key(std::string_view(name.data(), name.size())).get(value) == simdjson::NO_SUCH_FIELD) return none;
  const std::optional<element> once = Member(claims, name);
  double seconds = 0;
  if (!once || once->get(seconds) != simdjson::SUCCESS || !(seconds >= 0 && seconds <= kMaxSeconds)) {
    return Malformed(absl::StrCat("has no time in ", name));
  }
  return std::optional<absl::Time>(absl::FromUnixSeconds(static_cast<int64_t>(seconds)));
}

std::vector<std::string> TextsOf(const std::optional<element>& value) {
  std::vector<std::string> texts;
  if (!value) return texts;
  std::string_view text;
  simdjson::dom::array list;
  if (value->get(text) == simdjson::SUCCESS) {
    texts.emplace_back(text);
  } else if (value->get(list) == simdjson::SUCCESS) {
    for (const element entry : list) {
      if (texts.size() == kMaxListEntries) break;
      if (entry.get(text) == simdjson::SUCCESS) texts.emplace_back(text);
    }
  }
  return texts;
}

// A member of that whole name goes first: names of claims may hold dots.
std::optional<element> AtPath(const object& claims, absl::string_view path) {
  std::optional<element> whole = Member(claims, path);
  if (whole) return whole;
  object inside = claims;
  std::optional<element> found;
  for (absl::string_view name : absl::StrSplit(path, '.')) {
    if (found && found->get(inside) != simdjson::SUCCESS) return std::nullopt;
    found = Member(inside, name);
    if (!found) return std::nullopt;
  }
  return found;
}

// The subject becomes part of a name in logs and in the audit log.
bool IsPlainSubject(absl::string_view subject) {
  return !subject.empty() && subject.size() <= kMaxSubjectBytes &&
         std::all_of(subject.begin(), subject.end(), [](char c) { return absl::ascii_isgraph(c); });
}

absl::Status CheckTimes(const std::optional<absl::Time>& expiry, const std::optional<absl::Time>& begin, absl::Time now,
                        absl::Duration leeway) {
  if (!expiry) return Malformed("has no end (exp)");
  if (now >= *expiry + leeway) return Refused("TOKEN_EXPIRED", "the token has expired; get another from the issuer");
  if (begin && now < *begin - leeway) return Refused("TOKEN_NOT_YET_VALID", "the token is not yet valid");
  return absl::OkStatus();
}

// OpenID Connect Core 1.0, 3.1.3.7: what an ID token needs beyond a token for a program.
absl::Status CheckSignedIn(const object& claims, const std::vector<std::string>& audiences, const TokenTerms& terms) {
  if (terms.nonce.empty()) return absl::OkStatus();
  const bool has_party = claims.at_key("azp").error() != simdjson::NO_SUCH_FIELD;
  if ((has_party || audiences.size() > 1) && MemberText(claims, "azp").value_or("") != terms.audience) {
    return Refused("TOKEN_PARTY_WRONG", absl::StrCat("the token was not issued to ", terms.audience, " (azp)"));
  }
  const std::string nonce = MemberText(claims, "nonce").value_or("");
  const bool is_ours =
      nonce.size() == terms.nonce.size() && CRYPTO_memcmp(nonce.data(), terms.nonce.data(), nonce.size()) == 0;
  if (is_ours) return absl::OkStatus();
  return Refused("TOKEN_NONCE_WRONG", "the token does not answer this sign-in (nonce); sign in again");
}

}  // namespace

absl::StatusOr<JsonWebToken> JsonWebToken::Parse(absl::string_view text) {
  if (text.size() > kMaxBytes) return Malformed(absl::StrCat("is longer than ", kMaxBytes, " bytes"));
  const std::vector<absl::string_view> parts = absl::StrSplit(text, '.');
  if (parts.size() != 3) return Malformed("has not three parts");
  const std::optional<std::string> header_text = Base64UrlDecode(parts[0]);
  std::optional<std::string> payload = Base64UrlDecode(parts[1]);
  std::optional<std::string> signature = Base64UrlDecode(parts[2]);
  if (!header_text || !payload || !signature) return Malformed("is not base64url");
  simdjson::dom::parser parser;
  object header;
  if (parser.parse(*header_text).get(header) != simdjson::SUCCESS) return Malformed("has a header that is no object");
  JsonWebToken token;
  ASSIGN_OR_RETURN(token.algorithm_, AlgorithmOf(header));
  element extension;
  if (header.at_key("crit").get(extension) != simdjson::NO_SUCH_FIELD) return Malformed("asks for extensions (crit)");
  token.key_id_ = MemberText(header, "kid").value_or("");
  token.signed_text_ = std::string(text.substr(0, parts[0].size() + 1 + parts[1].size()));
  token.payload_ = *std::move(payload);
  token.signature_ = *std::move(signature);
  return token;
}

absl::StatusOr<TokenClaims> JsonWebToken::Verify(const JsonWebKeys& keys, const TokenTerms& terms,
                                                 absl::Time now) const {
  RETURN_IF_ERROR(keys.Verify(key_id_, algorithm_, signed_text_, signature_));
  simdjson::dom::parser parser;
  object claims;
  if (parser.parse(payload_).get(claims) != simdjson::SUCCESS) return Malformed("has claims that are no object");
  if (MemberText(claims, "iss").value_or("") != terms.issuer) {
    return Refused("TOKEN_ISSUER_WRONG", absl::StrCat("the token is not from ", terms.issuer));
  }
  const std::vector<std::string> audiences = TextsOf(Member(claims, "aud"));
  if (std::find(audiences.begin(), audiences.end(), terms.audience) == audiences.end()) {
    return Refused("TOKEN_AUDIENCE_WRONG", absl::StrCat("the token is not for ", terms.audience));
  }
  ASSIGN_OR_RETURN(const std::optional<absl::Time> expiry, TimeOf(claims, "exp"));
  ASSIGN_OR_RETURN(const std::optional<absl::Time> begin, TimeOf(claims, "nbf"));
  RETURN_IF_ERROR(CheckTimes(expiry, begin, now, terms.leeway));
  RETURN_IF_ERROR(CheckSignedIn(claims, audiences, terms));
  TokenClaims found;
  found.subject = MemberText(claims, "sub").value_or("");
  if (!IsPlainSubject(found.subject)) {
    return Malformed(absl::StrCat("has no subject of at most ", kMaxSubjectBytes, " printable characters"));
  }
  found.expiry = *expiry + terms.leeway;
  found.list = TextsOf(AtPath(claims, terms.list_claim));
  if (!terms.tenant_claim.empty()) found.tenants = TextsOf(AtPath(claims, terms.tenant_claim));
  if (!terms.project_claim.empty()) found.projects = TextsOf(AtPath(claims, terms.project_claim));
  return found;
}

}  // namespace chartly::jwt
