// The gRPC face of auth.
#ifndef CHARTLY_CONTROL_AUTH_AUTH_SERVICE_H_
#define CHARTLY_CONTROL_AUTH_AUTH_SERVICE_H_

#include <grpcpp/grpcpp.h>

#include "chartly/v1/auth.grpc.pb.h"
#include "common/rpc/guard.h"
#include "control/auth/key_book.h"

namespace chartly::auth {

class AuthService final : public v1::AuthService::Service {
 public:
  // Everything must outlive the service.
  AuthService(KeyBook& keys, const rpc::Authenticator& authenticator, rpc::AuditSink* audit)
      : keys_(keys), guard_("chartly.v1.AuthService", authenticator, audit) {}

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

 private:
  KeyBook& keys_;
  const rpc::Guard guard_;
};

}  // namespace chartly::auth

#endif  // CHARTLY_CONTROL_AUTH_AUTH_SERVICE_H_
