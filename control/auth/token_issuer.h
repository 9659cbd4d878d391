// Who stands behind a token that an OpenID Connect issuer has signed, and which role that gives: the highest that a
// text of the role claim is mapped to; none if none is. Thread-safe.
#ifndef CHARTLY_CONTROL_AUTH_TOKEN_ISSUER_H_
#define CHARTLY_CONTROL_AUTH_TOKEN_ISSUER_H_

#include <atomic>
#include <map>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/clock/clock.h"
#include "common/jwt/json_web_token.h"
#include "common/net/http_client.h"
#include "common/rpc/caller.h"
#include "control/auth/issuer_keys.h"

namespace chartly::auth {

struct TokenConfig {
  std::string issuer;  // https://...; empty: no tokens are taken
  std::string audience;
  std::string role_claim = "groups";
  std::string tenant_claim;                // empty: all tokens are of the default tenant
  std::string project_claim;               // empty: no token is bound to projects
  std::map<std::string, rpc::Role> roles;  // by what the claim holds
  std::string authorities;                 // PEM texts to trust beside those of the machine
};

class TokenIssuer {
 public:
  // InvalidArgument (ISSUER_INVALID) if the address is neither https nor on loopback, or there is no audience or role.
  // The clock must outlive it. Asks nobody yet.
  static absl::StatusOr<std::unique_ptr<TokenIssuer>> Create(const TokenConfig& config, Clock& clock);
  // `fetch` in place of the network.
  TokenIssuer(const TokenConfig& config, IssuerKeys::Fetch fetch, Clock& clock);
  ~TokenIssuer() { cancel_ = true; }

  // As rpc::CredentialDirectory::CheckToken.
  absl::StatusOr<rpc::Caller> Check(absl::string_view token) { return Check(token, terms_); }
  // Who signed in, as the ID token that `client` got for a question with that nonce tells. As Check; Unauthenticated
  // (TOKEN_PARTY_WRONG, TOKEN_NONCE_WRONG). Requires: neither is empty.
  absl::StatusOr<rpc::Caller> CheckSignedIn(absl::string_view id_token, const std::string& client,
                                            const std::string& nonce);
  // How the issuer describes itself. Unavailable (ISSUER_UNREACHABLE).
  absl::StatusOr<jwt::IssuerDescription> Description() { return keys_->Description(); }
  // Its address.
  const std::string& issuer() const { return terms_.issuer; }

 private:
  TokenIssuer(const TokenConfig& config, Clock& clock);
  absl::StatusOr<rpc::Caller> Check(absl::string_view token, const jwt::TokenTerms& terms);
  rpc::Role RoleOf(const std::vector<std::string>& texts) const;
  // Unauthenticated (TOKEN_TENANT_WRONG).
  absl::StatusOr<std::string> TenantOf(const std::vector<std::string>& texts) const;
  // Unauthenticated (TOKEN_PROJECTS_WRONG).
  absl::StatusOr<rpc::ProjectScope> ProjectsOf(const std::vector<std::string>& texts) const;

  const std::map<std::string, rpc::Role> roles_;
  const jwt::TokenTerms terms_;
  Clock& clock_;
  std::atomic<bool> cancel_{false};
  std::unique_ptr<net::HttpClient> http_;
  std::unique_ptr<IssuerKeys> keys_;  // last: its thread uses the others
};

}  // namespace chartly::auth

#endif  // CHARTLY_CONTROL_AUTH_TOKEN_ISSUER_H_
