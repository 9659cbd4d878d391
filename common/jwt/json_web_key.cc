#include "common/jwt/json_web_key.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/param_build.h>
#include <simdjson.h>

#include "absl/strings/str_cat.h"
#include "common/handle/handle.h"
#include "common/jwt/token_text.h"
#include "common/status/status.h"

namespace chartly::jwt {
namespace {

using Number = std::unique_ptr<BIGNUM, FreedBy<BN_free>>;
using ParamBuilder = std::unique_ptr<OSSL_PARAM_BLD, FreedBy<OSSL_PARAM_BLD_free>>;
using Params = std::unique_ptr<OSSL_PARAM, FreedBy<OSSL_PARAM_free>>;
using KeyContext = std::unique_ptr<EVP_PKEY_CTX, FreedBy<EVP_PKEY_CTX_free>>;
using DigestContext = std::unique_ptr<EVP_MD_CTX, FreedBy<EVP_MD_CTX_free>>;
using EcdsaSignature = std::unique_ptr<ECDSA_SIG, FreedBy<ECDSA_SIG_free>>;

constexpr int kMinRsaBits = 2048;
constexpr int kMaxRsaBits = 8192;
constexpr size_t kCoordinateBytes = 32;
constexpr char kCurve[] = "prime256v1";

const unsigned char* Bytes(absl::string_view text) { return reinterpret_cast<const unsigned char*>(text.data()); }

Number NumberOf(absl::string_view bytes) {
  return Number(BN_bin2bn(Bytes(bytes), static_cast<int>(bytes.size()), nullptr));
}

std::shared_ptr<EVP_PKEY> KeyOf(const char* type, OSSL_PARAM_BLD* builder) {
  const Params params(OSSL_PARAM_BLD_to_param(builder));
  const KeyContext context(EVP_PKEY_CTX_new_from_name(nullptr, type, nullptr));
  EVP_PKEY* key = nullptr;
  const bool made = params != nullptr && context != nullptr && EVP_PKEY_fromdata_init(context.get()) == 1 &&
                    EVP_PKEY_fromdata(context.get(), &key, EVP_PKEY_PUBLIC_KEY, params.get()) == 1;
  ERR_clear_error();
  if (!made) return nullptr;
  return std::shared_ptr<EVP_PKEY>(key, EVP_PKEY_free);
}

std::shared_ptr<EVP_PKEY> RsaKey(absl::string_view modulus, absl::string_view exponent) {
  const Number n = NumberOf(modulus);
  const Number e = NumberOf(exponent);
  if (n == nullptr || e == nullptr) return nullptr;
  const int bits = BN_num_bits(n.get());
  const bool sound = bits >= kMinRsaBits && bits <= kMaxRsaBits && BN_num_bits(e.get()) >= 17 &&
                     BN_num_bits(e.get()) <= 64 && BN_is_odd(e.get()) == 1;
  if (!sound) return nullptr;
  const ParamBuilder builder(OSSL_PARAM_BLD_new());
  if (OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_N, n.get()) != 1 ||
      OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_E, e.get()) != 1) {
    return nullptr;
  }
  return KeyOf("RSA", builder.get());
}

// Null too if the point is not on the curve.
std::shared_ptr<EVP_PKEY> EcKey(absl::string_view x, absl::string_view y) {
  if (x.size() != kCoordinateBytes || y.size() != kCoordinateBytes) return nullptr;
  const std::string point = absl::StrCat("\x04", x, y);
  const ParamBuilder builder(OSSL_PARAM_BLD_new());
  if (OSSL_PARAM_BLD_push_utf8_string(builder.get(), OSSL_PKEY_PARAM_GROUP_NAME, kCurve, 0) != 1 ||
      OSSL_PARAM_BLD_push_octet_string(builder.get(), OSSL_PKEY_PARAM_PUB_KEY, point.data(), point.size()) != 1) {
    return nullptr;
  }
  return KeyOf("EC", builder.get());
}

std::string MemberBytes(const simdjson::dom::object& object, absl::string_view name) {
  return Base64UrlDecode(MemberText(object, name).value_or("")).value_or("");
}

