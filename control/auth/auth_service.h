// The gRPC face of auth.
#ifndef CHARTLY_CONTROL_AUTH_AUTH_SERVICE_H_
#define CHARTLY_CONTROL_AUTH_AUTH_SERVICE_H_

#include <grpcpp/grpcpp.h>

#include <string>

#include "chartly/v1/auth.grpc.pb.h"
#include "common/rpc/credential_directory.h"
#include "common/rpc/guard.h"
#include "control/auth/drone_book.h"
#include "control/auth/issuer_sign_in.h"
#include "control/auth/key_book.h"
#include "control/auth/session_book.h"

namespace chartly::auth {

struct AuthServiceDeps {
  KeyBook& keys;
  SessionBook& sessions;
  DroneBook& drones;
  rpc::CredentialDirectory& directory;
  rpc::AuditSink* audit;            // may be null
  IssuerSignIn* sign_in = nullptr;  // null: nobody signs in at the issuer
};

class AuthService final : public v1::AuthService::Service {
 public:
  // Everything must outlive the service.
  AuthService(const AuthServiceDeps& deps, const rpc::Authenticator& authenticator)
      : deps_(deps), guard_("chartly.v1.AuthService", authenticator, deps.audit, &every_tenant_) {}

  grpc::Status GetCaller(grpc::ServerContext* context, const v1::GetCallerRequest* request,
                         v1::Caller* response) override;
  grpc::Status SignIn(grpc::ServerContext* context, const v1::SignInRequest* request, v1::Session* response) override;
  grpc::Status GetSession(grpc::ServerContext* context, const v1::GetSessionRequest* request,
                          v1::Session* response) override;
  grpc::Status SignOut(grpc::ServerContext* context, const v1::SignOutRequest* request,
                       v1::SignOutResponse* response) override;
  grpc::Status GetSignInWays(grpc::ServerContext* context, const v1::GetSignInWaysRequest* request,
                             v1::SignInWays* response) override;
  grpc::Status BeginIssuerSignIn(grpc::ServerContext* context, const v1::BeginIssuerSignInRequest* request,
                                 v1::SignInStep* response) override;
  grpc::Status FinishIssuerSignIn(grpc::ServerContext* context, const v1::FinishIssuerSignInRequest* request,
                                  v1::SignInStep* response) override;
  grpc::Status CreateKey(grpc::ServerContext* context, const v1::CreateKeyRequest* request,
                         v1::IssuedKey* response) override;
  grpc::Status ListKeys(grpc::ServerContext* context, const v1::ListKeysRequest* request,
                        v1::ListKeysResponse* response) override;
  grpc::Status RotateKey(grpc::ServerContext* context, const v1::RotateKeyRequest* request,
                         v1::IssuedKey* response) override;
  grpc::Status RevokeKey(grpc::ServerContext* context, const v1::RevokeKeyRequest* request,
                         v1::ApiKey* response) override;
  grpc::Status CheckKey(grpc::ServerContext* context, const v1::CheckKeyRequest* request,
                        v1::CheckKeyResponse* response) override;
  grpc::Status CheckSession(grpc::ServerContext* context, const v1::CheckSessionRequest* request,
                            v1::CheckKeyResponse* response) override;
  grpc::Status CheckToken(grpc::ServerContext* context, const v1::CheckTokenRequest* request,
                          v1::CheckKeyResponse* response) override;
  grpc::Status CreateJoinToken(grpc::ServerContext* context, const v1::CreateJoinTokenRequest* request,
                               v1::IssuedJoinToken* response) override;
  grpc::Status ListJoinTokens(grpc::ServerContext* context, const v1::ListJoinTokensRequest* request,
                              v1::ListJoinTokensResponse* response) override;
  grpc::Status EnrollDrone(grpc::ServerContext* context, const v1::EnrollDroneRequest* request,
                           v1::DroneCertificate* response) override;
  grpc::Status RenewDrone(grpc::ServerContext* context, const v1::RenewDroneRequest* request,
                          v1::DroneCertificate* response) override;
  grpc::Status RevokeDrone(grpc::ServerContext* context, const v1::RevokeDroneRequest* request,
                           v1::RevokeDroneResponse* response) override;
  grpc::Status CheckDrone(grpc::ServerContext* context, const v1::CheckDroneRequest* request,
                          v1::CheckDroneResponse* response) override;

 private:
  // For what proves itself here and not at the guard: nothing is done before the audit log has its start.
  absl::Status RecordStart(rpc::AuditEntry& entry) const;
  void RecordEnd(rpc::AuditEntry& entry, const absl::Status& status) const;
  void RecordRefusal(rpc::AuditEntry& entry, const absl::Status& status) const;

  absl::StatusOr<v1::Session> Begin(const rpc::Caller& caller, const v1::SignInRequest& request);
  absl::StatusOr<v1::SignInStep> BeginAtIssuer(const rpc::Caller& caller, const v1::BeginIssuerSignInRequest& request);
  absl::StatusOr<v1::SignInStep> FinishAtIssuer(const rpc::Caller& caller,
                                                const v1::FinishIssuerSignInRequest& request);
  absl::StatusOr<v1::SignOutResponse> End(const rpc::Caller& caller);
  absl::StatusOr<v1::DroneCertificate> Enroll(const rpc::Caller& caller, const v1::EnrollDroneRequest& request);

  const AuthServiceDeps deps_;
  rpc::EveryTenant every_tenant_;  // keys and drones say of which they are
  const rpc::Guard guard_;
};

}  // namespace chartly::auth

#endif  // CHARTLY_CONTROL_AUTH_AUTH_SERVICE_H_
