#include "common/jwt/json_web_token.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "common/jwt/signer_for_test.h"
#include "common/status/status.h"
#include "test/support/test.h"

namespace chartly::jwt {
namespace {

const absl::Time kNow = absl::FromUnixSeconds(1800000000);
const TokenTerms kTerms{.issuer = "https://issuer.test", .audience = "chartly", .list_claim = "groups"};

// Claims that are good for a minute, with some replaced: {{"\"aud\":\"chartly\"", "\"aud\":[\"x\"]"}}.
std::string Claims(std::vector<std::pair<std::string, std::string>> changes = {}) {
  const std::string good =
      absl::StrCat(R"({"iss":"https://issuer.test","aud":"chartly","sub":"ada","exp":)", absl::ToUnixSeconds(kNow) + 60,
                   R"(,"nbf":)", absl::ToUnixSeconds(kNow) - 60, R"(,"groups":["makers","readers"]})");
  return absl::StrReplaceAll(good, changes);
}

struct Issuer {
  SignerForTest rsa{Algorithm::kRs256, "r1"};
  SignerForTest ec{Algorithm::kEs256, "e1"};
  JsonWebKeys keys = *JsonWebKeys::Parse(absl::StrCat("{\"keys\":[", rsa.Jwk(), ",", ec.Jwk(), "]}"));

  absl::StatusOr<TokenClaims> Verify(const std::string& text, absl::Time now = kNow) const {
    absl::StatusOr<JsonWebToken> token = JsonWebToken::Parse(text);
    if (!token.ok()) return token.status();
    return token->Verify(keys, kTerms, now);
  }
  std::string Refusal(const std::string& text, absl::Time now = kNow) const {
    return Reason(Verify(text, now).status());
  }
};

std::string Exp(int64_t seconds) { return absl::StrCat("\"exp\":", absl::ToUnixSeconds(kNow) + seconds); }

}  // namespace

TEST_CASE("tokens of both algorithms are read with who they are for and what they list") {
  Issuer issuer;
  for (const SignerForTest* signer : {&issuer.rsa, &issuer.ec}) {
    auto claims = issuer.Verify(signer->Token(Claims()));
    REQUIRE_OK(claims);
    CHECK(claims->subject == "ada");
    CHECK(claims->list == std::vector<std::string>{"makers", "readers"});
    CHECK(claims->expiry == kNow + absl::Seconds(120));
  }
  auto of_many = issuer.Verify(issuer.ec.Token(Claims({{"\"aud\":\"chartly\"", "\"aud\":[\"other\",\"chartly\"]"}})));
  CHECK_OK(of_many.status());
}

TEST_CASE("a token is refused whose issuer, audience, subject or time is another") {
  Issuer issuer;
  const auto refusal = [&](std::vector<std::pair<std::string, std::string>> changes) {
    return issuer.Refusal(issuer.ec.Token(Claims(std::move(changes))));
  };
  CHECK(refusal({{"https://issuer.test", "https://issuer.test/"}}) == "TOKEN_ISSUER_WRONG");
  CHECK(refusal({{"\"iss\":\"https://issuer.test\",", ""}}) == "TOKEN_ISSUER_WRONG");
  CHECK(refusal({{"\"chartly\"", "\"chartly2\""}}) == "TOKEN_AUDIENCE_WRONG");
  CHECK(refusal({{"\"chartly\"", "[]"}}) == "TOKEN_AUDIENCE_WRONG");
  CHECK(refusal({{"\"aud\":\"chartly\",", "\"aud\":\"other\",\"aud\":\"chartly\","}}) == "TOKEN_AUDIENCE_WRONG");
  CHECK(refusal({{"\"sub\":\"ada\",", ""}}) == "TOKEN_MALFORMED");
  CHECK(refusal({{"\"ada\"", "\"ada\\n\""}}) == "TOKEN_MALFORMED");
  CHECK(refusal({{Exp(60), "\"exp\":\"soon\""}}) == "TOKEN_MALFORMED");
  CHECK(refusal({{Exp(60), "\"exp\":1e300"}}) == "TOKEN_MALFORMED");
  CHECK(refusal({{absl::StrCat(Exp(60), ","), ""}}) == "TOKEN_MALFORMED");
}

TEST_CASE("clocks may differ by a minute and no more") {
  Issuer issuer;
  const std::string token = issuer.ec.Token(Claims());
  CHECK_OK(issuer.Verify(token, kNow + absl::Seconds(119)).status());
  CHECK(issuer.Refusal(token, kNow + absl::Seconds(120)) == "TOKEN_EXPIRED");
  CHECK_OK(issuer.Verify(token, kNow - absl::Seconds(120)).status());
  CHECK(issuer.Refusal(token, kNow - absl::Seconds(121)) == "TOKEN_NOT_YET_VALID");
}

TEST_CASE("no header talks its way around the key of the issuer") {
  Issuer issuer;
  const std::string unsigned_token =
      absl::StrCat(Base64UrlEncode(R"({"alg":"none"})"), ".", Base64UrlEncode(Claims()), ".");
  CHECK(issuer.Refusal(unsigned_token) == "TOKEN_ALGORITHM_REFUSED");
  CHECK(issuer.Refusal(issuer.rsa.SignedWithPublicKey(Claims())) == "TOKEN_ALGORITHM_REFUSED");
  for (const char* algorithm : {"none", "None", "HS256", "RS384", "PS256", "EdDSA", "rs256", ""}) {
    const std::string header = absl::StrCat(R"({"kid":"r1","alg":")", algorithm, "\"}");
    CHECK(issuer.Refusal(issuer.rsa.Signed(header, Claims())) == "TOKEN_ALGORITHM_REFUSED");
  }
  CHECK(issuer.Refusal(issuer.rsa.Signed(R"({"alg":"RS256","kid":"e1"})", Claims())) == "TOKEN_ALGORITHM_REFUSED");
  CHECK(issuer.Refusal(issuer.ec.Signed(R"({"alg":"ES256","kid":"r1"})", Claims())) == "TOKEN_ALGORITHM_REFUSED");
  CHECK(issuer.Refusal(issuer.rsa.Signed(R"({"alg":"RS256","alg":"none","kid":"r1"})", Claims())) ==
        "TOKEN_ALGORITHM_REFUSED");
  CHECK(issuer.Refusal(issuer.rsa.Signed(R"({"alg":"RS256","kid":"r1","crit":["b64"],"b64":false})", Claims())) ==
        "TOKEN_MALFORMED");
  SignerForTest own(Algorithm::kEs256, "e1");
  CHECK(issuer.Refusal(own.Token(Claims())) == "TOKEN_SIGNATURE_WRONG");
  CHECK(issuer.Refusal(own.Signed(absl::StrCat(R"({"alg":"ES256","jwk":)", own.Jwk(), "}"), Claims())) ==
        "TOKEN_SIGNATURE_WRONG");
}

