#include "drone/fetch/credentials.h"

#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "common/net/url.h"
#include "common/status/status.h"
#include "common/text/sha256.h"
#include "drone/decode/json_tree.h"
#include "drone/fetch/page_url.h"
#include "drone/fetch/retry.h"

namespace chartly::drone {
namespace {

constexpr int64_t kMaxTokenBytes = 64 << 10;
constexpr absl::Duration kDefaultLife = absl::Minutes(5);  // of a token whose answer does not say

std::string OriginOrNothing(const std::string& url) {
  absl::StatusOr<net::UrlParts> parts = net::SplitUrl(url);
  return parts.ok() ? net::OriginOf(*parts) : "";
}

// Unlike EscapeQuery, leaves nothing but what every reader of a form takes as it is.
std::string FormEncode(absl::string_view text) {
  constexpr char kDigits[] = "0123456789ABCDEF";
  std::string out;
  for (unsigned char c : text) {
    if (absl::ascii_isalnum(c) || c == '-' || c == '_' || c == '.' || c == '~') {
      out.push_back(static_cast<char>(c));
    } else {
      out.append({'%', kDigits[c >> 4], kDigits[c & 15]});
    }
  }
  return out;
}

absl::Status TokenError(absl::StatusCode code, const std::string& url, absl::string_view what) {
  return Error(code, "SOURCE_AUTH",
               absl::StrCat("no token from ", RedactUrl(url), ": ", what, "; check source.auth and the secret"));
}

struct Token {
  std::string text;
  absl::Duration life = kDefaultLife;
};

absl::StatusOr<Token> ParseToken(const std::string& body, const std::string& url) {
  JsonTree tree;
  absl::Status parsed = tree.Parse(body);
  if (!parsed.ok()) return TokenError(absl::StatusCode::kFailedPrecondition, url, "the answer is no JSON");
  JsonTree::Index text = tree.Member(JsonTree::kRoot, "access_token");
  if (text == JsonTree::kNone || tree.kind(text) != JsonTree::Kind::kString) {
    return TokenError(absl::StatusCode::kFailedPrecondition, url, "the answer holds no access_token");
  }
  Token token{std::string(tree.text(text))};
  JsonTree::Index life = tree.Member(JsonTree::kRoot, "expires_in");
  int64_t seconds = 0;
  if (life != JsonTree::kNone && absl::SimpleAtoi(tree.text(life), &seconds)) token.life = absl::Seconds(seconds);
  return token;
}

}  // namespace

Credentials::Credentials(const SourceConfig& source, const Secrets* secrets, net::HttpClient& http, TokenCache& tokens,
                         Clock& clock)
    : config_(source.auth),
      origin_(OriginOrNothing(source.url)),
      secrets_(secrets),
      http_(http),
      tokens_(tokens),
      clock_(clock) {}

absl::Status Credentials::Apply(net::HttpRequest& request) {
  if (config_.type == AuthType::kNone || OriginOrNothing(request.url) != origin_) return absl::OkStatus();
  switch (config_.type) {
    case AuthType::kBasic:
      return ApplyBasic(request);
    case AuthType::kOauth2:
      return ApplyToken(request);
    case AuthType::kMtls:
      return ApplyCertificate(request);
    case AuthType::kNone:
    case AuthType::kBearer:
    case AuthType::kHeader:
    case AuthType::kQuery:
      break;
  }
  ASSIGN_OR_RETURN(std::string secret, Secret(config_.secret));
  if (config_.type == AuthType::kBearer) {
    request.headers["Authorization"] = absl::StrCat("Bearer ", secret);
  } else if (config_.type == AuthType::kHeader) {
    request.headers[config_.name.empty() ? "X-API-Key" : config_.name] = absl::StrCat(config_.prefix, secret);
  } else {
    ASSIGN_OR_RETURN(request.url, WithParameter(request.url, config_.name.empty() ? "api_key" : config_.name, secret));
  }
  return absl::OkStatus();
}

absl::Status Credentials::ApplyBasic(net::HttpRequest& request) {
  ASSIGN_OR_RETURN(std::string password, Secret(config_.secret));
  std::string encoded = absl::Base64Escape(absl::StrCat(config_.username, ":", password));
  Hide(encoded);
  request.headers["Authorization"] = absl::StrCat("Basic ", encoded);
  return absl::OkStatus();
}

absl::Status Credentials::ApplyToken(net::HttpRequest& request) {
  ASSIGN_OR_RETURN(std::string secret, Secret(config_.secret));
  // With the secret in the key, a rotated one asks for a token of its own.
  token_key_ = Sha256Hex(
      absl::StrCat(config_.token_url, "\n", config_.username, "\n", absl::StrJoin(config_.scopes, " "), "\n", secret));
  std::optional<std::string> token = tokens_.Get(token_key_, clock_.Now());
  if (!token) {
    ASSIGN_OR_RETURN(token, FetchToken(request));
  }
  Hide(*token);
  request.headers["Authorization"] = absl::StrCat("Bearer ", *token);
  return absl::OkStatus();
}

absl::Status Credentials::ApplyCertificate(net::HttpRequest& request) {
  ASSIGN_OR_RETURN(request.client_certificate, Secret(config_.certificate));
  ASSIGN_OR_RETURN(request.client_key, Secret(config_.private_key));
  return absl::OkStatus();
}

absl::StatusOr<std::string> Credentials::FetchToken(const net::HttpRequest& request) {
  ASSIGN_OR_RETURN(std::string secret, Secret(config_.secret));
  net::HttpRequest ask;
  ask.method = "POST";
  ask.url = config_.token_url;
  std::string id_and_secret = absl::Base64Escape(absl::StrCat(FormEncode(config_.username), ":", FormEncode(secret)));
  Hide(id_and_secret);
  ask.headers = {{"Authorization", absl::StrCat("Basic ", id_and_secret)},
                 {"Content-Type", "application/x-www-form-urlencoded"},
                 {"Accept", "application/json"}};
  ask.body = "grant_type=client_credentials";
  if (!config_.scopes.empty()) absl::StrAppend(&ask.body, "&scope=", FormEncode(absl::StrJoin(config_.scopes, " ")));
  ask.timeout = request.timeout;
  ask.max_bytes = kMaxTokenBytes;
  ask.max_redirects = 0;
  ask.cancel = request.cancel;
  asked_ = asked_ || OriginOrNothing(ask.url) == origin_;
  absl::StatusOr<net::HttpResponse> response = http_.Send(ask);
  if (!response.ok()) return Annotate(response.status(), "asking for a token (source.auth.token_url)");
  if (response->status != 200) {
    bool transient = IsTransientHttpStatus(response->status);
    return TokenError(transient ? absl::StatusCode::kUnavailable : absl::StatusCode::kPermissionDenied,
                      config_.token_url, absl::StrCat("HTTP status ", response->status));
  }
  ASSIGN_OR_RETURN(Token token, ParseToken(response->body, config_.token_url));
  tokens_.Put(token_key_, token.text, clock_.Now() + token.life);
  return token.text;
}

bool Credentials::TakeAsked() { return std::exchange(asked_, false); }

bool Credentials::Renew() {
  if (config_.type != AuthType::kOauth2 || std::exchange(renewed_, true)) return false;
  tokens_.Forget(token_key_);
  return true;
}

absl::StatusOr<std::string> Credentials::Secret(const SecretRef& ref) {
  static const Secrets* const kNone = new Secrets("");
  ASSIGN_OR_RETURN(std::string secret, (secrets_ == nullptr ? *kNone : *secrets_).Get(ref));
  Hide(secret);
  return secret;
}

void Credentials::Hide(const std::string& secret) {
  hidden_.insert({secret, net::EscapeQuery(secret), FormEncode(secret), absl::Utf8SafeCHexEscape(secret)});
}

std::string Credentials::Redact(absl::string_view text) const {
  std::vector<std::pair<absl::string_view, absl::string_view>> replacements;
  for (const std::string& secret : hidden_) replacements.emplace_back(secret, "[redacted]");
  return absl::StrReplaceAll(text, replacements);
}

}  // namespace chartly::drone
