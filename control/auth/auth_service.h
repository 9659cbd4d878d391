// The gRPC face of auth.
#ifndef CHARTLY_CONTROL_AUTH_AUTH_SERVICE_H_
#define CHARTLY_CONTROL_AUTH_AUTH_SERVICE_H_

#include <grpcpp/grpcpp.h>

#include "chartly/v1/auth.grpc.pb.h"
#include "common/rpc/guard.h"
#include "control/auth/auth.h"

namespace chartly::auth {

class AuthService final : public v1::AuthService::Service {
 public:
  // Everything must outlive the service.
  AuthService(const Auth& auth, const rpc::Authenticator& authenticator, rpc::AuditSink* audit)
      : auth_(auth), guard_("chartly.v1.AuthService", authenticator, audit) {}

  grpc::Status GetCaller(grpc::ServerContext* context, const v1::GetCallerRequest* request,
                         v1::Caller* response) override;

 private:
  const Auth& auth_;
  const rpc::Guard guard_;
};

}  // namespace chartly::auth

#endif  // CHARTLY_CONTROL_AUTH_AUTH_SERVICE_H_
