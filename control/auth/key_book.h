// The API keys of people and programs: made, listed, rotated, revoked, and checked at each call. Only hashes of secrets
// are kept. All keys are also held in memory, so that a check costs no read.
//
// Thread-safe. docs/formats/keys.md says how they lie in the store.
#ifndef CHARTLY_CONTROL_AUTH_KEY_BOOK_H_
#define CHARTLY_CONTROL_AUTH_KEY_BOOK_H_

#include <map>
#include <memory>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "chartly/storage/v1/auth.pb.h"
#include "chartly/v1/auth.pb.h"
#include "common/clock/clock.h"
#include "common/rpc/caller.h"
#include "common/rpc/key_token.h"
#include "common/state/state_store.h"

namespace chartly::auth {

class KeyBook {
 public:
  // Ended keys count too: their ids stay taken, so that an id in the audit log means one key.
  static constexpr size_t kMaxKeys = 10000;
  static constexpr size_t kMaxKeysOfTenant = 1000;  // of one that is not the default one
  static constexpr absl::Duration kDefaultLife = absl::Hours(90 * 24);
  static constexpr absl::Duration kMaxLife = absl::Hours(400 * 24);
  static constexpr absl::Duration kDefaultOverlap = absl::Hours(24);
  static constexpr absl::Duration kMaxOverlap = absl::Hours(30 * 24);

  // Reads all keys. DataLoss (STATE_DAMAGED) names an entry that cannot be read. Both must outlive the book.
  static absl::StatusOr<std::unique_ptr<KeyBook>> Open(StateStore& store, Clock& clock);

  // For the default tenant there are the keys of all tenants, for any other only its own; for who is bound to projects,
  // the keys of its tenant that are bound to some of the same.
  // InvalidArgument (FIELD_INVALID, ROLE_UNKNOWN), AlreadyExists (KEY_EXISTS), ResourceExhausted (KEYS_TOO_MANY),
  // PermissionDenied (TENANT_NOT_YOURS, PROJECT_NOT_YOURS).
  absl::StatusOr<v1::IssuedKey> Create(const v1::CreateKeyRequest& request, const rpc::Caller& caller);
  absl::StatusOr<v1::ListKeysResponse> List(const v1::ListKeysRequest& request, const rpc::Caller& caller) const;
  // NotFound (KEY_NOT_FOUND), FailedPrecondition (KEY_ENDED).
  absl::StatusOr<v1::IssuedKey> Rotate(const v1::RotateKeyRequest& request, const rpc::Caller& caller);
  // NotFound (KEY_NOT_FOUND).
  absl::StatusOr<v1::ApiKey> Revoke(const v1::RevokeKeyRequest& request, const rpc::Caller& caller);
  // Also notes the use, to the hour.
  absl::StatusOr<rpc::Caller> CheckKey(absl::string_view key_id, const rpc::KeyDigest& digest);

 private:
  using StoredKey = storage::v1::StoredKey;

  KeyBook(StateStore& store, Clock& clock) : store_(store), clock_(clock) {}
  absl::StatusOr<StoredKey> Find(const std::string& name, const rpc::Caller& caller) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // ResourceExhausted (KEYS_TOO_MANY).
  absl::Status CheckRoom(absl::string_view tenant) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // Makes it durable, then visible.
  absl::Status Put(const StoredKey& stored) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void NoteUse(StoredKey& stored, absl::Time now) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  StateStore& store_;
  Clock& clock_;
  mutable absl::Mutex mu_;
  std::map<std::string, StoredKey, std::less<>> keys_ ABSL_GUARDED_BY(mu_);  // by id
};

}  // namespace chartly::auth

#endif  // CHARTLY_CONTROL_AUTH_KEY_BOOK_H_
