#include "control/auth/auth_service.h"

namespace chartly::auth {

grpc::Status AuthService::GetCaller(grpc::ServerContext* context, const v1::GetCallerRequest* request,
                                    v1::Caller* response) {
  return guard_.Unary(context, "GetCaller", *request, response,
                      [&](const rpc::Caller& caller) { return absl::StatusOr<v1::Caller>(auth_.Describe(caller)); });
}

}  // namespace chartly::auth
