// Keys in PEM files: a private key for its owner alone (0600), trusted public keys one after the other in one file.
// Pure functions of the file system; thread-safe. Every error names the file and what to do.
#ifndef CHARTLY_COMMON_CRYPTO_KEY_FILE_H_
#define CHARTLY_COMMON_CRYPTO_KEY_FILE_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/crypto/signing_key.h"

namespace chartly {

// Unavailable (KEY_FILE_FAILED) if it cannot be read, FailedPrecondition KEY_FILE_OPEN if others may read it,
// KEY_FILE_INVALID if it holds no private key.
absl::StatusOr<PrivateKey> ReadPrivateKey(const std::string& path);

// Makes the file with mode 0600 and all folders above it; durable on OK. AlreadyExists (KEY_FILE_EXISTS) and unchanged
// if there is a file: a key is never overwritten.
absl::Status WritePrivateKey(const std::string& path, const PrivateKey& key);

// The key in the file, or a new one if the file is absent. Of processes that start at once, all get the same key.
absl::StatusOr<PrivateKey> ReadOrMakePrivateKey(const std::string& path);

// One or more public keys; other text between them is skipped. FailedPrecondition (KEY_FILE_INVALID) if there is none,
// or one is not of Ed25519.
absl::StatusOr<std::vector<PublicKey>> ReadPublicKeys(const std::string& path);

// Makes the file, readable for all. AlreadyExists (KEY_FILE_EXISTS) if there is one.
absl::Status WritePublicKey(const std::string& path, const PublicKey& key);

}  // namespace chartly

#endif  // CHARTLY_COMMON_CRYPTO_KEY_FILE_H_