TEST_CASE("a token that names no key is checked against the only one that fits") {
  Issuer issuer;
  CHECK_OK(issuer.Verify(issuer.rsa.Signed(R"({"alg":"RS256"})", Claims())).status());
  CHECK(issuer.Refusal(issuer.rsa.Signed(R"({"alg":"RS256","kid":"r2"})", Claims())) == "TOKEN_KEY_UNKNOWN");
  SignerForTest second(Algorithm::kRs256, "r2");
  issuer.keys = *JsonWebKeys::Parse(absl::StrCat("{\"keys\":[", issuer.rsa.Jwk(), ",", second.Jwk(), "]}"));
  CHECK(issuer.Refusal(issuer.rsa.Signed(R"({"alg":"RS256"})", Claims())) == "TOKEN_KEY_UNKNOWN");
}

TEST_CASE("every change of a single character of a token is found") {
  Issuer issuer;
  const std::string token = issuer.ec.Token(Claims());
  for (size_t i = 0; i < token.size(); ++i) {
    std::string changed = token;
    changed[i] = changed[i] == 'A' ? 'B' : 'A';
    CHECK_FALSE(issuer.Verify(changed).ok());
    CHECK_FALSE(issuer.Verify(token.substr(0, i)).ok());
  }
  for (const char* more : {"=", " ", ".", "A", "\n"}) CHECK_FALSE(issuer.Verify(token + more).ok());
  CHECK(issuer.Refusal(std::string(JsonWebToken::kMaxBytes + 1, 'e')) == "TOKEN_MALFORMED");
}

TEST_CASE("a list may lie in an object or under a name with dots, and may be one text or missing") {
  Issuer issuer;
  const auto list = [&](const std::string& claims, const std::string& path) {
    TokenTerms terms = kTerms;
    terms.list_claim = path;
    return JsonWebToken::Parse(issuer.ec.Token(claims))->Verify(issuer.keys, terms, kNow)->list;
  };
  const std::string nested =
      Claims({{"\"groups\":[\"makers\",\"readers\"]", R"("realm":{"roles":["a"]},"x.y/z":"b")"}});
  CHECK(list(nested, "realm.roles") == std::vector<std::string>{"a"});
  CHECK(list(nested, "x.y/z") == std::vector<std::string>{"b"});
  CHECK(list(nested, "groups").empty());
  CHECK(list(nested, "realm.roles.more").empty());
}

TEST_CASE("keys that are weak, of another kind or for another use are left out") {
  SignerForTest weak(Algorithm::kRs256, "weak", 1024);
  SignerForTest good(Algorithm::kRs256, "good");
  SignerForTest ec(Algorithm::kEs256, "ec");
  const std::string off_curve = absl::StrReplaceAll(ec.Jwk(), {{"\"y\":\"", "\"y\":\"A"}});
  auto keys = JsonWebKeys::Parse(absl::StrCat(
      "{\"keys\":[", weak.Jwk(), ",", good.Jwk(",\"use\":\"enc\""), ",", good.Jwk(",\"alg\":\"RS512\""), ",", off_curve,
      R"(,{"kty":"oct","k":"AAAA","kid":"good"},{"kty":"OKP","crv":"Ed25519","x":"AA"},)", ec.Jwk(), "]}"));
  REQUIRE_OK(keys);
  CHECK(keys->size() == 1);
  CHECK(keys->Has("ec"));
  CHECK_FALSE(keys->Has("good"));
  for (const char* text : {"", "[]", "{}", "{\"keys\":1}", "{\"keys\":[1]}"}) {
    CHECK(Reason(JsonWebKeys::Parse(text).status()) == "KEYS_MALFORMED");
  }
}

}  // namespace chartly::jwt
