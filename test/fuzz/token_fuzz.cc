// What strangers send to be let in: signed tokens, what an issuer of tokens publishes and answers, and requests for
// certificates. Whatever it is, it lets nobody in who was not signed for.
#include <stdlib.h>

#include <filesystem>
#include <optional>
#include <string>

#include "absl/strings/str_cat.h"
#include "common/jwt/issuer_description.h"
#include "common/jwt/json_web_key.h"
#include "common/jwt/json_web_token.h"
#include "common/jwt/signer_for_test.h"
#include "common/jwt/token_answer.h"
#include "common/jwt/token_text.h"
#include "common/x509/authority.h"
#include "common/x509/certificate.h"
#include "test/fuzz/fuzz_target.h"

namespace chartly {
namespace {

constexpr char kUri[] = "spiffe://chartly/drone/d1/e1";

const absl::Time kNow = absl::FromUnixSeconds(1800000000);

jwt::TokenTerms Terms() {
  jwt::TokenTerms terms{"https://issuer.example", "chartly", "realm.groups"};
  terms.tenant_claim = "tenant";
  return terms;
}

const jwt::SignerForTest& Signer() {
  static const auto* signer = new jwt::SignerForTest(jwt::Algorithm::kEs256, "k1");
  return *signer;
}

// The keys of an issuer whose secret is not in any input.
const jwt::JsonWebKeys& Keys() {
  static const auto* keys = new jwt::JsonWebKeys(*jwt::JsonWebKeys::Parse(
      absl::StrCat("{\"keys\":[", Signer().Jwk(), ",", jwt::SignerForTest(jwt::Algorithm::kRs256, "k2").Jwk(), "]}")));
  return *keys;
}

// In a folder of its own: the authority is made once, and its files are not needed after that.
const x509::Authority& TheAuthority() {
  static const auto* authority = [] {
    std::string folder = (std::filesystem::temp_directory_path() / "chartly-fuzz-XXXXXX").string();
    FUZZ_CHECK(::mkdtemp(folder.data()) != nullptr);
    auto* made = new x509::Authority(*x509::Authority::LoadOrCreate(folder, kNow));
    std::filesystem::remove_all(folder);
    return made;
  }();
  return *authority;
}

// A token of which all is as the issuer of the input would have it, but for the signature.
void CheckUnsigned(absl::string_view text) {
  const absl::StatusOr<jwt::JsonWebToken> token = jwt::JsonWebToken::Parse(text);
  if (!token.ok()) return;
  FUZZ_CHECK(!token->Verify(Keys(), Terms(), kNow).ok());
}

void CheckClaims(absl::string_view claims) {
  const absl::StatusOr<jwt::JsonWebToken> token = jwt::JsonWebToken::Parse(Signer().Token(std::string(claims)));
  if (!token.ok()) return;  // too long
  for (const char* nonce : {"", "n-1"}) {
    jwt::TokenTerms terms = Terms();
    terms.nonce = nonce;
    const absl::StatusOr<jwt::TokenClaims> found = token->Verify(Keys(), terms, kNow);
    if (!found.ok()) continue;
    FUZZ_CHECK(found->expiry > kNow);
    FUZZ_CHECK(!found->subject.empty() && found->subject.size() <= 200);
    for (const char c : found->subject) FUZZ_CHECK(c > ' ' && c < 0x7F);
    FUZZ_CHECK(found->list.size() <= 1000 && found->tenants.size() <= 1000);
  }
}

void CheckKeys(const std::string& json, absl::string_view token_text) {
  const absl::StatusOr<jwt::JsonWebKeys> keys = jwt::JsonWebKeys::Parse(json);
  if (!keys.ok()) return;
  FUZZ_CHECK(keys->size() <= jwt::JsonWebKeys::kMaxKeys);
  FUZZ_CHECK(keys->Has("") == (keys->size() > 0));
  // Our signature is by none of them.
  const absl::StatusOr<jwt::JsonWebToken> token = jwt::JsonWebToken::Parse(token_text);
  if (token.ok()) FUZZ_CHECK(!token->Verify(*keys, Terms(), kNow).ok());
  for (const jwt::Algorithm algorithm : {jwt::Algorithm::kRs256, jwt::Algorithm::kEs256}) {
    FUZZ_CHECK(!keys->Verify("", algorithm, "text", json).ok());
  }
}

void CheckAnswers(const std::string& json) {
  const jwt::TokenAnswer answer = jwt::ReadTokenAnswer(json);
  FUZZ_CHECK(answer.error.empty() || jwt::IsPlainErrorCode(answer.error));
  jwt::ReadIssuerDescription(json);
}

// Whatever is asked for, what is signed is what was decided.
void CheckRequest(const std::string& request) {
  x509::CertificateTerms terms;
  terms.uri = kUri;
  terms.not_before = kNow;
  terms.not_after = kNow + absl::Hours(24);
  const absl::StatusOr<std::string> certificate = TheAuthority().Sign(request, terms);
  if (!certificate.ok()) return;
  const absl::StatusOr<x509::CertificateFacts> facts = x509::ReadCertificate(*certificate);
  FUZZ_CHECK(facts.ok() && facts->uri == kUri && facts->not_after == terms.not_after);
  FUZZ_CHECK(x509::FingerprintOf(*certificate).ok());
}

}  // namespace

FUZZ_TARGET(token) {
  const std::string text(input);
  CheckUnsigned(input);
  CheckClaims(input);
  static const auto* good = new std::string(Signer().Token(
      R"({"iss":"https://issuer.example","aud":"chartly","sub":"ada","exp":1800000600,"tenant":"acme"})"));
  CheckKeys(text, *good);
  CheckAnswers(text);
  CheckRequest(text);
  x509::ReadCertificate(text).IgnoreError();
  // A token has one spelling.
  const std::optional<std::string> bytes = jwt::Base64UrlDecode(input);
  if (bytes) FUZZ_CHECK(jwt::Base64UrlEncode(*bytes) == input);
  FUZZ_CHECK(jwt::Base64UrlDecode(jwt::Base64UrlEncode(input)) == text);
}

}  // namespace chartly
