#include "control/auth/auth_component.h"

#include "common/rpc/key_token.h"
#include "common/status/status.h"

namespace chartly::auth {

absl::StatusOr<std::unique_ptr<AuthComponent>> AuthComponent::Open(const AuthConfig& config,
                                                                   const rpc::Authenticator& authenticator,
                                                                   rpc::AuditSink* audit, Clock& clock) {
  Pieces pieces;
  ASSIGN_OR_RETURN(pieces.store, OpenEmbeddedStateStore(config.data_dir + "/auth", clock, config.keep_log_bytes));
  ASSIGN_OR_RETURN(pieces.keys, KeyBook::Open(*pieces.store, clock));
  const auto find_key = [&authenticator, keys = pieces.keys.get()](
                            absl::string_view key_id, const rpc::KeyDigest& digest) -> absl::StatusOr<rpc::Caller> {
    if (!key_id.empty()) return keys->CheckKey(key_id, digest);
    return authenticator.AuthenticateKey(key_id, digest);
  };
  SessionTerms terms = config.sessions;
  if (!config.sign_in.client_id.empty()) terms.issuer = config.tokens.issuer;
  ASSIGN_OR_RETURN(pieces.sessions, SessionBook::Open(*pieces.store, terms, find_key, clock));
  if (!config.tokens.issuer.empty()) {
    ASSIGN_OR_RETURN(pieces.issuer, TokenIssuer::Create(config.tokens, clock));
  }
  if (pieces.issuer != nullptr && !config.sign_in.client_id.empty()) {
    ASSIGN_OR_RETURN(pieces.sign_in,
                     IssuerSignIn::Create(config.sign_in, *pieces.issuer, config.tokens.authorities, clock));
  }
  ASSIGN_OR_RETURN(
      x509::Authority authority,
      x509::Authority::LoadOrCreate(config.tls_dir.empty() ? config.data_dir + "/tls" : config.tls_dir, clock.Now()));
  ASSIGN_OR_RETURN(pieces.drones, DroneBook::Open(*pieces.store, std::move(authority), config.certificate_life, clock));
  return std::unique_ptr<AuthComponent>(new AuthComponent(std::move(pieces), authenticator, audit));
}

absl::StatusOr<rpc::Caller> AuthComponent::CheckToken(absl::string_view token) {
  if (pieces_.issuer != nullptr) return pieces_.issuer->Check(token);
  return Error(absl::StatusCode::kUnauthenticated, "TOKENS_NOT_TAKEN",
               "this control plane takes no signed tokens (--oidc-issuer); send an API key");
}

}  // namespace chartly::auth
