#include "control/auth/auth_service.h"

#include <algorithm>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/rpc/key_token.h"
#include "common/status/status.h"
#include "common/telemetry/metrics.h"

namespace chartly::auth {
namespace {

// What the caller may know of itself.
v1::Caller Describe(const rpc::Caller& caller) {
  v1::Caller message;
  message.set_principal(caller.principal);
  message.set_can_write(caller.role > rpc::Role::kViewer);
  message.set_tenant(caller.tenant);
  message.set_role(std::string(rpc::RoleName(caller.role)));
  message.mutable_projects()->Assign(caller.projects.projects().begin(), caller.projects.projects().end());
  return message;
}

absl::StatusOr<rpc::KeyDigest> DigestIn(const std::string& bytes) {
  rpc::KeyDigest digest;
  if (bytes.size() != digest.size()) {
    return Error(absl::StatusCode::kInvalidArgument, "FIELD_INVALID", "digest: must be a SHA-256, 32 bytes");
  }
  std::copy(bytes.begin(), bytes.end(), digest.begin());
  return digest;
}

absl::StatusOr<v1::CheckKeyResponse> Answer(const absl::StatusOr<rpc::Caller>& caller) {
  RETURN_IF_ERROR(caller.status());
  v1::CheckKeyResponse answer;
  answer.set_principal(caller->principal);
  const std::string role(rpc::RoleName(caller->role));
  // Whoever asks may be of a version that knows no projects, and would take the role for all of them.
  answer.set_role(caller->projects.bound() ? "none" : role);
  if (caller->projects.bound()) answer.set_bound_role(role);
  answer.mutable_projects()->Assign(caller->projects.projects().begin(), caller->projects.projects().end());
  answer.set_tenant(caller->tenant);
  answer.set_session(caller->session);
  return answer;
}

rpc::AuditEntry EntryOf(const rpc::Caller& caller, const char* action) {
  rpc::AuditEntry entry;
  entry.actor = caller.principal;
  entry.action = action;
  entry.request_id = caller.request_id;
  entry.tenant = caller.tenant;
  entry.address = caller.address;
  entry.detail = rpc::ProjectsDetail(caller);
  return entry;
}

// Once it is known who it is.
void SetPerson(const rpc::Caller& person, rpc::AuditEntry& entry) {
  entry.actor = person.principal;
  entry.tenant = person.tenant;
  entry.detail = rpc::ProjectsDetail(person);
}

std::string OutcomeOf(const absl::Status& status) {
  if (status.ok()) return "OK";
  const std::string reason = Reason(status);
  return absl::StrCat(absl::StatusCodeToString(status.code()), reason.empty() ? "" : " ", reason);
}

absl::Status NoClient() {
  return Error(absl::StatusCode::kFailedPrecondition, "ISSUER_CLIENT_MISSING",
               "nobody signs in at an issuer here (--oidc-client-id); sign in with a key");
}

// Who may do nothing learns so here, and not at each thing that it tries.
absl::Status CheckHasRole(const rpc::Caller& person) {
  if (person.role != rpc::Role::kNone) return absl::OkStatus();
  return Error(absl::StatusCode::kPermissionDenied, "SIGN_IN_NO_ROLE",
               absl::StrCat("the issuer knows you as ", person.principal,
                            ", but nothing that it says of you gives a role here; ask an admin for one (--oidc-role)"));
}

}  // namespace

grpc::Status AuthService::GetCaller(grpc::ServerContext* context, const v1::GetCallerRequest* request,
                                    v1::Caller* response) {
  return guard_.Unary(context, "GetCaller", *request, response,
                      [&](const rpc::Caller& caller) { return absl::StatusOr<v1::Caller>(Describe(caller)); });
}

absl::Status AuthService::RecordStart(rpc::AuditEntry& entry) const {
  if (deps_.audit == nullptr) return absl::OkStatus();
  entry.outcome = rpc::kAuditStarted;
  return deps_.audit->Record(entry);
}

void AuthService::RecordEnd(rpc::AuditEntry& entry, const absl::Status& status) const {
  if (deps_.audit == nullptr) return;
  entry.outcome = OutcomeOf(status);
  // The start is recorded: that the end is not can be seen there.
  deps_.audit->Record(entry).IgnoreError();
}

void AuthService::RecordRefusal(rpc::AuditEntry& entry, const absl::Status& status) const {
  if (deps_.audit == nullptr) return;
  entry.outcome = OutcomeOf(status);
  deps_.audit->Refused(entry);
}

absl::StatusOr<v1::Session> AuthService::Begin(const rpc::Caller& caller, const v1::SignInRequest& request) {
  if (request.api_key().empty()) {
    return Error(absl::StatusCode::kInvalidArgument, "FIELD_INVALID", "api_key: is missing", {{"field", "api_key"}});
  }
  rpc::AuditEntry entry = EntryOf(caller, "AuthService.SignIn");
  absl::StatusOr<rpc::Caller> person = deps_.sessions.Identify(request.api_key());
  if (!person.ok()) {
    RecordRefusal(entry, person.status());
    return person.status();
  }
  SetPerson(*person, entry);
  RETURN_IF_ERROR(RecordStart(entry));
  absl::StatusOr<v1::Session> session = deps_.sessions.Begin(request.api_key());
  RecordEnd(entry, session.status());
  return session;
}

grpc::Status AuthService::SignIn(grpc::ServerContext* context, const v1::SignInRequest* request,
                                 v1::Session* response) {
  return guard_.Unary(context, "SignIn", *request, response,
                      [&](const rpc::Caller& caller) { return Begin(caller, *request); });
}

grpc::Status AuthService::GetSession(grpc::ServerContext* context, const v1::GetSessionRequest* request,
                                     v1::Session* response) {
  return guard_.Unary(context, "GetSession", *request, response,
                      [&](const rpc::Caller& caller) { return deps_.sessions.Describe(caller); });
}

grpc::Status AuthService::GetSignInWays(grpc::ServerContext* context, const v1::GetSignInWaysRequest* request,
                                        v1::SignInWays* response) {
  return guard_.Unary(context, "GetSignInWays", *request, response, [&](const rpc::Caller&) {
    v1::SignInWays ways;
    if (deps_.sign_in != nullptr) ways.set_issuer(deps_.sign_in->IssuerHost());
    return absl::StatusOr<v1::SignInWays>(std::move(ways));
  });
}

absl::StatusOr<v1::SignInStep> AuthService::BeginAtIssuer(const rpc::Caller& caller,
                                                          const v1::BeginIssuerSignInRequest& request) {
  const absl::StatusOr<IssuerSignIn::Begun> begun = deps_.sign_in == nullptr
                                                        ? absl::StatusOr<IssuerSignIn::Begun>(NoClient())
                                                        : deps_.sign_in->Begin(request.return_path());
  if (!begun.ok()) {
    Count("chartly_auth_refusals_total", 1, Reason(begun.status()));
    rpc::AuditEntry entry = EntryOf(caller, "AuthService.BeginIssuerSignIn");
    RecordRefusal(entry, begun.status());
    return begun.status();
  }
  v1::SignInStep step;
  step.set_location(begun->location);
  step.set_ticket(begun->ticket.Reveal());
  return step;
}

grpc::Status AuthService::BeginIssuerSignIn(grpc::ServerContext* context, const v1::BeginIssuerSignInRequest* request,
                                            v1::SignInStep* response) {
  return guard_.Unary(context, "BeginIssuerSignIn", *request, response,
                      [&](const rpc::Caller& caller) { return BeginAtIssuer(caller, *request); });
}

absl::StatusOr<v1::SignInStep> AuthService::FinishAtIssuer(const rpc::Caller& caller,
                                                           const v1::FinishIssuerSignInRequest& request) {
  rpc::AuditEntry entry = EntryOf(caller, "AuthService.FinishIssuerSignIn");
  const absl::StatusOr<IssuerSignIn::Person> person =
      deps_.sign_in == nullptr ? absl::StatusOr<IssuerSignIn::Person>(NoClient())
                               : deps_.sign_in->Finish({Secret(request.ticket()), request.state(),
                                                        Secret(request.code()), request.error(), request.iss()});
  if (person.ok()) SetPerson(person->caller, entry);
  const absl::Status may = person.ok() ? CheckHasRole(person->caller) : person.status();
  if (!may.ok()) {
    Count("chartly_auth_refusals_total", 1, Reason(may));
    RecordRefusal(entry, may);
    return may;
  }
  RETURN_IF_ERROR(RecordStart(entry));
  const absl::StatusOr<v1::Session> session = deps_.sessions.BeginFor(person->caller);
  RecordEnd(entry, session.status());
  RETURN_IF_ERROR(session.status());
  v1::SignInStep step;
  step.set_location(person->location);
  step.set_session(session->token());
  return step;
}

grpc::Status AuthService::FinishIssuerSignIn(grpc::ServerContext* context, const v1::FinishIssuerSignInRequest* request,
                                             v1::SignInStep* response) {
  return guard_.Unary(context, "FinishIssuerSignIn", *request, response,
                      [&](const rpc::Caller& caller) { return FinishAtIssuer(caller, *request); });
}

// Nothing keeps a session open against the will of whoever it is: it ends also while the audit log takes nothing.
absl::StatusOr<v1::SignOutResponse> AuthService::End(const rpc::Caller& caller) {
  rpc::AuditEntry entry = EntryOf(caller, "AuthService.SignOut");
  RETURN_IF_ERROR(deps_.sessions.End(caller));
  RecordEnd(entry, absl::OkStatus());
  return v1::SignOutResponse();
}

grpc::Status AuthService::SignOut(grpc::ServerContext* context, const v1::SignOutRequest* request,
                                  v1::SignOutResponse* response) {
  return guard_.Unary(context, "SignOut", *request, response, [&](const rpc::Caller& caller) { return End(caller); });
}

grpc::Status AuthService::CreateKey(grpc::ServerContext* context, const v1::CreateKeyRequest* request,
                                    v1::IssuedKey* response) {
  return guard_.Unary(context, "CreateKey", *request, response,
                      [&](const rpc::Caller& caller) { return deps_.keys.Create(*request, caller); });
}

grpc::Status AuthService::ListKeys(grpc::ServerContext* context, const v1::ListKeysRequest* request,
                                   v1::ListKeysResponse* response) {
  return guard_.Unary(context, "ListKeys", *request, response,
                      [&](const rpc::Caller& caller) { return deps_.keys.List(*request, caller); });
}

grpc::Status AuthService::RotateKey(grpc::ServerContext* context, const v1::RotateKeyRequest* request,
                                    v1::IssuedKey* response) {
  return guard_.Unary(context, "RotateKey", *request, response,
                      [&](const rpc::Caller& caller) { return deps_.keys.Rotate(*request, caller); });
}

grpc::Status AuthService::RevokeKey(grpc::ServerContext* context, const v1::RevokeKeyRequest* request,
                                    v1::ApiKey* response) {
  return guard_.Unary(context, "RevokeKey", *request, response,
                      [&](const rpc::Caller& caller) { return deps_.keys.Revoke(*request, caller); });
}

grpc::Status AuthService::CheckKey(grpc::ServerContext* context, const v1::CheckKeyRequest* request,
                                   v1::CheckKeyResponse* response) {
  return guard_.Unary(context, "CheckKey", *request, response,
                      [&](const rpc::Caller&) -> absl::StatusOr<v1::CheckKeyResponse> {
                        ASSIGN_OR_RETURN(const rpc::KeyDigest digest, DigestIn(request->digest()));
                        return Answer(deps_.keys.CheckKey(request->key_id(), digest));
                      });
}

grpc::Status AuthService::CheckSession(grpc::ServerContext* context, const v1::CheckSessionRequest* request,
                                       v1::CheckKeyResponse* response) {
  return guard_.Unary(context, "CheckSession", *request, response,
                      [&](const rpc::Caller&) -> absl::StatusOr<v1::CheckKeyResponse> {
                        ASSIGN_OR_RETURN(const rpc::KeyDigest digest, DigestIn(request->digest()));
                        return Answer(deps_.sessions.Check(digest));
                      });
}

grpc::Status AuthService::CheckToken(grpc::ServerContext* context, const v1::CheckTokenRequest* request,
                                     v1::CheckKeyResponse* response) {
  return guard_.Unary(context, "CheckToken", *request, response,
                      [&](const rpc::Caller&) { return Answer(deps_.directory.CheckToken(request->token())); });
}

grpc::Status AuthService::CreateJoinToken(grpc::ServerContext* context, const v1::CreateJoinTokenRequest* request,
                                          v1::IssuedJoinToken* response) {
  return guard_.Unary(context, "CreateJoinToken", *request, response,
                      [&](const rpc::Caller& caller) { return deps_.drones.CreateToken(*request, caller); });
}

grpc::Status AuthService::ListJoinTokens(grpc::ServerContext* context, const v1::ListJoinTokensRequest* request,
                                         v1::ListJoinTokensResponse* response) {
  return guard_.Unary(context, "ListJoinTokens", *request, response, [&](const rpc::Caller& caller) {
    return absl::StatusOr<v1::ListJoinTokensResponse>(deps_.drones.ListTokens(caller));
  });
}

absl::StatusOr<v1::DroneCertificate> AuthService::Enroll(const rpc::Caller& caller,
                                                         const v1::EnrollDroneRequest& request) {
  rpc::AuditEntry entry = EntryOf(caller, "AuthService.EnrollDrone");
  entry.subject = absl::StrCat("drones/", request.drone_id());
  const absl::StatusOr<v1::JoinToken> token = deps_.drones.TokenOf(request);
  if (!token.ok()) {
    Count("chartly_join_refusals_total", 1, Reason(token.status()));
    RecordRefusal(entry, token.status());
    return token.status();
  }
  entry.actor = token->name();
  entry.tenant = token->tenant();
  RETURN_IF_ERROR(RecordStart(entry));
  absl::StatusOr<v1::DroneCertificate> certificate = deps_.drones.Enroll(request);
  if (!certificate.ok()) Count("chartly_join_refusals_total", 1, Reason(certificate.status()));
  RecordEnd(entry, certificate.status());
  return certificate;
}

grpc::Status AuthService::EnrollDrone(grpc::ServerContext* context, const v1::EnrollDroneRequest* request,
                                      v1::DroneCertificate* response) {
  return guard_.Unary(context, "EnrollDrone", *request, response,
                      [&](const rpc::Caller& caller) { return Enroll(caller, *request); });
}

grpc::Status AuthService::RenewDrone(grpc::ServerContext* context, const v1::RenewDroneRequest* request,
                                     v1::DroneCertificate* response) {
  return guard_.Unary(context, "RenewDrone", *request, response,
                      [&](const rpc::Caller& caller) -> absl::StatusOr<v1::DroneCertificate> {
                        if (caller.kind != rpc::CallerKind::kDrone) {
                          return Error(absl::StatusCode::kFailedPrecondition, "NOT_A_DRONE",
                                       "only a drone can renew, over TLS and with its certificate");
                        }
                        return deps_.drones.Renew(caller, request->certificate_request());
                      });
}

grpc::Status AuthService::RevokeDrone(grpc::ServerContext* context, const v1::RevokeDroneRequest* request,
                                      v1::RevokeDroneResponse* response) {
  return guard_.Unary(context, "RevokeDrone", *request, response,
                      [&](const rpc::Caller& caller) { return deps_.drones.Revoke(request->name(), caller); });
}

grpc::Status AuthService::CheckDrone(grpc::ServerContext* context, const v1::CheckDroneRequest* request,
                                     v1::CheckDroneResponse* response) {
  return guard_.Unary(
      context, "CheckDrone", *request, response, [&](const rpc::Caller&) -> absl::StatusOr<v1::CheckDroneResponse> {
        const std::string& tenant = request->tenant();
        ASSIGN_OR_RETURN(const rpc::Caller drone, deps_.drones.Check({request->drone_id(), request->enrollment(),
                                                                      tenant.empty() ? rpc::kDefaultTenant : tenant}));
        v1::CheckDroneResponse answer;
        answer.set_tenant(drone.tenant);
        return answer;
      });
}

}  // namespace chartly::auth