// RFC 7518 writes R and S one after the other, 32 bytes each; OpenSSL takes them in DER.
std::string DerOf(absl::string_view signature) {
  if (signature.size() != 2 * kCoordinateBytes) return "";
  const EcdsaSignature both(ECDSA_SIG_new());
  Number r = NumberOf(signature.substr(0, kCoordinateBytes));
  Number s = NumberOf(signature.substr(kCoordinateBytes));
  if (both == nullptr || r == nullptr || s == nullptr) return "";
  if (ECDSA_SIG_set0(both.get(), r.get(), s.get()) != 1) return "";
  (void)r.release();
  (void)s.release();
  unsigned char* out = nullptr;
  const int size = i2d_ECDSA_SIG(both.get(), &out);
  if (size <= 0) return "";
  std::string der(reinterpret_cast<char*>(out), static_cast<size_t>(size));
  OPENSSL_free(out);
  return der;
}

}  // namespace

absl::StatusOr<JsonWebKeys> JsonWebKeys::Parse(const std::string& json) {
  const auto malformed = [](absl::string_view what) {
    return Error(absl::StatusCode::kInvalidArgument, "KEYS_MALFORMED", what);
  };
  simdjson::dom::parser parser;
  simdjson::dom::array list;
  if (parser.parse(json)["keys"].get(list) != simdjson::SUCCESS) {
    return malformed("the keys of the issuer are not {\"keys\":[...]}");
  }
  if (list.size() > kMaxKeys) return malformed(absl::StrCat("the issuer has more than ", kMaxKeys, " keys"));
  JsonWebKeys keys;
  for (const simdjson::dom::element element : list) {
    simdjson::dom::object object;
    if (element.get(object) != simdjson::SUCCESS) return malformed("a key of the issuer is no object");
    if (MemberText(object, "use").value_or("sig") != "sig") continue;
    const std::string type = MemberText(object, "kty").value_or("");
    const bool is_rsa = type == "RSA";
    if (!is_rsa && !(type == "EC" && MemberText(object, "crv").value_or("") == "P-256")) continue;
    const char* const algorithm = is_rsa ? "RS256" : "ES256";
    if (MemberText(object, "alg").value_or(algorithm) != algorithm) continue;
    std::shared_ptr<EVP_PKEY> key = is_rsa ? RsaKey(MemberBytes(object, "n"), MemberBytes(object, "e"))
                                           : EcKey(MemberBytes(object, "x"), MemberBytes(object, "y"));
    if (key == nullptr) continue;
    keys.keys_.push_back(
        {MemberText(object, "kid").value_or(""), is_rsa ? Algorithm::kRs256 : Algorithm::kEs256, std::move(key)});
  }
  return keys;
}

bool JsonWebKeys::Has(absl::string_view key_id) const {
  for (const Key& key : keys_) {
    if (key_id.empty() || key.id == key_id) return true;
  }
  return false;
}

absl::StatusOr<const JsonWebKeys::Key*> JsonWebKeys::Find(absl::string_view key_id, Algorithm algorithm) const {
  const Key* found = nullptr;
  bool other_algorithm = false;
  for (const Key& key : keys_) {
    if (!key_id.empty() && key.id != key_id) continue;
    if (key.algorithm != algorithm) {
      other_algorithm = true;
    } else if (found != nullptr) {
      return Refused("TOKEN_KEY_UNKNOWN", "several keys of the issuer could have signed the token; it has to name one");
    } else {
      found = &key;
    }
  }
  if (found != nullptr) return found;
  if (other_algorithm && !key_id.empty()) {
    return Refused("TOKEN_ALGORITHM_REFUSED", "the key that the token names is not one for its algorithm");
  }
  return Refused("TOKEN_KEY_UNKNOWN", "the token is signed with a key that the issuer does not publish");
}

absl::Status JsonWebKeys::Verify(absl::string_view key_id, Algorithm algorithm, absl::string_view text,
                                 absl::string_view signature) const {
  ASSIGN_OR_RETURN(const Key* key, Find(key_id, algorithm));
  const std::string checked = algorithm == Algorithm::kEs256 ? DerOf(signature) : std::string(signature);
  const DigestContext context(EVP_MD_CTX_new());
  const bool good = !checked.empty() &&
                    EVP_DigestVerifyInit(context.get(), nullptr, EVP_sha256(), nullptr, key->key.get()) == 1 &&
                    EVP_DigestVerify(context.get(), Bytes(checked), checked.size(), Bytes(text), text.size()) == 1;
  ERR_clear_error();
  if (good) return absl::OkStatus();
  return Refused("TOKEN_SIGNATURE_WRONG", "the signature of the token is wrong");
}

}  // namespace chartly::jwt
