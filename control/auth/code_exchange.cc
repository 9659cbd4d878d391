#include "control/auth/code_exchange.h"

#include <sys/stat.h>

#include <fstream>
#include <iterator>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "common/jwt/token_answer.h"
#include "common/net/url.h"
#include "common/status/status.h"

namespace chartly::auth {
namespace {

constexpr int64_t kMaxAnswerBytes = int64_t{64} << 10;
constexpr size_t kMaxSecretBytes = 4096;

absl::Status BadSecret(const std::string& path, absl::string_view why) {
  return Error(absl::StatusCode::kFailedPrecondition, "CLIENT_SECRET_INVALID",
               absl::StrCat("the secret of the client of the issuer (--oidc-client-secret-file ", path, ") ", why),
               {{"path", path}});
}

// Who asks: in the header or the body, whichever the issuer takes; a public client names itself alone.
void AddClient(const jwt::IssuerDescription& issuer, const std::string& id, const Secret& secret,
               net::HttpRequest& request) {
  if (!secret.empty() && issuer.takes_basic) {
    const std::string pair = absl::StrCat(net::EscapeQuery(id), ":", net::EscapeQuery(secret.Reveal()));
    request.headers["Authorization"] = absl::StrCat("Basic ", absl::Base64Escape(pair));
    return;
  }
  absl::StrAppend(&request.body, "&client_id=", net::EscapeQuery(id));
  if (!secret.empty()) absl::StrAppend(&request.body, "&client_secret=", net::EscapeQuery(secret.Reveal()));
}

net::HttpRequest RequestOf(const jwt::IssuerDescription& issuer, const CodeGrant& grant) {
  net::HttpRequest request;
  request.method = "POST";
  request.url = issuer.token_address;
  request.headers["Accept"] = "application/json";
  request.headers["Content-Type"] = "application/x-www-form-urlencoded";
  request.body = absl::StrCat("grant_type=authorization_code&code=", net::EscapeQuery(grant.code.Reveal()),
                              "&redirect_uri=", net::EscapeQuery(grant.redirect_url),
                              "&code_verifier=", net::EscapeQuery(grant.verifier.Reveal()));
  request.timeout = kExchangeTime;
  request.max_bytes = kMaxAnswerBytes;
  request.max_redirects = 0;
  return request;
}

absl::Status Refusal(int status, const std::string& error) {
  const std::string what = absl::StrCat("status ", status, error.empty() ? "" : " ", error);
  if (error == "invalid_grant") {
    return Error(absl::StatusCode::kUnauthenticated, "SIGN_IN_CODE_REFUSED",
                 "the issuer does not take the code that the browser brought: it was used before or is too old; sign "
                 "in again");
  }
  if (status == 401 || error == "invalid_client" || error == "unauthorized_client") {
    return Error(absl::StatusCode::kFailedPrecondition, "ISSUER_CLIENT_REFUSED",
                 absl::StrCat("the issuer does not take this control plane as its client (", what,
                              "); whoever runs it has to check --oidc-client-id and --oidc-client-secret-file"));
  }
  if (status >= 500 || status == 429) {
    return Error(absl::StatusCode::kUnavailable, "ISSUER_UNREACHABLE",
                 absl::StrCat("the issuer cannot sign anybody in now (", what, "); try again later, or use a key"));
  }
  return Error(absl::StatusCode::kInternal, "ISSUER_ANSWER_INVALID",
               absl::StrCat("the issuer did not exchange the code (", what, ")"));
}

}  // namespace

absl::StatusOr<Secret> ReadClientSecret(const std::string& path) {
  struct stat info {};
  if (::stat(path.c_str(), &info) != 0) return BadSecret(path, "cannot be read");
  if ((info.st_mode & S_IRWXO) != 0) return BadSecret(path, "may be read by every user of this host; run: chmod o=");
  std::ifstream file(path, std::ios::binary);
  std::string text(kMaxSecretBytes + 1, '\0');
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (!file.eof() || file.bad()) return BadSecret(path, absl::StrCat("is longer than ", kMaxSecretBytes, " bytes"));
  text.resize(static_cast<size_t>(file.gcount()));
  absl::string_view value = text;
  absl::ConsumeSuffix(&value, "\n");
  absl::ConsumeSuffix(&value, "\r");
  if (value.empty()) return BadSecret(path, "is empty");
  return Secret(std::string(value));
}

CodeExchange ExchangeOver(net::HttpClient& http, const std::atomic<bool>& cancel, std::string client_id,
                          std::string secret_file) {
  return [&http, &cancel, client_id = std::move(client_id), secret_file = std::move(secret_file)](
             const jwt::IssuerDescription& issuer, const CodeGrant& grant) -> absl::StatusOr<std::string> {
    if (issuer.token_address.empty()) {
      return Error(absl::StatusCode::kFailedPrecondition, "ISSUER_WRONG",
                   absl::StrCat("the issuer ", issuer.issuer, " gives no https address to exchange codes at"));
    }
    Secret secret;
    if (!secret_file.empty()) {
      ASSIGN_OR_RETURN(secret, ReadClientSecret(secret_file));
    }
    net::HttpRequest request = RequestOf(issuer, grant);
    AddClient(issuer, client_id, secret, request);
    request.cancel = &cancel;
    const absl::StatusOr<net::HttpResponse> response = http.Send(request);
    if (!response.ok()) {
      return Error(
          absl::StatusCode::kUnavailable, "ISSUER_UNREACHABLE",
          absl::StrCat("the issuer does not answer: ", response.status().message(), "; try again later, or use a key"));
    }
    jwt::TokenAnswer answer = jwt::ReadTokenAnswer(response->body);
    if (response->status != 200) return Refusal(response->status, answer.error);
    if (!answer.id_token.empty()) return std::move(answer.id_token);
    return Error(absl::StatusCode::kInternal, "ISSUER_ANSWER_INVALID",
                 "the issuer exchanged the code for something without an ID token");
  };
}

}  // namespace chartly::auth
