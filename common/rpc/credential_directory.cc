#include "common/rpc/credential_directory.h"

#include <iterator>

#include "absl/strings/str_cat.h"
#include "chartly/v1/auth.grpc.pb.h"
#include "common/rpc/grpc_status.h"
#include "common/rpc/peers.h"
#include "common/status/status.h"

namespace chartly::rpc {
namespace {

constexpr absl::Duration kLookupTimeout = absl::Seconds(2);
// Long enough for the auth part to ask the issuer for its keys.
constexpr absl::Duration kTokenTimeout = absl::Seconds(6);

absl::StatusOr<Caller> CallerIn(const v1::CheckKeyResponse& response) {
  Caller caller;
  caller.kind = CallerKind::kKey;
  caller.principal = response.principal();
  caller.tenant = response.tenant();
  caller.session = response.session();
  if (!response.bound_role().empty() || response.projects_size() > 0) {
    caller.projects = ProjectScope::BoundTo({response.projects().begin(), response.projects().end()});
    ASSIGN_OR_RETURN(caller.role, ParseRole(response.bound_role().empty() ? "none" : response.bound_role()));
    return caller;
  }
  ASSIGN_OR_RETURN(caller.role, ParseRole(response.role()));
  return caller;
}

absl::StatusOr<Caller> AskKeyOf(const Peers& peers, absl::string_view key_id, const KeyDigest& digest) {
  v1::CheckKeyRequest request;
  request.set_key_id(std::string(key_id));
  request.set_digest(std::string(AsText(digest)));
  v1::CheckKeyResponse response;
  grpc::ClientContext context;
  Prepare(context, kLookupTimeout);
  RETURN_IF_ERROR(
      FromGrpcStatus(v1::AuthService::NewStub(peers.Channel(Part::kAuth))->CheckKey(&context, request, &response)));
  return CallerIn(response);
}

absl::StatusOr<Caller> AskSessionOf(const Peers& peers, const KeyDigest& digest) {
  v1::CheckSessionRequest request;
  request.set_digest(std::string(AsText(digest)));
  v1::CheckKeyResponse response;
  grpc::ClientContext context;
  Prepare(context, kLookupTimeout);
  RETURN_IF_ERROR(
      FromGrpcStatus(v1::AuthService::NewStub(peers.Channel(Part::kAuth))->CheckSession(&context, request, &response)));
  return CallerIn(response);
}

absl::StatusOr<Caller> AskTokenOf(const Peers& peers, absl::string_view token) {
  v1::CheckTokenRequest request;
  request.set_token(std::string(token));
  v1::CheckKeyResponse response;
  grpc::ClientContext context;
  Prepare(context, kTokenTimeout);
  RETURN_IF_ERROR(
      FromGrpcStatus(v1::AuthService::NewStub(peers.Channel(Part::kAuth))->CheckToken(&context, request, &response)));
  return CallerIn(response);
}

absl::StatusOr<Caller> AskDroneOf(const Peers& peers, const DroneIdentity& identity) {
  v1::CheckDroneRequest request;
  request.set_drone_id(identity.drone_id);
  request.set_enrollment(identity.enrollment);
  request.set_tenant(identity.tenant);
  v1::CheckDroneResponse response;
  grpc::ClientContext context;
  Prepare(context, kLookupTimeout);
  RETURN_IF_ERROR(
      FromGrpcStatus(v1::AuthService::NewStub(peers.Channel(Part::kAuth))->CheckDrone(&context, request, &response)));
  return DroneCaller(identity, response.tenant());
}

// Whether the auth part has judged; anything else says nothing about the caller.
bool IsVerdict(const absl::Status& status) {
  return status.ok() || (absl::IsUnauthenticated(status) && Reason(status) != "API_KEY_REQUIRED");
}

}  // namespace

absl::Status UnknownKey() {
  return Error(absl::StatusCode::kUnauthenticated, "API_KEY_UNKNOWN",
               "the API key is not known here; send the one in admin.key, REGISTRY_API_KEY, or one that an admin made");
}

Caller DroneCaller(const DroneIdentity& identity, absl::string_view tenant) {
  Caller caller;
  caller.kind = CallerKind::kDrone;
  caller.principal = absl::StrCat("drones/", identity.drone_id);
  caller.tenant = std::string(tenant);
  caller.drone_id = identity.drone_id;
  caller.enrollment = identity.enrollment;
  return caller;
}

PeerCredentialDirectory::PeerCredentialDirectory(const Peers& peers, Clock& clock)
    : PeerCredentialDirectory(
          {[&peers](absl::string_view key_id, const KeyDigest& digest) { return AskKeyOf(peers, key_id, digest); },
           [&peers](const KeyDigest& digest) { return AskSessionOf(peers, digest); },
           [&peers](absl::string_view token) { return AskTokenOf(peers, token); },
           [&peers](const DroneIdentity& identity) { return AskDroneOf(peers, identity); }},
          clock) {}

absl::StatusOr<Caller> PeerCredentialDirectory::CheckKey(absl::string_view key_id, const KeyDigest& digest) {
  return Recall(absl::StrCat("key/", AsText(digest)), [&] { return ask_.key(key_id, digest); });
}

absl::StatusOr<Caller> PeerCredentialDirectory::CheckSession(const KeyDigest& digest) {
  return Recall(absl::StrCat("session/", AsText(digest)), [&] { return ask_.session(digest); });
}

absl::StatusOr<Caller> PeerCredentialDirectory::CheckToken(absl::string_view token) {
  return Recall(absl::StrCat("token/", AsText(DigestOf(token))), [&] { return ask_.token(token); });
}

absl::StatusOr<Caller> PeerCredentialDirectory::CheckDrone(const DroneIdentity& identity) {
  return Recall(UriOf(identity), [&] { return ask_.drone(identity); });
}

size_t PeerCredentialDirectory::size() const {
  absl::MutexLock lock(&mu_);
  return entries_.size();
}

absl::StatusOr<Caller> PeerCredentialDirectory::Recall(const std::string& id,
                                                       const std::function<absl::StatusOr<Caller>()>& ask) {
  const absl::Time now = clock_.Now();
  {
    absl::MutexLock lock(&mu_);
    auto found = entries_.find(id);
    if (found != entries_.end() && now - found->second.asked < kFresh) return found->second.answer;
  }
  return Remember(id, ask(), now);
}

absl::StatusOr<Caller> PeerCredentialDirectory::Remember(const std::string& id, absl::StatusOr<Caller> answer,
                                                         absl::Time now) {
  absl::MutexLock lock(&mu_);
  auto found = entries_.find(id);
  if (!IsVerdict(answer.status())) {
    if (found != entries_.end() && found->second.answer.ok() && now - found->second.asked < kStale) {
      return found->second.answer;
    }
    return Error(absl::StatusCode::kUnavailable, "CREDENTIALS_UNREACHABLE",
                 absl::StrCat("the caller cannot be checked, for the auth part does not answer: ",
                              std::string(answer.status().message())));
  }
  if (found == entries_.end() && entries_.size() >= kMaxEntries) {
    for (auto it = entries_.begin(); it != entries_.end();) {
      it = now - it->second.asked < kFresh ? std::next(it) : entries_.erase(it);
    }
    // All of it is fresh only under a flood of guesses; then asking again is what it costs.
    if (entries_.size() >= kMaxEntries) entries_.clear();
  }
  entries_.insert_or_assign(id, Entry{answer, now});
  return answer;
}

}  // namespace chartly::rpc
