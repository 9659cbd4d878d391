#include "control/auth/auth_component.h"

#include "common/status/status.h"

namespace chartly::auth {

absl::StatusOr<std::unique_ptr<AuthComponent>> AuthComponent::Open(const AuthConfig& config,
                                                                   const rpc::Authenticator& authenticator,
                                                                   rpc::AuditSink* audit, Clock& clock) {
  ASSIGN_OR_RETURN(std::unique_ptr<StateStore> store, OpenEmbeddedStateStore(config.data_dir + "/auth", clock));
  ASSIGN_OR_RETURN(std::unique_ptr<KeyBook> keys, KeyBook::Open(*store, clock));
  ASSIGN_OR_RETURN(
      x509::Authority authority,
      x509::Authority::LoadOrCreate(config.tls_dir.empty() ? config.data_dir + "/tls" : config.tls_dir, clock.Now()));
  ASSIGN_OR_RETURN(std::unique_ptr<DroneBook> drones,
                   DroneBook::Open(*store, std::move(authority), config.certificate_life, clock));
  return std::unique_ptr<AuthComponent>(
      new AuthComponent(std::move(store), std::move(keys), std::move(drones), authenticator, audit));
}

}  // namespace chartly::auth
