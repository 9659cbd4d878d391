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
#include "common/rpc/credential_directory.h"
#include "common/state/state_store.h"
#include "control/auth/auth_service.h"
#include "control/auth/drone_book.h"
#include "control/auth/issuer_sign_in.h"
#include "control/auth/key_book.h"
#include "control/auth/session_book.h"
#include "control/auth/token_issuer.h"

namespace chartly::auth {

struct AuthConfig {
  std::string data_dir;                               // the store lies in its folder "auth"
  std::string tls_dir;                                // where the authority lies; empty: DATA_DIR/tls
  absl::Duration certificate_life = absl::Hours(24);  // of drones
  SessionTerms sessions = {};
  TokenConfig tokens = {};
  SignInConfig sign_in = {};
  size_t keep_log_bytes = 0;  // as in KvOptions
};

class AuthComponent final : public rpc::CredentialDirectory {
 public:
  // The authenticator, sink (may be null) and clock must outlive it. FailedPrecondition (STORE_LOCKED) if another
  // process has the store; DataLoss (STATE_DAMAGED) if a key cannot be read; InvalidArgument (ISSUER_INVALID);
  // those of IssuerSignIn::Create.
  static absl::StatusOr<std::unique_ptr<AuthComponent>> Open(const AuthConfig& config,
                                                             const rpc::Authenticator& authenticator,
                                                             rpc::AuditSink* audit, Clock& clock);
  std::vector<grpc::Service*> services() { return {&service_}; }
  KeyBook& keys() { return *pieces_.keys; }
  // This process looks callers up here.
  absl::StatusOr<rpc::Caller> CheckKey(absl::string_view key_id, const rpc::KeyDigest& digest) override {
    return pieces_.keys->CheckKey(key_id, digest);
  }
  absl::StatusOr<rpc::Caller> CheckSession(const rpc::KeyDigest& digest) override {
    return pieces_.sessions->Check(digest);
  }
  absl::StatusOr<rpc::Caller> CheckToken(absl::string_view token) override;
  absl::StatusOr<rpc::Caller> CheckDrone(const rpc::DroneIdentity& identity) override {
    return pieces_.drones->Check(identity);
  }
  // Empty: nothing here can fail.
  std::string Health() { return ""; }
  // What backups take of it.
  KvSource& source() { return pieces_.store->source(); }
  // Nothing here runs on its own: calls end with the server. Safe twice.
  void Shutdown() {}

 private:
  // What the component is made of, in the order in which each needs the ones before.
  struct Pieces {
    std::unique_ptr<StateStore> store;
    std::unique_ptr<KeyBook> keys;
    std::unique_ptr<SessionBook> sessions;
    std::unique_ptr<TokenIssuer> issuer;    // null: no tokens are taken
    std::unique_ptr<IssuerSignIn> sign_in;  // null: nobody signs in at the issuer
    std::unique_ptr<DroneBook> drones;
  };

  AuthComponent(Pieces pieces, const rpc::Authenticator& authenticator, rpc::AuditSink* audit)
      : pieces_(std::move(pieces)),
        service_({*pieces_.keys, *pieces_.sessions, *pieces_.drones, *this, audit, pieces_.sign_in.get()},
                 authenticator) {}

  const Pieces pieces_;
  AuthService service_;
};

}  // namespace chartly::auth

#endif  // CHARTLY_CONTROL_AUTH_AUTH_COMPONENT_H_
