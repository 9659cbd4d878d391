// Auth as one piece: its logic and service. It keeps nothing on disk yet; its folder is data_dir + "/auth" when it
// does. Made by the composition of chartly-control.
//
// Open and Shutdown are called from one thread. Shut the component down, then the RpcServer, then destroy it.
#ifndef CHARTLY_CONTROL_AUTH_AUTH_COMPONENT_H_
#define CHARTLY_CONTROL_AUTH_AUTH_COMPONENT_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "common/clock/clock.h"
#include "common/rpc/audit_sink.h"
#include "common/rpc/authenticator.h"
#include "control/auth/auth.h"
#include "control/auth/auth_service.h"

namespace chartly::auth {

struct AuthConfig {
  std::string data_dir;
};

class AuthComponent {
 public:
  // The authenticator, sink (may be null) and clock must outlive it.
  static absl::StatusOr<std::unique_ptr<AuthComponent>> Open(const AuthConfig& config,
                                                             const rpc::Authenticator& authenticator,
                                                             rpc::AuditSink* audit, Clock& clock);
  std::vector<grpc::Service*> services() { return {&service_}; }
  // Empty: nothing here can fail.
  std::string Health() { return ""; }
  // Nothing here runs on its own: calls end with the server. Safe twice.
  void Shutdown() {}

 private:
  AuthComponent(const rpc::Authenticator& authenticator, rpc::AuditSink* audit)
      : service_(auth_, authenticator, audit) {}

  Auth auth_;
  AuthService service_;
};

}  // namespace chartly::auth

#endif  // CHARTLY_CONTROL_AUTH_AUTH_COMPONENT_H_
