// The public keys of an issuer of tokens (RFC 7517): RSA of 2048 to 8192 bits for RS256, P-256 for ES256. Keys of
// another kind or for another use are left out, as the standard asks.
//
// Copies share the keys. Thread-safe.
#ifndef CHARTLY_COMMON_JWT_JSON_WEB_KEY_H_
#define CHARTLY_COMMON_JWT_JSON_WEB_KEY_H_

#include <openssl/evp.h>

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace chartly::jwt {

enum class Algorithm { kRs256, kEs256 };

class JsonWebKeys {
 public:
  static constexpr size_t kMaxKeys = 100;

  // Reads {"keys":[...]}. InvalidArgument (KEYS_MALFORMED) if it is no such text or has too many keys. A key that
  // cannot be used is left out.
  static absl::StatusOr<JsonWebKeys> Parse(const std::string& json);

  bool Has(absl::string_view key_id) const;
  size_t size() const { return keys_.size(); }

  // Whether the key of that id, which has to be one for `algorithm`, made `signature` over `text`. Without an id, the
  // only key for the algorithm is taken. Unauthenticated: TOKEN_KEY_UNKNOWN, TOKEN_ALGORITHM_REFUSED,
  // TOKEN_SIGNATURE_WRONG.
  absl::Status Verify(absl::string_view key_id, Algorithm algorithm, absl::string_view text,
                      absl::string_view signature) const;

 private:
  struct Key {
    std::string id;
    Algorithm algorithm;
    std::shared_ptr<EVP_PKEY> key;
  };

  absl::StatusOr<const Key*> Find(absl::string_view key_id, Algorithm algorithm) const;

  std::vector<Key> keys_;
};

}  // namespace chartly::jwt

#endif  // CHARTLY_COMMON_JWT_JSON_WEB_KEY_H_
