// The gRPC face of auth.
#ifndef CHARTLY_CONTROL_AUTH_AUTH_SERVICE_H_
#define CHARTLY_CONTROL_AUTH_AUTH_SERVICE_H_

#include <grpcpp/grpcpp.h>

#include <string>

#include "chartly/v1/auth.grpc.pb.h"
#include "common/rpc/guard.h"
#include "control/auth/drone_book.h"
#include "control/auth/key_book.h"

namespace chartly::auth {

class AuthService final : public v1::AuthService::Service {
 public:
  // Everything must outlive the service.
  AuthService(KeyBook& keys, DroneBook& drones, const rpc::Authenticator& authenticator, rpc::AuditSink* audit)
      : keys_(keys), drones_(drones), audit_(audit), guard_("chartly.v1.AuthService", authenticator, audit) {}

  grpc::Status GetCaller(grpc::ServerContext* context, const v1::GetCallerRequest* request,
                         v1::Caller* response) override;
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
  void NoteEnrollment(const rpc::Caller& caller, const v1::EnrollDroneRequest& request, const std::string& token,
                      const absl::Status& status) const;

  KeyBook& keys_;
  DroneBook& drones_;
  rpc::AuditSink* audit_;
  const rpc::Guard guard_;
};

}  // namespace chartly::auth

#endif  // CHARTLY_CONTROL_AUTH_AUTH_SERVICE_H_
