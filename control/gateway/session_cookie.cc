#include "control/gateway/session_cookie.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "chartly/v1/auth.pb.h"
#include "common/rpc/key_token.h"
#include "common/status/status.h"

namespace chartly::gateway {
namespace {

// Browsers take a cookie of this name only over TLS, for the whole host, and from nobody but it.
constexpr char kSecureName[] = "__Host-chartly_session";
constexpr char kPlainName[] = "chartly_session";
constexpr char kCsrfPurpose[] = "chartly csrf";
constexpr char kEnded[] = "SESSION_ENDED";

const std::string& Header(const http::Request& request, const std::string& name) {
  static const auto* none = new std::string;
  auto found = request.headers.find(name);
  return found == request.headers.end() ? *none : found->second;
}

// A proxy that ends TLS says so. Whoever says so without TLS only keeps a cookie from being sent back.
bool IsSecure(const http::Request& request) {
  return request.secure || absl::EqualsIgnoreCase(Header(request, "x-forwarded-proto"), "https");
}

absl::string_view NameOf(bool secure) { return secure ? kSecureName : kPlainName; }

// Follows from the session, so that nothing has to be kept; tells nothing of it.
std::string CsrfTokenOf(absl::string_view session) {
  unsigned char mac[EVP_MAX_MD_SIZE];
  unsigned size = 0;
  HMAC(EVP_sha256(), session.data(), static_cast<int>(session.size()),
       reinterpret_cast<const unsigned char*>(kCsrfPurpose), sizeof(kCsrfPurpose) - 1, mac, &size);
  return absl::BytesToHexString(absl::string_view(reinterpret_cast<const char*>(mac), size));
}

bool Changes(const http::Request& request) {
  return request.method != "GET" && request.method != "HEAD" && request.method != "OPTIONS";
}

std::string Cookie(bool secure, absl::string_view value, absl::string_view life) {
  return absl::StrCat(NameOf(secure), "=", value, "; Path=/; HttpOnly; SameSite=Strict", life,
                      secure ? "; Secure" : "");
}

void TakeAway(const SessionUse& use, http::Response& response) {
  response.headers.emplace_back("Set-Cookie", Cookie(use.secure, "", "; Max-Age=0"));
}

absl::Status Ended() {
  return Error(absl::StatusCode::kUnauthenticated, kEnded, "the session has ended; sign in again");
}

}  // namespace

absl::StatusOr<std::string> SessionOf(const http::Request& request) {
  const absl::string_view name = NameOf(IsSecure(request));
  std::string session;
  for (absl::string_view pair : absl::StrSplit(Header(request, "cookie"), ';')) {
    pair = absl::StripAsciiWhitespace(pair);
    if (!absl::ConsumePrefix(&pair, name) || !absl::ConsumePrefix(&pair, "=")) continue;
    // Two of them come from two places, and only one is ours.
    if (!session.empty() || !rpc::IsSessionToken(pair)) return Ended();
    session = std::string(pair);
  }
  if (session.empty() || !Changes(request)) return session;
  if (rpc::SameDigest(Header(request, "x-csrf-token"), CsrfTokenOf(session))) return session;
  return Error(absl::StatusCode::kPermissionDenied, "CSRF_TOKEN_WRONG",
               "a change made with a session needs X-CSRF-Token; get it from GET /api/session");
}

bool BeginsSession(const google::protobuf::MethodDescriptor& method) {
  return method.input_type() == v1::SignInRequest::descriptor();
}

absl::Status CheckSignIn(const http::Request& request) {
  const std::string& site = Header(request, "sec-fetch-site");
  if (!site.empty() && site != "same-origin" && site != "none") {
    return Error(absl::StatusCode::kPermissionDenied, "ORIGIN_WRONG", "a page of another origin may not sign in here");
  }
  // Forms of other pages cannot send this type.
  if (absl::StartsWithIgnoreCase(Header(request, "content-type"), "application/json")) return absl::OkStatus();
  return Error(absl::StatusCode::kInvalidArgument, "CONTENT_TYPE_WRONG", "send Content-Type: application/json");
}

SessionUse SessionUseOf(const http::Request& request) { return {Secret(), IsSecure(request)}; }

void DressAnswer(const SessionUse& use, google::protobuf::Message& answer, http::Response& response) {
  if (answer.GetDescriptor() == v1::SignOutResponse::descriptor()) return TakeAway(use, response);
  if (answer.GetDescriptor() != v1::Session::descriptor()) return;
  auto& session = static_cast<v1::Session&>(answer);
  if (!session.token().empty()) {
    response.headers.emplace_back("Set-Cookie", Cookie(use.secure, session.token(), ""));
    session.set_csrf_token(CsrfTokenOf(session.token()));
    session.clear_token();
  } else if (!use.session.empty()) {
    session.set_csrf_token(CsrfTokenOf(use.session.Reveal()));
  }
}

void DressRefusal(const SessionUse& use, const absl::Status& status, http::Response& response) {
  if (!use.session.empty() && Reason(status) == kEnded) TakeAway(use, response);
}

}  // namespace chartly::gateway
