// Who a caller is, from what a call shows.
#ifndef CHARTLY_COMMON_RPC_AUTHENTICATOR_H_
#define CHARTLY_COMMON_RPC_AUTHENTICATOR_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/rpc/caller.h"
#include "common/rpc/key_token.h"

namespace chartly::rpc {

// What a call shows of its maker. Views into the call.
struct Credentials {
  // A key, a session, or a signed token: the text tells which.
  absl::string_view api_key;
  // Who the certificate of the connection is for, verified; empty without one.
  absl::string_view identity;
};

class CredentialDirectory;

// A key that comes with the deployment and not out of the store of keys.
struct DeploymentKey {
  std::string principal;
  std::string key;
  Role role = Role::kAdmin;
};

// Thread-safe.
class Authenticator {
 public:
  virtual ~Authenticator() = default;
  // Anonymous if nothing is shown; Unauthenticated (API_KEY_UNKNOWN, or what CredentialDirectory says) for a wrong
  // credential. Request id and address are left empty.
  virtual absl::StatusOr<Caller> Authenticate(const Credentials& credentials) const = 0;
  // The caller behind a key of which only the id (empty for one of the deployment) and the SHA-256 are known.
  virtual absl::StatusOr<Caller> AuthenticateKey(absl::string_view key_id, const KeyDigest& digest) const = 0;
};

// Knows the keys of the deployment, of which it keeps only the SHA-256, and asks a directory for all others. A key goes
// before a certificate: parts show both.
class KeyAuthenticator final : public Authenticator {
 public:
  // Empty keys are left out. `anonymous` is what callers without a key may do.
  explicit KeyAuthenticator(const std::vector<DeploymentKey>& keys, Role anonymous = Role::kViewer);
  // Where other keys and drones are looked up; without it there are none. It must outlive the authenticator. Requires:
  // before the first call.
  void SetDirectory(CredentialDirectory& directory) { directory_ = &directory; }
  absl::StatusOr<Caller> Authenticate(const Credentials& credentials) const override;
  absl::StatusOr<Caller> AuthenticateKey(absl::string_view key_id, const KeyDigest& digest) const override;

 private:
  struct Entry {
    std::string principal;
    Role role;
    KeyDigest digest;
  };
  std::vector<Entry> entries_;
  const Role anonymous_;
  CredentialDirectory* directory_ = nullptr;
};

// The admin key in `path`: read, or made (256 bit, mode 0600, fsynced) if the file is absent. FailedPrecondition
// (KEY_FILE_OPEN) if others may read the file.
absl::StatusOr<std::string> LoadOrCreateAdminKey(const std::string& path);

}  // namespace chartly::rpc

#endif  // CHARTLY_COMMON_RPC_AUTHENTICATOR_H_
