// The sessions of browsers: begun with a key or by a person of the issuer of tokens, checked at each call, ended by
// hand, by time, or with the key. Only hashes of sessions are kept. All of them are also held in memory, so that a
// check costs no read.
//
// Thread-safe. docs/formats/keys.md says how they lie in the store.
#ifndef CHARTLY_CONTROL_AUTH_SESSION_BOOK_H_
#define CHARTLY_CONTROL_AUTH_SESSION_BOOK_H_

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "chartly/storage/v1/auth.pb.h"
#include "chartly/v1/auth.pb.h"
#include "common/clock/clock.h"
#include "common/rpc/caller.h"
#include "common/rpc/key_token.h"
#include "common/state/state_store.h"

namespace chartly::auth {

struct SessionTerms {
  absl::Duration idle = absl::Hours(1);   // without a call
  absl::Duration life = absl::Hours(12);  // whatever is done with it
  std::string issuer = {};                // at which people sign in; sessions of people of another one have ended
};

class SessionBook {
 public:
  static constexpr size_t kMaxSessions = 10000;
  // Of one key; one more ends the one that was used the longest ago.
  static constexpr size_t kMaxOfOneKey = 100;

  // Who has a key; called with the lock of the book.
  using FindKey = std::function<absl::StatusOr<rpc::Caller>(absl::string_view key_id, const rpc::KeyDigest& digest)>;

  // Reads the sessions that have not ended. DataLoss (STATE_DAMAGED) names an entry that cannot be read. Store, clock
  // and what `find_key` uses must outlive the book.
  static absl::StatusOr<std::unique_ptr<SessionBook>> Open(StateStore& store, const SessionTerms& terms,
                                                           FindKey find_key, Clock& clock);

  // The caller that a session of this key would have. Unauthenticated as rpc::CredentialDirectory::CheckKey; a session
  // is no key.
  absl::StatusOr<rpc::Caller> Identify(absl::string_view api_key) const;
  // Begins a session. Fails as Identify; ResourceExhausted (SESSIONS_TOO_MANY).
  absl::StatusOr<v1::Session> Begin(absl::string_view api_key);
  // Begins the session of somebody who signed in at the issuer of the terms; role and tenant stay as they are now.
  // ResourceExhausted (SESSIONS_TOO_MANY). Requires: the person has a role.
  absl::StatusOr<v1::Session> BeginFor(const rpc::Caller& person);
  // The caller behind a session; notes its use. Unauthenticated (SESSION_ENDED) if it, or its key, has ended.
  absl::StatusOr<rpc::Caller> Check(const rpc::KeyDigest& digest);
  // The session of a caller that has one. FailedPrecondition (NOT_SIGNED_IN).
  absl::StatusOr<v1::Session> Describe(const rpc::Caller& caller) const;
  // Ends it. FailedPrecondition (NOT_SIGNED_IN); twice is harmless.
  absl::Status End(const rpc::Caller& caller);

 private:
  using StoredSession = storage::v1::StoredSession;
  using Sessions = std::map<std::string, StoredSession>;  // by SHA-256 in hex

  SessionBook(StateStore& store, const SessionTerms& terms, FindKey find_key, Clock& clock)
      : store_(store), terms_(terms), find_key_(std::move(find_key)), clock_(clock) {}
  // Stores a session of `caller`, whose other fields are set.
  absl::StatusOr<v1::Session> Add(const rpc::Caller& caller, StoredSession session);
  // Whose session it is. Unauthenticated if nobody's any more.
  absl::StatusOr<rpc::Caller> HolderOf(const StoredSession& session) const;
  bool HasEnded(const StoredSession& session, absl::Time now) const;
  // What has to go before one more session of `key_digest` comes.
  std::vector<std::string> Superfluous(const std::string& key_digest, absl::Time now) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  v1::Session Message(const rpc::Caller& caller, const StoredSession& session) const;

  StateStore& store_;
  const SessionTerms terms_;
  const FindKey find_key_;
  Clock& clock_;
  mutable absl::Mutex mu_;
  Sessions sessions_ ABSL_GUARDED_BY(mu_);
};

}  // namespace chartly::auth

#endif  // CHARTLY_CONTROL_AUTH_SESSION_BOOK_H_
