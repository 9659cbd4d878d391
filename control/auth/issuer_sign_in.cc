#include "control/auth/issuer_sign_in.h"

#include <algorithm>
#include <utility>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "common/jwt/token_answer.h"
#include "common/jwt/token_text.h"
#include "common/net/url.h"
#include "common/rpc/key_token.h"
#include "common/status/status.h"

namespace chartly::auth {
namespace {

constexpr size_t kMaxCodeBytes = 4096;

absl::Status Invalid(absl::string_view message) {
  return Error(absl::StatusCode::kInvalidArgument, "SIGN_IN_INVALID", message);
}

bool IsLoopbackName(absl::string_view host) { return host == "127.0.0.1" || host == "localhost" || host == "::1"; }

// Codes and sessions travel there: over TLS, or not beyond this host.
absl::Status CheckPublicUrl(const std::string& url) {
  const absl::StatusOr<net::UrlParts> parts = net::SplitUrl(url);
  const bool is_origin = parts.ok() && (parts->path.empty() || parts->path == "/") && !parts->has_query &&
                         parts->fragment.empty() && !absl::StrContains(parts->authority, '@');
  if (is_origin && (parts->scheme == "https" || IsLoopbackName(net::HostOf(*parts)))) return absl::OkStatus();
  return Invalid(
      absl::StrCat("--oidc-client-id needs --public-url https://HOST[:PORT], the address at which browsers "
                   "reach the page and to which the issuer sends them back, not '",
                   url, "'"));
}

absl::Status CheckConfig(const SignInConfig& config) {
  RETURN_IF_ERROR(CheckPublicUrl(config.public_url));
  if (config.secret_file.empty()) return absl::OkStatus();
  return ReadClientSecret(config.secret_file).status();
}

// A path that every browser takes for one of the same origin, and that is no call of the API.
absl::Status CheckReturnPath(const std::string& path) {
  const bool is_plain =
      path.size() <= IssuerSignIn::kMaxReturnPath && path[0] == '/' && !absl::StartsWith(path, "//") &&
      std::all_of(path.begin(), path.end(), [](char c) { return absl::ascii_isgraph(c) && c != '\\'; });
  if (is_plain && !absl::StartsWith(path, "/api/")) return absl::OkStatus();
  return Error(absl::StatusCode::kInvalidArgument, "RETURN_PATH_INVALID",
               "return_path has to be a path of this page that begins with one /; open the page and sign in there");
}

}  // namespace

IssuerSignIn::IssuerSignIn(const SignInConfig& config, TokenIssuer& issuer, Clock& clock)
    : config_(config), origin_(absl::StripSuffix(config.public_url, "/")), issuer_(issuer), clock_(clock) {}

absl::StatusOr<std::unique_ptr<IssuerSignIn>> IssuerSignIn::Create(const SignInConfig& config, TokenIssuer& issuer,
                                                                   CodeExchange exchange, Clock& clock) {
  RETURN_IF_ERROR(CheckConfig(config));
  std::unique_ptr<IssuerSignIn> made(new IssuerSignIn(config, issuer, clock));
  ASSIGN_OR_RETURN(made->tickets_, SignInTickets::Create());
  made->exchange_ = std::move(exchange);
  return made;
}

absl::StatusOr<std::unique_ptr<IssuerSignIn>> IssuerSignIn::Create(const SignInConfig& config, TokenIssuer& issuer,
                                                                   const std::string& authorities, Clock& clock) {
  ASSIGN_OR_RETURN(std::unique_ptr<IssuerSignIn> made, Create(config, issuer, CodeExchange(), clock));
  // The address comes from the issuer that this process's own flags name, not from a request.
  made->http_ = net::MakeHttpClient(net::EgressPolicy::AllowAll(), authorities);
  made->exchange_ = ExchangeOver(*made->http_, made->cancel_, config.client_id, config.secret_file);
  return made;
}

std::string IssuerSignIn::IssuerHost() const {
  const absl::StatusOr<net::UrlParts> parts = net::SplitUrl(issuer_.issuer());
  return parts.ok() ? net::HostOf(*parts) : issuer_.issuer();
}

absl::StatusOr<IssuerSignIn::Begun> IssuerSignIn::Begin(const std::string& return_path) {
  const std::string path = return_path.empty() ? "/" : return_path;
  RETURN_IF_ERROR(CheckReturnPath(path));
  ASSIGN_OR_RETURN(const jwt::IssuerDescription description, issuer_.Description());
  const absl::StatusOr<net::UrlParts> place = net::SplitUrl(description.authorization_address);
  if (!place.ok()) {
    return Error(absl::StatusCode::kFailedPrecondition, "ISSUER_WRONG",
                 absl::StrCat("the issuer ", issuer_.issuer(),
                              " gives no https address at which people sign in; use a "
                              "key"));
  }
  ASSIGN_OR_RETURN(SignInTicket ticket, tickets_->Make(path, clock_.Now()));
  const std::string challenge = jwt::Base64UrlEncode(rpc::AsText(rpc::DigestOf(ticket.verifier.Reveal())));
  std::string scopes = "openid";
  for (const std::string& scope : config_.scopes) absl::StrAppend(&scopes, " ", scope);
  const std::string url = net::JoinUrl(*place);
  return Begun{absl::StrCat(url, place->has_query ? "&" : "?",
                            "response_type=code&client_id=", net::EscapeQuery(config_.client_id),
                            "&redirect_uri=", net::EscapeQuery(absl::StrCat(origin_, kCallbackPath)),
                            "&scope=", net::EscapeQuery(scopes), "&state=", ticket.state, "&nonce=", ticket.nonce,
                            "&code_challenge=", challenge, "&code_challenge_method=S256"),
               std::move(ticket.text)};
}

absl::StatusOr<SignInTicket> IssuerSignIn::Redeem(const Brought& brought) {
  const absl::Time now = clock_.Now();
  ASSIGN_OR_RETURN(SignInTicket ticket, tickets_->Open(brought.ticket.Reveal(), now));
  if (!rpc::SameDigest(brought.state, ticket.state)) {
    return Error(absl::StatusCode::kPermissionDenied, "SIGN_IN_STATE_WRONG",
                 "what came back from the issuer does not belong to the sign-in that this browser began last; sign in "
                 "again from the page");
  }
  RETURN_IF_ERROR(tickets_->Use(ticket, now));
  if (!brought.issuer.empty() && brought.issuer != issuer_.issuer()) {
    return Error(absl::StatusCode::kFailedPrecondition, "ISSUER_WRONG",
                 absl::StrCat("the browser does not come from ", issuer_.issuer(), "; sign in again from the page"));
  }
  if (!brought.error.empty()) {
    const std::string why = jwt::IsPlainErrorCode(brought.error) ? brought.error : "no reason";
    return Error(absl::StatusCode::kPermissionDenied, "SIGN_IN_REFUSED",
                 absl::StrCat("the issuer let nobody sign in (", why, "); sign in again, or use a key"),
                 {{"error", why}});
  }
  if (!brought.code.empty() && brought.code.Reveal().size() <= kMaxCodeBytes) return ticket;
  return Error(absl::StatusCode::kInvalidArgument, "SIGN_IN_CODE_MISSING",
               "the browser brought no code from the issuer; sign in again from the page");
}

absl::Status IssuerSignIn::Enter() {
  absl::MutexLock lock(&mu_);
  if (under_way_ < kMaxUnderWay) {
    ++under_way_;
    return absl::OkStatus();
  }
  return Error(absl::StatusCode::kUnavailable, "SIGN_IN_BUSY",
               "too many people sign in at once; sign in again in a few seconds", {{"retry_after_seconds", "5"}});
}

void IssuerSignIn::Leave() {
  absl::MutexLock lock(&mu_);
  --under_way_;
}

absl::StatusOr<IssuerSignIn::Person> IssuerSignIn::Finish(const Brought& brought) {
  RETURN_IF_ERROR(Enter());
  const absl::Cleanup leave = [this] { Leave(); };
  ASSIGN_OR_RETURN(const SignInTicket ticket, Redeem(brought));
  ASSIGN_OR_RETURN(const jwt::IssuerDescription description, issuer_.Description());
  const CodeGrant grant{brought.code, ticket.verifier, absl::StrCat(origin_, kCallbackPath)};
  ASSIGN_OR_RETURN(const std::string id_token, exchange_(description, grant));
  Person person;
  ASSIGN_OR_RETURN(person.caller, issuer_.CheckSignedIn(id_token, config_.client_id, ticket.nonce));
  // The path was checked when the ticket was made; behind the origin no path leads elsewhere.
  person.location = absl::StrCat(origin_, ticket.return_path);
  return person;
}

}  // namespace chartly::auth
