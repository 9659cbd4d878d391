#include "control/auth/drone_book.h"

#include <openssl/rand.h>

#include <algorithm>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "common/profile/profile.h"
#include "common/rpc/credential_directory.h"
#include "common/rpc/drone_identity.h"
#include "common/rpc/key_token.h"
#include "common/status/status.h"
#include "common/x509/certificate.h"
#include "control/auth/tenant_choice.h"
#include "google/protobuf/util/time_util.h"

namespace chartly::auth {
namespace {

using google::protobuf::Timestamp;
using google::protobuf::util::TimeUtil;

constexpr char kTokens[] = "token/";
constexpr char kDrones[] = "drone/";
constexpr char kTokenNames[] = "joinTokens/";
constexpr char kTokenPrefix[] = "chj";

Timestamp ToTimestamp(absl::Time time) { return TimeUtil::MicrosecondsToTimestamp(absl::ToUnixMicros(time)); }
absl::Time ToTime(const Timestamp& time) { return absl::FromUnixMicros(TimeUtil::TimestampToMicroseconds(time)); }

absl::Status Invalid(absl::string_view field, absl::string_view message) {
  return Error(absl::StatusCode::kInvalidArgument, "FIELD_INVALID", absl::StrCat(field, ": ", message),
               {{"field", field}});
}

absl::Status Refused(absl::string_view reason, absl::string_view message) {
  return Error(absl::StatusCode::kUnauthenticated, reason, message);
}

absl::StatusOr<std::string> RandomHex(size_t bytes) {
  std::string random(bytes, '\0');
  if (RAND_bytes(reinterpret_cast<unsigned char*>(random.data()), static_cast<int>(bytes)) != 1) {
    return absl::InternalError("no random bytes for a token");
  }
  return absl::BytesToHexString(random);
}

absl::Status CheckDroneId(absl::string_view id) {
  if (IsValidId(id)) return absl::OkStatus();
  return Invalid("drone_id",
                 "use lower-case letters, digits, '.', '_' and '-', at most 63, beginning with a letter or digit");
}

template <typename Message>
absl::StatusOr<Message> Decode(const StateEntry& entry) {
  Message message;
  if (message.ParseFromString(entry.value)) return message;
  return Error(absl::StatusCode::kDataLoss, "STATE_DAMAGED",
               absl::StrCat("entry '", entry.key, "' of auth is damaged; restore the store from a backup"),
               {{"key", entry.key}});
}

// chj_ID_SECRET_FINGERPRINT
absl::string_view TokenIdOf(absl::string_view secret) {
  const std::vector<absl::string_view> parts = absl::StrSplit(secret, '_');
  return parts.size() == 4 && parts[0] == kTokenPrefix ? parts[1] : "";
}

}  // namespace

absl::StatusOr<std::unique_ptr<DroneBook>> DroneBook::Open(StateStore& store, x509::Authority authority,
                                                           absl::Duration life, Clock& clock) {
  std::unique_ptr<DroneBook> book(new DroneBook(store, std::move(authority), life, clock));
  RETURN_IF_ERROR(book->Load());
  return book;
}

absl::Status DroneBook::Load() {
  ASSIGN_OR_RETURN(std::vector<StateEntry> tokens, store_.Range(kTokens));
  ASSIGN_OR_RETURN(std::vector<StateEntry> drones, store_.Range(kDrones));
  absl::MutexLock lock(&mu_);
  for (const StateEntry& entry : tokens) {
    ASSIGN_OR_RETURN(tokens_[entry.key.substr(sizeof(kTokens) - 1)], Decode<StoredJoinToken>(entry));
  }
  for (const StateEntry& entry : drones) {
    ASSIGN_OR_RETURN(enrolled_[entry.key.substr(sizeof(kDrones) - 1)], Decode<StoredEnrollment>(entry));
  }
  return absl::OkStatus();
}

absl::StatusOr<v1::IssuedJoinToken> DroneBook::CreateToken(const v1::CreateJoinTokenRequest& request,
                                                           const rpc::Caller& caller) {
  if (!request.drone_id().empty()) RETURN_IF_ERROR(CheckDroneId(request.drone_id()));
  ASSIGN_OR_RETURN(const std::string tenant, ChooseTenant(request.tenant(), caller));
  const absl::Duration life = request.ttl_seconds() == 0 ? kDefaultTokenLife : absl::Seconds(request.ttl_seconds());
  if (life < absl::ZeroDuration() || life > kMaxTokenLife) {
    return Invalid("ttl_seconds", "at least 1 and at most 604800 (a week)");
  }
  ASSIGN_OR_RETURN(const std::string id, RandomHex(8));
  ASSIGN_OR_RETURN(const std::string random, RandomHex(32));
  ASSIGN_OR_RETURN(const std::string fingerprint, x509::FingerprintOf(authority_.certificate()));
  v1::IssuedJoinToken issued;
  issued.set_secret(absl::StrCat(kTokenPrefix, "_", id, "_", random, "_", fingerprint));
  v1::JoinToken& token = *issued.mutable_join_token();
  token.set_name(absl::StrCat(kTokenNames, id));
  token.set_drone_id(request.drone_id());
  token.set_created_by(caller.principal);
  token.set_tenant(tenant);
  *token.mutable_expire_time() = ToTimestamp(clock_.Now() + life);
  StoredJoinToken stored;
  *stored.mutable_join_token() = token;
  stored.set_digest(std::string(rpc::AsText(rpc::DigestOf(issued.secret()))));
  absl::MutexLock lock(&mu_);
  ForgetEndedTokens();
  const bool is_default = tenant == rpc::kDefaultTenant;
  const auto is_of_tenant = [&](const auto& entry) { return entry.second.join_token().tenant() == tenant; };
  const size_t of_tenant = is_default ? 0 : std::count_if(tokens_.begin(), tokens_.end(), is_of_tenant);
  if (tokens_.size() >= kMaxTokens || of_tenant >= kMaxTokensOfTenant) {
    return Error(absl::StatusCode::kResourceExhausted, "TOKENS_TOO_MANY",
                 absl::StrCat("there are ", is_default ? kMaxTokens : kMaxTokensOfTenant,
                              " join tokens already; wait until some expire"));
  }
  StateTransaction transaction;
  transaction.puts = {{kTokens + id, stored.SerializeAsString()}};
  RETURN_IF_ERROR(store_.Commit(transaction).status());
  tokens_[id] = std::move(stored);
  return issued;
}

// A used token is kept for as long as it would have been good, so that its second use is told from a wrong token.
void DroneBook::ForgetEndedTokens() {
  StateTransaction transaction;
  for (const auto& [id, token] : tokens_) {
    if (clock_.Now() >= ToTime(token.join_token().expire_time())) transaction.deletes.push_back(kTokens + id);
  }
  if (transaction.deletes.empty() || !store_.Commit(transaction).ok()) return;
  for (const std::string& key : transaction.deletes) tokens_.erase(key.substr(sizeof(kTokens) - 1));
}

v1::ListJoinTokensResponse DroneBook::ListTokens(const rpc::Caller& caller) const {
  v1::ListJoinTokensResponse response;
  absl::MutexLock lock(&mu_);
  for (const auto& [id, token] : tokens_) {
    const bool is_open = token.used_by().empty() && clock_.Now() < ToTime(token.join_token().expire_time());
    const bool is_seen = caller.tenant == rpc::kDefaultTenant || caller.tenant == token.join_token().tenant();
    if (is_open && is_seen) *response.add_join_tokens() = token.join_token();
  }
  return response;
}

absl::StatusOr<storage::v1::StoredJoinToken> DroneBook::FindToken(const v1::EnrollDroneRequest& request) const {
  auto found = tokens_.find(std::string(TokenIdOf(request.join_token())));
  const rpc::KeyDigest digest = rpc::DigestOf(request.join_token());
  if (found == tokens_.end() || !rpc::SameDigest(found->second.digest(), rpc::AsText(digest))) {
    return Refused("JOIN_TOKEN_UNKNOWN", "the join token is not known here; ask an admin for one");
  }
  const StoredJoinToken& token = found->second;
  if (!token.used_by().empty()) {
    return Refused("JOIN_TOKEN_USED", absl::StrCat("drone ", token.used_by(),
                                                   " has joined with this token; if that was not you, revoke it"));
  }
  if (clock_.Now() >= ToTime(token.join_token().expire_time())) {
    return Refused("JOIN_TOKEN_EXPIRED", "the join token has expired; ask an admin for another");
  }
  const std::string& bound = token.join_token().drone_id();
  if (!bound.empty() && bound != request.drone_id()) {
    return Refused("JOIN_TOKEN_OF_OTHER_DRONE", "the join token is for another drone");
  }
  return token;
}

absl::StatusOr<v1::DroneCertificate> DroneBook::Certify(const std::string& key, const std::string& request,
                                                        StoredEnrollment& enrollment) const {
  x509::CertificateTerms terms;
  const bool is_plain = key.find('/') == key.npos;
  terms.uri = rpc::UriOf(
      {key.substr(key.find('/') + 1), enrollment.enrollment(), is_plain ? rpc::kDefaultTenant : enrollment.tenant()});
  terms.not_before = clock_.Now();
  terms.not_after = terms.not_before + life_;
  v1::DroneCertificate answer;
  ASSIGN_OR_RETURN(*answer.mutable_certificate(), authority_.Sign(request, terms));
  answer.set_authority(authority_.certificate());
  *answer.mutable_expire_time() = ToTimestamp(terms.not_after);
  *enrollment.mutable_expire_time() = answer.expire_time();
  return answer;
}

absl::StatusOr<v1::JoinToken> DroneBook::TokenOf(const v1::EnrollDroneRequest& request) const {
  RETURN_IF_ERROR(CheckDroneId(request.drone_id()));
  absl::MutexLock lock(&mu_);
  ASSIGN_OR_RETURN(const StoredJoinToken token, FindToken(request));
  return token.join_token();
}

absl::StatusOr<v1::DroneCertificate> DroneBook::Enroll(const v1::EnrollDroneRequest& request) {
  RETURN_IF_ERROR(CheckDroneId(request.drone_id()));
  absl::MutexLock lock(&mu_);
  ASSIGN_OR_RETURN(StoredJoinToken token, FindToken(request));
  const std::string key = KeyOf(token.join_token().tenant(), request.drone_id());
  auto before = enrolled_.find(key);
  const bool is_in = before != enrolled_.end() && !before->second.has_revoke_time() &&
                     clock_.Now() < ToTime(before->second.expire_time());
  if (is_in && token.join_token().drone_id().empty()) {
    return Error(absl::StatusCode::kAlreadyExists, "DRONE_ENROLLED",
                 absl::StrCat("there is a drone ", request.drone_id(),
                              " already; choose another id, or ask for a token for this drone by name"),
                 {{"drone", request.drone_id()}});
  }
  if (before == enrolled_.end() && enrolled_.size() >= kMaxDrones) {
    return Error(absl::StatusCode::kResourceExhausted, "DRONES_TOO_MANY",
                 absl::StrCat("there are ", kMaxDrones, " drones already"));
  }
  StoredEnrollment enrollment;
  ASSIGN_OR_RETURN(*enrollment.mutable_enrollment(), RandomHex(8));
  enrollment.set_tenant(token.join_token().tenant());
  ASSIGN_OR_RETURN(v1::DroneCertificate certificate, Certify(key, request.certificate_request(), enrollment));
  token.set_used_by(request.drone_id());
  const std::string token_id(absl::StripPrefix(token.join_token().name(), kTokenNames));
  StateTransaction transaction;
  transaction.puts = {{kTokens + token_id, token.SerializeAsString()}, {kDrones + key, enrollment.SerializeAsString()}};
  RETURN_IF_ERROR(store_.Commit(transaction).status());
  tokens_[token_id] = std::move(token);
  enrolled_[key] = std::move(enrollment);
  return certificate;
}

std::string DroneBook::KeyOf(absl::string_view tenant, absl::string_view drone_id) const {
  std::string key(drone_id);
  if (tenant == rpc::kDefaultTenant) return key;
  std::string full = absl::StrCat(tenant, "/", drone_id);
  if (enrolled_.count(full) > 0) return full;
  // One that joined when tenants shared their names.
  auto found = enrolled_.find(key);
  return found != enrolled_.end() && found->second.tenant() == tenant ? key : full;
}

absl::StatusOr<storage::v1::StoredEnrollment> DroneBook::FindEnrollment(absl::string_view key,
                                                                        absl::string_view enrollment) const {
  auto found = enrolled_.find(key);
  if (found == enrolled_.end()) return Refused("DRONE_UNKNOWN", "the drone of this certificate is not known here");
  const StoredEnrollment& stored = found->second;
  if (stored.enrollment() != enrollment) {
    return Refused("DRONE_REPLACED", "the drone has joined again since; this identity is a copy or a leftover");
  }
  if (stored.has_revoke_time()) return Refused("DRONE_REVOKED", "the drone was revoked");
  if (clock_.Now() >= ToTime(stored.expire_time())) return Refused("DRONE_EXPIRED", "the certificate has expired");
  return stored;
}

absl::StatusOr<v1::DroneCertificate> DroneBook::Renew(const rpc::Caller& drone,
                                                      const std::string& certificate_request) {
  absl::MutexLock lock(&mu_);
  const std::string key = KeyOf(drone.tenant, drone.drone_id);
  ASSIGN_OR_RETURN(StoredEnrollment stored, FindEnrollment(key, drone.enrollment));
  ASSIGN_OR_RETURN(v1::DroneCertificate answer, Certify(key, certificate_request, stored));
  StateTransaction transaction;
  transaction.puts = {{kDrones + key, stored.SerializeAsString()}};
  RETURN_IF_ERROR(store_.Commit(transaction).status());
  enrolled_[key] = std::move(stored);
  return answer;
}

absl::StatusOr<v1::RevokeDroneResponse> DroneBook::Revoke(const std::string& name, const rpc::Caller& caller) {
  const std::string drone_id(absl::StripPrefix(name, "drones/"));
  absl::MutexLock lock(&mu_);
  // Keys of others have a '/', which no id has.
  const std::string key = IsValidId(drone_id) ? KeyOf(caller.tenant, drone_id) : "";
  auto found = enrolled_.find(key);
  if (found == enrolled_.end()) {
    return Error(absl::StatusCode::kNotFound, "DRONE_NOT_ENROLLED",
                 absl::StrCat("drone '", drone_id, "' never joined with a token"), {{"drone", drone_id}});
  }
  StoredEnrollment stored = found->second;
  if (!stored.has_revoke_time()) {
    *stored.mutable_revoke_time() = ToTimestamp(clock_.Now());
    StateTransaction transaction;
    transaction.puts = {{kDrones + key, stored.SerializeAsString()}};
    RETURN_IF_ERROR(store_.Commit(transaction).status());
    found->second = stored;
  }
  v1::RevokeDroneResponse response;
  *response.mutable_revoke_time() = stored.revoke_time();
  return response;
}

absl::StatusOr<rpc::Caller> DroneBook::Check(const rpc::DroneIdentity& identity) const {
  absl::MutexLock lock(&mu_);
  const std::string key = KeyOf(identity.tenant, identity.drone_id);
  ASSIGN_OR_RETURN(const StoredEnrollment stored, FindEnrollment(key, identity.enrollment));
  return rpc::DroneCaller(identity, stored.tenant());
}

}  // namespace chartly::auth
