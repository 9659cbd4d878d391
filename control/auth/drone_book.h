// Which drones are let in: join tokens, the enrolments that came of them, and the certificates of those.
//
// A drone has one enrolment at a time; its certificates name it. Joining again makes a new one, so that whoever holds a
// copy of the old identity is shut out. Thread-safe. docs/formats/keys.md says how it lies in the store.
#ifndef CHARTLY_CONTROL_AUTH_DRONE_BOOK_H_
#define CHARTLY_CONTROL_AUTH_DRONE_BOOK_H_

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
#include "common/rpc/drone_identity.h"
#include "common/state/state_store.h"
#include "common/x509/authority.h"

namespace chartly::auth {

class DroneBook {
 public:
  static constexpr size_t kMaxTokens = 10000;
  static constexpr size_t kMaxTokensOfTenant = 1000;  // of one that is not the default one
  static constexpr size_t kMaxDrones = 100000;
  static constexpr absl::Duration kDefaultTokenLife = absl::Hours(1);
  static constexpr absl::Duration kMaxTokenLife = absl::Hours(7 * 24);

  // Reads tokens and enrolments. DataLoss (STATE_DAMAGED) names an entry that cannot be read. `life` is how long a
  // certificate is good. Store and clock must outlive the book.
  static absl::StatusOr<std::unique_ptr<DroneBook>> Open(StateStore& store, x509::Authority authority,
                                                         absl::Duration life, Clock& clock);

  // InvalidArgument (FIELD_INVALID), ResourceExhausted (TOKENS_TOO_MANY), PermissionDenied (TENANT_NOT_YOURS).
  absl::StatusOr<v1::IssuedJoinToken> CreateToken(const v1::CreateJoinTokenRequest& request, const rpc::Caller& caller);
  // All for the default tenant, for any other its own.
  v1::ListJoinTokensResponse ListTokens(const rpc::Caller& caller) const;

  // The token of the request. Fails as Enroll if it is not good for this drone.
  absl::StatusOr<v1::JoinToken> TokenOf(const v1::EnrollDroneRequest& request) const;
  // Unauthenticated: JOIN_TOKEN_UNKNOWN, JOIN_TOKEN_EXPIRED, JOIN_TOKEN_USED, JOIN_TOKEN_OF_OTHER_DRONE; AlreadyExists
  // (DRONE_ENROLLED) if a token for any drone asks for the id of one that is let in already; InvalidArgument
  // (FIELD_INVALID, REQUEST_INVALID); ResourceExhausted (DRONES_TOO_MANY). The token is used up by success alone.
  absl::StatusOr<v1::DroneCertificate> Enroll(const v1::EnrollDroneRequest& request);
  // A new certificate for the enrolment of the caller. Unauthenticated as Check.
  absl::StatusOr<v1::DroneCertificate> Renew(const rpc::Caller& drone, const std::string& certificate_request);
  // Of the caller's tenant. NotFound (DRONE_NOT_ENROLLED).
  absl::StatusOr<v1::RevokeDroneResponse> Revoke(const std::string& name, const rpc::Caller& caller);
  // The caller behind a certificate. Unauthenticated: DRONE_UNKNOWN, DRONE_REVOKED, DRONE_REPLACED, DRONE_EXPIRED.
  absl::StatusOr<rpc::Caller> Check(const rpc::DroneIdentity& identity) const;

 private:
  using StoredJoinToken = storage::v1::StoredJoinToken;
  using StoredEnrollment = storage::v1::StoredEnrollment;

  DroneBook(StateStore& store, x509::Authority authority, absl::Duration life, Clock& clock)
      : store_(store), authority_(std::move(authority)), life_(life), clock_(clock) {}
  absl::Status Load();
  absl::StatusOr<StoredJoinToken> FindToken(const v1::EnrollDroneRequest& request) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // Under which a drone is kept: TENANT/ID; ID in the default tenant.
  std::string KeyOf(absl::string_view tenant, absl::string_view drone_id) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  absl::StatusOr<StoredEnrollment> FindEnrollment(absl::string_view key, absl::string_view enrollment) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  absl::StatusOr<v1::DroneCertificate> Certify(const std::string& key, const std::string& request,
                                               StoredEnrollment& enrollment) const;
  void ForgetEndedTokens() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  StateStore& store_;
  const x509::Authority authority_;
  const absl::Duration life_;
  Clock& clock_;
  mutable absl::Mutex mu_;
  std::map<std::string, StoredJoinToken> tokens_ ABSL_GUARDED_BY(mu_);                  // by id
  std::map<std::string, StoredEnrollment, std::less<>> enrolled_ ABSL_GUARDED_BY(mu_);  // by KeyOf
};

}  // namespace chartly::auth

#endif  // CHARTLY_CONTROL_AUTH_DRONE_BOOK_H_
