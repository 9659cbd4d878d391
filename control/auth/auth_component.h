// Auth as one piece: its store, logic and service. Made by the composition of chartly-control.
//
// Open and Shutdown are called from one thread. Shut the component down, then the RpcServer, then destroy it.
#ifndef CHARTLY_CONTROL_AUTH_AUTH_COMPONENT_H_
#define CHARTLY_CONTROL_AUTH_AUTH_COMPONENT_H_

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "common/clock/clock.h"
#include "common/rpc/audit_sink.h"
#include "common/rpc/authenticator.h"
#include "common/state/state_store.h"
#include "control/auth/auth_service.h"
#include "control/auth/key_book.h"

namespace chartly::auth {

struct AuthConfig {
  std::string data_dir;  // the store lies in its folder "auth"
};

class AuthComponent {
 public:
  // The authenticator, sink (may be null) and clock must outlive it. FailedPrecondition (STORE_LOCKED) if another
  // process has the store; DataLoss (STATE_DAMAGED) if a key cannot be read.
  static absl::StatusOr<std::unique_ptr<AuthComponent>> Open(const AuthConfig& config,
                                                             const rpc::Authenticator& authenticator,
                                                             rpc::AuditSink* audit, Clock& clock);
  std::vector<grpc::Service*> services() { return {&service_}; }
  // Where this process looks callers up.
  rpc::CredentialDirectory& directory() { return *keys_; }
  // Empty: nothing here can fail.
  std::string Health() { return ""; }
  // Nothing here runs on its own: calls end with the server. Safe twice.
  void Shutdown() {}

 private:
  AuthComponent(std::unique_ptr<StateStore> store, std::unique_ptr<KeyBook> keys,
                const rpc::Authenticator& authenticator, rpc::AuditSink* audit)
      : store_(std::move(store)), keys_(std::move(keys)), service_(*keys_, authenticator, audit) {}

  std::unique_ptr<StateStore> store_;
  std::unique_ptr<KeyBook> keys_;
  AuthService service_;
};

}  // namespace chartly::auth

#endif  // CHARTLY_CONTROL_AUTH_AUTH_COMPONENT_H_
