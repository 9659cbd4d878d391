// An issuer's key that signs, for tests.
#ifndef CHARTLY_COMMON_JWT_SIGNER_FOR_TEST_H_
#define CHARTLY_COMMON_JWT_SIGNER_FOR_TEST_H_

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/x509.h>

#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "common/jwt/json_web_key.h"
#include "common/jwt/token_text.h"

namespace chartly::jwt {

class SignerForTest {
 public:
  SignerForTest(Algorithm algorithm, std::string key_id, unsigned rsa_bits = 2048)
      : algorithm_(algorithm),
        key_id_(std::move(key_id)),
        key_(algorithm == Algorithm::kRs256 ? EVP_RSA_gen(rsa_bits) : EVP_EC_gen("P-256"), EVP_PKEY_free) {}

  const char* algorithm() const { return algorithm_ == Algorithm::kRs256 ? "RS256" : "ES256"; }
  // The public key as the issuer publishes it. `more` is further members, beginning with a comma.
  std::string Jwk(const std::string& more = "") const {
    const std::string head = absl::StrCat("{\"kid\":\"", key_id_, "\"", more);
    if (algorithm_ == Algorithm::kRs256) {
      return absl::StrCat(head, ",\"kty\":\"RSA\",\"n\":\"", Member(OSSL_PKEY_PARAM_RSA_N), "\",\"e\":\"",
                          Member(OSSL_PKEY_PARAM_RSA_E), "\"}");
    }
    return absl::StrCat(head, ",\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"", Member(OSSL_PKEY_PARAM_EC_PUB_X, 32),
                        "\",\"y\":\"", Member(OSSL_PKEY_PARAM_EC_PUB_Y, 32), "\"}");
  }
  std::string Token(const std::string& claims) const {
    return Signed(absl::StrCat("{\"alg\":\"", algorithm(), "\",\"kid\":\"", key_id_, "\"}"), claims);
  }
  // With any header, signed by what the key is for.
  std::string Signed(const std::string& header, const std::string& claims) const {
    const std::string text = absl::StrCat(Base64UrlEncode(header), ".", Base64UrlEncode(claims));
    return absl::StrCat(text, ".", Base64UrlEncode(Signature(text)));
  }
  // As an attacker would who takes the public key for the secret of HS256.
  std::string SignedWithPublicKey(const std::string& claims) const {
    unsigned char* der = nullptr;
    const int size = i2d_PUBKEY(key_.get(), &der);
    const std::string text = absl::StrCat(Base64UrlEncode(R"({"alg":"HS256"})"), ".", Base64UrlEncode(claims));
    unsigned char mac[EVP_MAX_MD_SIZE];
    unsigned mac_size = 0;
    HMAC(EVP_sha256(), der, size, reinterpret_cast<const unsigned char*>(text.data()), text.size(), mac, &mac_size);
    OPENSSL_free(der);
    return absl::StrCat(text, ".", Base64UrlEncode(absl::string_view(reinterpret_cast<char*>(mac), mac_size)));
  }

 private:
  std::string Member(const char* name, int size = 0) const {
    BIGNUM* number = nullptr;
    EVP_PKEY_get_bn_param(key_.get(), name, &number);
    std::string bytes(static_cast<size_t>(size > 0 ? size : BN_num_bytes(number)), '\0');
    BN_bn2binpad(number, reinterpret_cast<unsigned char*>(bytes.data()), static_cast<int>(bytes.size()));
    BN_free(number);
    return Base64UrlEncode(bytes);
  }
  std::string Signature(const std::string& text) const {
    EVP_MD_CTX* context = EVP_MD_CTX_new();
    EVP_DigestSignInit(context, nullptr, EVP_sha256(), nullptr, key_.get());
    std::string signature(1024, '\0');
    size_t size = signature.size();
    EVP_DigestSign(context, reinterpret_cast<unsigned char*>(signature.data()), &size,
                   reinterpret_cast<const unsigned char*>(text.data()), text.size());
    EVP_MD_CTX_free(context);
    signature.resize(size);
    return algorithm_ == Algorithm::kRs256 ? signature : PlainOf(signature);
  }
  // DER to R and S, one after the other.
  static std::string PlainOf(const std::string& der) {
    const auto* bytes = reinterpret_cast<const unsigned char*>(der.data());
    ECDSA_SIG* both = d2i_ECDSA_SIG(nullptr, &bytes, static_cast<long>(der.size()));
    std::string plain(64, '\0');
    BN_bn2binpad(ECDSA_SIG_get0_r(both), reinterpret_cast<unsigned char*>(plain.data()), 32);
    BN_bn2binpad(ECDSA_SIG_get0_s(both), reinterpret_cast<unsigned char*>(plain.data()) + 32, 32);
    ECDSA_SIG_free(both);
    return plain;
  }

  const Algorithm algorithm_;
  const std::string key_id_;
  const std::shared_ptr<EVP_PKEY> key_;
};

}  // namespace chartly::jwt

#endif  // CHARTLY_COMMON_JWT_SIGNER_FOR_TEST_H_
