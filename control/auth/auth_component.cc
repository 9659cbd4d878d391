#include "control/auth/auth_component.h"

namespace chartly::auth {

absl::StatusOr<std::unique_ptr<AuthComponent>> AuthComponent::Open(const AuthConfig&,
                                                                   const rpc::Authenticator& authenticator,
                                                                   rpc::AuditSink* audit, Clock&) {
  return std::unique_ptr<AuthComponent>(new AuthComponent(authenticator, audit));
}

}  // namespace chartly::auth
