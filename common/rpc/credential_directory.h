// Where keys, sessions, tokens and drones that the deployment did not come with are looked up: in the store of this
// process, or at the part that keeps them.
#ifndef CHARTLY_COMMON_RPC_CREDENTIAL_DIRECTORY_H_
#define CHARTLY_COMMON_RPC_CREDENTIAL_DIRECTORY_H_

#include <functional>
#include <map>
#include <string>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "common/clock/clock.h"
#include "common/rpc/caller.h"
#include "common/rpc/drone_identity.h"
#include "common/rpc/key_token.h"

namespace chartly::rpc {

class Peers;

// What everyone hears who shows a key that is none: API_KEY_UNKNOWN.
absl::Status UnknownKey();

// The caller behind a good certificate.
Caller DroneCaller(const DroneIdentity& identity, absl::string_view tenant);

// Thread-safe.
class CredentialDirectory {
 public:
  virtual ~CredentialDirectory() = default;
  // The caller behind a key. Unauthenticated: API_KEY_UNKNOWN, or, for whoever has a right secret, API_KEY_EXPIRED or
  // API_KEY_REVOKED. Unavailable (CREDENTIALS_UNREACHABLE) if nobody can tell.
  virtual absl::StatusOr<Caller> CheckKey(absl::string_view key_id, const KeyDigest& digest) = 0;
  // The caller behind the session of a browser. Unauthenticated (SESSION_ENDED) if it, or the key that it was made
  // with, has ended. Unavailable (CREDENTIALS_UNREACHABLE) if nobody can tell.
  virtual absl::StatusOr<Caller> CheckSession(const KeyDigest& digest) = 0;
  // The caller behind a signed token. Unauthenticated: TOKENS_NOT_TAKEN where there is no issuer, else TOKEN_MALFORMED,
  // TOKEN_ALGORITHM_REFUSED, TOKEN_KEY_UNKNOWN, TOKEN_SIGNATURE_WRONG, TOKEN_ISSUER_WRONG, TOKEN_AUDIENCE_WRONG,
  // TOKEN_EXPIRED, TOKEN_NOT_YET_VALID. Unavailable (ISSUER_UNREACHABLE, CREDENTIALS_UNREACHABLE) if nobody can tell.
  virtual absl::StatusOr<Caller> CheckToken(absl::string_view token) = 0;
  // The drone behind a certificate whose signature and times the connection has checked. Unauthenticated:
  // DRONE_UNKNOWN, DRONE_REVOKED, DRONE_REPLACED, DRONE_EXPIRED. Unavailable (CREDENTIALS_UNREACHABLE) if nobody can
  // tell.
  virtual absl::StatusOr<Caller> CheckDrone(const DroneIdentity& identity) = 0;
};

// Asks the auth part and remembers each answer for kFresh, so that what was revoked is refused here at most that much
// later. While the auth part does not answer, good answers serve for kStale. Memory is bounded by kMaxEntries.
class PeerCredentialDirectory final : public CredentialDirectory {
 public:
  static constexpr absl::Duration kFresh = absl::Seconds(5);
  static constexpr absl::Duration kStale = absl::Seconds(60);
  static constexpr size_t kMaxEntries = 4096;

  // What the auth part is asked.
  struct Questions {
    std::function<absl::StatusOr<Caller>(absl::string_view key_id, const KeyDigest& digest)> key;
    std::function<absl::StatusOr<Caller>(const KeyDigest& digest)> session;
    std::function<absl::StatusOr<Caller>(absl::string_view token)> token;
    std::function<absl::StatusOr<Caller>(const DroneIdentity& identity)> drone;
  };

  // Both must outlive it.
  PeerCredentialDirectory(const Peers& peers, Clock& clock);
  // `ask` in place of the auth part.
  PeerCredentialDirectory(Questions ask, Clock& clock) : ask_(std::move(ask)), clock_(clock) {}

  absl::StatusOr<Caller> CheckKey(absl::string_view key_id, const KeyDigest& digest) override;
  absl::StatusOr<Caller> CheckSession(const KeyDigest& digest) override;
  absl::StatusOr<Caller> CheckToken(absl::string_view token) override;
  absl::StatusOr<Caller> CheckDrone(const DroneIdentity& identity) override;
  // Answers that are remembered.
  size_t size() const;

 private:
  struct Entry {
    absl::StatusOr<Caller> answer;
    absl::Time asked;
  };

  // The answer of `ask`, or the one that is remembered under `id`. Blocks on the auth part if there is none.
  absl::StatusOr<Caller> Recall(const std::string& id, const std::function<absl::StatusOr<Caller>()>& ask);
  absl::StatusOr<Caller> Remember(const std::string& id, absl::StatusOr<Caller> answer, absl::Time now);

  const Questions ask_;
  Clock& clock_;
  mutable absl::Mutex mu_;
  std::map<std::string, Entry> entries_ ABSL_GUARDED_BY(mu_);
};

}  // namespace chartly::rpc

#endif  // CHARTLY_COMMON_RPC_CREDENTIAL_DIRECTORY_H_
