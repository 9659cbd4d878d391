#include "control/auth/auth_service.h"

#include <algorithm>
#include <string>

#include "common/rpc/key_token.h"
#include "common/status/status.h"

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

}  // namespace chartly::auth
