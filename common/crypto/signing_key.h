// Ed25519 keys (RFC 8032): sign, verify, name a key, and keep it in a PEM file.
//
// Keys are cheap to copy (copies share one key) and thread-safe. No error shows a private key.
#ifndef CHARTLY_COMMON_CRYPTO_SIGNING_KEY_H_
#define CHARTLY_COMMON_CRYPTO_SIGNING_KEY_H_

#include <openssl/types.h>

#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace chartly {

inline constexpr size_t kSignatureBytes = 64;

class PublicKey {
 public:
  static constexpr size_t kBytes = 32;

  // InvalidArgument (KEY_INVALID) unless these are kBytes bytes.
  static absl::StatusOr<PublicKey> FromBytes(absl::string_view bytes);
  // The first key of a PEM text ("PUBLIC KEY"). InvalidArgument (KEY_INVALID) if it holds none of Ed25519.
  static absl::StatusOr<PublicKey> FromPem(absl::string_view pem);

  // Unauthenticated (SIGNATURE_INVALID), naming this key, unless its private half signed exactly this message.
  absl::Status Verify(absl::string_view message, absl::string_view signature) const;
  // The 32 bytes of RFC 8032.
  const std::string& bytes() const { return bytes_; }
  // Names the key in files, events and errors: the first 16 hex digits of the SHA-256 of its bytes.
  const std::string& id() const { return id_; }
  std::string Pem() const;
  bool operator==(const PublicKey& other) const { return bytes_ == other.bytes_; }

 private:
  friend class PrivateKey;
  explicit PublicKey(std::shared_ptr<EVP_PKEY> key);

  std::shared_ptr<EVP_PKEY> key_;
  std::string bytes_;
  std::string id_;
};

class PrivateKey {
 public:
  static constexpr size_t kSeedBytes = 32;

  static absl::StatusOr<PrivateKey> Generate();
  // The key that RFC 8032 derives from a seed. InvalidArgument (KEY_INVALID) unless it has kSeedBytes bytes.
  static absl::StatusOr<PrivateKey> FromSeed(absl::string_view seed);
  // InvalidArgument (KEY_INVALID) if the text holds no unencrypted Ed25519 "PRIVATE KEY".
  static absl::StatusOr<PrivateKey> FromPem(absl::string_view pem);

  // kSignatureBytes bytes; the same for the same message.
  std::string Sign(absl::string_view message) const;
  const PublicKey& public_key() const { return public_; }
  // Secret.
  std::string Pem() const;

 private:
  explicit PrivateKey(std::shared_ptr<EVP_PKEY> key) : public_(std::move(key)) {}

  PublicKey public_;  // shares the pair
};

}  // namespace chartly

#endif  // CHARTLY_COMMON_CRYPTO_SIGNING_KEY_H_
