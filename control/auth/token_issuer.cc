#include "control/auth/token_issuer.h"

#include <algorithm>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/rpc/tenants.h"
#include "common/status/status.h"

namespace chartly::auth {
namespace {

constexpr char kPrincipal[] = "people/";
constexpr char kAllProjects[] = "*";

absl::Status Invalid(absl::string_view message) {
  return Error(absl::StatusCode::kInvalidArgument, "ISSUER_INVALID", message);
}

bool IsLoopbackUrl(absl::string_view url) {
  return absl::StartsWith(url, "http://127.0.0.1:") || absl::StartsWith(url, "http://localhost:") ||
         absl::StartsWith(url, "http://[::1]:");
}

absl::Status CheckConfig(const TokenConfig& config) {
  if (!absl::StartsWith(config.issuer, "https://") && !IsLoopbackUrl(config.issuer)) {
    return Invalid(
        absl::StrCat("the issuer of tokens (--oidc-issuer) has to be an https address, not '", config.issuer, "'"));
  }
  if (config.audience.empty()) {
    return Invalid("--oidc-audience is missing: without it a token for any other program would do");
  }
  if (config.role_claim.empty() || config.roles.empty()) {
    return Invalid("--oidc-role ROLE=VALUE is missing: without it no token gives a role");
  }
  return absl::OkStatus();
}

jwt::TokenTerms TermsOf(const TokenConfig& config) {
  jwt::TokenTerms terms{config.issuer, config.audience, config.role_claim};
  terms.tenant_claim = config.tenant_claim;
  terms.project_claim = config.project_claim;
  return terms;
}

}  // namespace

TokenIssuer::TokenIssuer(const TokenConfig& config, Clock& clock)
    : roles_(config.roles), terms_(TermsOf(config)), clock_(clock) {}

TokenIssuer::TokenIssuer(const TokenConfig& config, IssuerKeys::Fetch fetch, Clock& clock)
    : TokenIssuer(config, clock) {
  keys_ = std::make_unique<IssuerKeys>(std::move(fetch), clock);
}

absl::StatusOr<std::unique_ptr<TokenIssuer>> TokenIssuer::Create(const TokenConfig& config, Clock& clock) {
  RETURN_IF_ERROR(CheckConfig(config));
  std::unique_ptr<TokenIssuer> made(new TokenIssuer(config, clock));
  // The address comes from this process's own flags, not from a request, so every range is allowed.
  made->http_ = net::MakeHttpClient(net::EgressPolicy::AllowAll(), config.authorities);
  made->keys_ = std::make_unique<IssuerKeys>(FetchFrom(config.issuer, *made->http_, made->cancel_), clock);
  return made;
}

rpc::Role TokenIssuer::RoleOf(const std::vector<std::string>& texts) const {
  rpc::Role highest = rpc::Role::kNone;
  for (const std::string& text : texts) {
    auto found = roles_.find(text);
    if (found != roles_.end()) highest = std::max(highest, found->second);
  }
  return highest;
}

// A token that does not say which tenant it is of is of none: the default one would be more than was meant.
absl::StatusOr<std::string> TokenIssuer::TenantOf(const std::vector<std::string>& texts) const {
  if (terms_.tenant_claim.empty()) return std::string(rpc::kDefaultTenant);
  if (texts.size() == 1 && rpc::IsTenant(texts[0])) return texts[0];
  return Error(absl::StatusCode::kUnauthenticated, "TOKEN_TENANT_WRONG",
               absl::StrCat("the claim ", terms_.tenant_claim, " of the token does not name one tenant"));
}

// Likewise: who may work in all of them has that said.
absl::StatusOr<rpc::ProjectScope> TokenIssuer::ProjectsOf(const std::vector<std::string>& texts) const {
  if (terms_.project_claim.empty()) return rpc::ProjectScope();
  if (std::count(texts.begin(), texts.end(), kAllProjects) > 0) return rpc::ProjectScope();
  absl::StatusOr<rpc::ProjectScope> projects = rpc::ProjectScope::Parse(texts);
  if (projects.ok() && projects->bound()) return projects;
  return Error(absl::StatusCode::kUnauthenticated, "TOKEN_PROJECTS_WRONG",
               absl::StrCat("the claim ", terms_.project_claim, " of the token names no projects, at most ",
                            rpc::ProjectScope::kMaxProjects, ", and not '*' for all of them"));
}

absl::StatusOr<rpc::Caller> TokenIssuer::Check(absl::string_view text, const jwt::TokenTerms& terms) {
  ASSIGN_OR_RETURN(const jwt::JsonWebToken token, jwt::JsonWebToken::Parse(text));
  ASSIGN_OR_RETURN(const IssuerKeys::Keys keys, keys_->For(token.key_id()));
  ASSIGN_OR_RETURN(const jwt::TokenClaims claims, token.Verify(*keys, terms, clock_.Now()));
  rpc::Caller caller;
  caller.kind = rpc::CallerKind::kKey;
  caller.principal = absl::StrCat(kPrincipal, claims.subject);
  caller.role = RoleOf(claims.list);
  ASSIGN_OR_RETURN(caller.tenant, TenantOf(claims.tenants));
  ASSIGN_OR_RETURN(caller.projects, ProjectsOf(claims.projects));
  return caller;
}

absl::StatusOr<rpc::Caller> TokenIssuer::CheckSignedIn(absl::string_view id_token, const std::string& client,
                                                       const std::string& nonce) {
  jwt::TokenTerms terms = terms_;
  terms.audience = client;
  terms.nonce = nonce;
  return Check(id_token, terms);
}

}  // namespace chartly::auth
