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
  return message;
}

absl::StatusOr<rpc::KeyDigest> DigestIn(const v1::CheckKeyRequest& request) {
  rpc::KeyDigest digest;
  if (request.digest().size() != digest.size()) {
    return Error(absl::StatusCode::kInvalidArgument, "FIELD_INVALID", "digest: must be a SHA-256, 32 bytes");
  }
  std::copy(request.digest().begin(), request.digest().end(), digest.begin());
  return digest;
}

}  // namespace

grpc::Status AuthService::GetCaller(grpc::ServerContext* context, const v1::GetCallerRequest* request,
                                    v1::Caller* response) {
  return guard_.Unary(context, "GetCaller", *request, response,
                      [&](const rpc::Caller& caller) { return absl::StatusOr<v1::Caller>(Describe(caller)); });
}

grpc::Status AuthService::CreateKey(grpc::ServerContext* context, const v1::CreateKeyRequest* request,
                                    v1::IssuedKey* response) {
  return guard_.Unary(context, "CreateKey", *request, response,
                      [&](const rpc::Caller& caller) { return keys_.Create(*request, caller); });
}

grpc::Status AuthService::ListKeys(grpc::ServerContext* context, const v1::ListKeysRequest* request,
                                   v1::ListKeysResponse* response) {
  return guard_.Unary(context, "ListKeys", *request, response,
                      [&](const rpc::Caller&) { return keys_.List(*request); });
}

grpc::Status AuthService::RotateKey(grpc::ServerContext* context, const v1::RotateKeyRequest* request,
                                    v1::IssuedKey* response) {
  return guard_.Unary(context, "RotateKey", *request, response,
                      [&](const rpc::Caller&) { return keys_.Rotate(*request); });
}

grpc::Status AuthService::RevokeKey(grpc::ServerContext* context, const v1::RevokeKeyRequest* request,
                                    v1::ApiKey* response) {
  return guard_.Unary(context, "RevokeKey", *request, response,
                      [&](const rpc::Caller&) { return keys_.Revoke(*request); });
}

grpc::Status AuthService::CheckKey(grpc::ServerContext* context, const v1::CheckKeyRequest* request,
                                   v1::CheckKeyResponse* response) {
  return guard_.Unary(context, "CheckKey", *request, response,
                      [&](const rpc::Caller&) -> absl::StatusOr<v1::CheckKeyResponse> {
                        ASSIGN_OR_RETURN(const rpc::KeyDigest digest, DigestIn(*request));
                        ASSIGN_OR_RETURN(const rpc::Caller caller, keys_.CheckKey(request->key_id(), digest));
                        v1::CheckKeyResponse answer;
                        answer.set_principal(caller.principal);
                        answer.set_role(std::string(rpc::RoleName(caller.role)));
                        answer.set_tenant(caller.tenant);
                        return answer;
                      });
}

grpc::Status AuthService::CreateJoinToken(grpc::ServerContext* context, const v1::CreateJoinTokenRequest* request,
                                          v1::IssuedJoinToken* response) {
  return guard_.Unary(context, "CreateJoinToken", *request, response,
                      [&](const rpc::Caller& caller) { return drones_.CreateToken(*request, caller); });
}

grpc::Status AuthService::ListJoinTokens(grpc::ServerContext* context, const v1::ListJoinTokensRequest* request,
                                         v1::ListJoinTokensResponse* response) {
  return guard_.Unary(context, "ListJoinTokens", *request, response, [&](const rpc::Caller&) {
    return absl::StatusOr<v1::ListJoinTokensResponse>(drones_.ListTokens());
  });
}

// Whoever tries tokens that never were can fill no log with it; a token that was good once is worth an entry.
void AuthService::NoteEnrollment(const rpc::Caller& caller, const v1::EnrollDroneRequest& request,
                                 const std::string& token, const absl::Status& status) const {
  const std::string reason = Reason(status);
  if (!status.ok()) Count("chartly_join_refusals_total", 1, reason);
  if (audit_ == nullptr || reason == "JOIN_TOKEN_UNKNOWN" || reason == "FIELD_INVALID") return;
  audit_->Record(
      {token.empty() ? "anonymous" : token, "AuthService.EnrollDrone", absl::StrCat("drones/", request.drone_id()),
       status.ok() ? "OK" : absl::StrCat(absl::StatusCodeToString(status.code()), " ", reason), caller.request_id});
}

grpc::Status AuthService::EnrollDrone(grpc::ServerContext* context, const v1::EnrollDroneRequest* request,
                                      v1::DroneCertificate* response) {
  return guard_.Unary(context, "EnrollDrone", *request, response,
                      [&](const rpc::Caller& caller) -> absl::StatusOr<v1::DroneCertificate> {
                        absl::StatusOr<DroneBook::Enrolled> enrolled = drones_.Enroll(*request);
                        NoteEnrollment(caller, *request, enrolled.ok() ? enrolled->token_name : "", enrolled.status());
                        RETURN_IF_ERROR(enrolled.status());
                        return std::move(enrolled->certificate);
                      });
}

grpc::Status AuthService::RenewDrone(grpc::ServerContext* context, const v1::RenewDroneRequest* request,
                                     v1::DroneCertificate* response) {
  return guard_.Unary(context, "RenewDrone", *request, response,
                      [&](const rpc::Caller& caller) -> absl::StatusOr<v1::DroneCertificate> {
                        if (caller.kind != rpc::CallerKind::kDrone) {
                          return Error(absl::StatusCode::kFailedPrecondition, "NOT_A_DRONE",
                                       "only a drone can renew, over TLS and with its certificate");
                        }
                        return drones_.Renew(caller.drone_id, caller.enrollment, request->certificate_request());
                      });
}

grpc::Status AuthService::RevokeDrone(grpc::ServerContext* context, const v1::RevokeDroneRequest* request,
                                      v1::RevokeDroneResponse* response) {
  return guard_.Unary(context, "RevokeDrone", *request, response,
                      [&](const rpc::Caller&) { return drones_.Revoke(request->name()); });
}

grpc::Status AuthService::CheckDrone(grpc::ServerContext* context, const v1::CheckDroneRequest* request,
                                     v1::CheckDroneResponse* response) {
  return guard_.Unary(
      context, "CheckDrone", *request, response, [&](const rpc::Caller&) -> absl::StatusOr<v1::CheckDroneResponse> {
        ASSIGN_OR_RETURN(const rpc::Caller drone, drones_.Check(request->drone_id(), request->enrollment()));
        v1::CheckDroneResponse answer;
        answer.set_tenant(drone.tenant);
        return answer;
      });
}

}  // namespace chartly::auth
