#include "control/gateway/session_cookie.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "chartly/v1/auth.pb.h"
#include "common/rpc/key_token.h"
#include "common/status/status.h"
#include "control/gateway/cookie.h"

namespace chartly::gateway {
namespace {

constexpr char kName[] = "chartly_session";
constexpr char kCsrfPurpose[] = "chartly csrf";
constexpr char kEnded[] = "SESSION_ENDED";

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

void TakeAway(const SessionUse& use, http::Response& response) {
  response.headers.emplace_back("Set-Cookie", CookieText(kName, use.secure, "", "Strict", "; Max-Age=0"));
}

absl::Status Ended() {
  return Error(absl::StatusCode::kUnauthenticated, kEnded, "the session has ended; sign in again");
}

}  // namespace

absl::StatusOr<std::string> SessionOf(const http::Request& request) {
  const std::vector<std::string> values = CookiesOf(request, kName);
  if (values.size() > 1 || (values.size() == 1 && !rpc::IsSessionToken(values[0]))) return Ended();
  std::string session = values.empty() ? "" : values[0];
  if (session.empty() || !Changes(request)) return session;
  if (rpc::SameDigest(HeaderOf(request, "x-csrf-token"), CsrfTokenOf(session))) return session;
  return Error(absl::StatusCode::kPermissionDenied, "CSRF_TOKEN_WRONG",
               "a change made with a session needs X-CSRF-Token; get it from GET /api/session");
}

bool BeginsSession(const google::protobuf::MethodDescriptor& method) {
  return method.input_type() == v1::SignInRequest::descriptor();
}

absl::Status CheckSignIn(const http::Request& request) {
  const std::string& site = HeaderOf(request, "sec-fetch-site");
  if (!site.empty() && site != "same-origin" && site != "none") {
    return Error(absl::StatusCode::kPermissionDenied, "ORIGIN_WRONG", "a page of another origin may not sign in here");
  }
  // Forms of other pages cannot send this type.
  if (absl::StartsWithIgnoreCase(HeaderOf(request, "content-type"), "application/json")) return absl::OkStatus();
  return Error(absl::StatusCode::kInvalidArgument, "CONTENT_TYPE_WRONG", "send Content-Type: application/json");
}

SessionUse SessionUseOf(const http::Request& request) { return {Secret(), SpeaksTls(request)}; }

void GiveSession(const SessionUse& use, absl::string_view session, http::Response& response) {
  response.headers.emplace_back("Set-Cookie", CookieText(kName, use.secure, session, "Strict", ""));
}

void DressAnswer(const SessionUse& use, google::protobuf::Message& answer, http::Response& response) {
  if (answer.GetDescriptor() == v1::SignOutResponse::descriptor()) return TakeAway(use, response);
  if (answer.GetDescriptor() != v1::Session::descriptor()) return;
  auto& session = static_cast<v1::Session&>(answer);
  if (!session.token().empty()) {
    GiveSession(use, session.token(), response);
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
