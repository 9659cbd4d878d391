#include "control/gateway/session_cookie.h"

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "chartly/v1/auth.pb.h"
#include "common/rpc/key_token.h"
#include "common/status/status.h"
#include "test/support/test.h"

namespace chartly::gateway {
namespace {

const std::string kToken = "chs_" + std::string(64, 'a');

http::Request Ask(const std::string& method, std::map<std::string, std::string> headers, bool secure = false) {
  http::Request request;
  request.method = method;
  request.headers = std::move(headers);
  request.secure = secure;
  return request;
}

std::string CookieOf(const http::Response& response) {
  for (const auto& [name, value] : response.headers) {
    if (name == "Set-Cookie") return value;
  }
  return "";
}

// What a page gets that signed in.
struct SignedIn {
  http::Response response;
  v1::Session session;
  explicit SignedIn(bool secure) {
    session.set_token(kToken);
    DressAnswer({Secret(), secure}, session, response);
  }
};

}  // namespace

TEST_CASE("a session is in the cookie and not in the answer, and scripts and other sites do not get it") {
  SignedIn open(false);
  CHECK(CookieOf(open.response) == "chartly_session=" + kToken + "; Path=/; HttpOnly; SameSite=Strict");
  CHECK(open.session.token().empty());
  CHECK(open.session.csrf_token().size() == 64);
  SignedIn secure(true);
  CHECK(CookieOf(secure.response) ==
        "__Host-chartly_session=" + kToken + "; Path=/; HttpOnly; SameSite=Strict; Secure");
}

TEST_CASE("a read needs the cookie, a change what the page was told beside it") {
  const SignedIn page(false);
  const std::string cookie = absl::StrCat("theme=dark; chartly_session=", kToken, "; a=b");
  CHECK(SessionOf(Ask("GET", {{"cookie", cookie}})).value() == kToken);
  for (const char* method : {"POST", "PUT", "DELETE", "PATCH"}) {
    CHECK(Reason(SessionOf(Ask(method, {{"cookie", cookie}})).status()) == "CSRF_TOKEN_WRONG");
    CHECK(Reason(SessionOf(Ask(method, {{"cookie", cookie}, {"x-csrf-token", kToken}})).status()) ==
          "CSRF_TOKEN_WRONG");
    const std::string token = page.session.csrf_token();
    CHECK(SessionOf(Ask(method, {{"cookie", cookie}, {"x-csrf-token", token}})).value() == kToken);
  }
  CHECK(SessionOf(Ask("POST", {})).value().empty());
}

TEST_CASE("what is no session, or one of two, is refused and not taken for nothing") {
  for (const std::string& value :
       {std::string("admin"), std::string(), kToken + "a", "chk_" + std::string(64, 'a'),
        "chs_" + std::string(64, '\xff'), kToken + "; chartly_session=chs_" + std::string(64, 'b')}) {
    CHECK(Reason(SessionOf(Ask("GET", {{"cookie", "chartly_session=" + value}})).status()) == "SESSION_ENDED");
  }
  CHECK(SessionOf(Ask("GET", {{"cookie", "xchartly_session=admin; chartly_sessionx=1"}})).value().empty());
}

TEST_CASE("over TLS only the cookie counts that nobody else can have set") {
  const std::string plain = "chartly_session=" + kToken;
  CHECK(SessionOf(Ask("GET", {{"cookie", plain}}, true)).value().empty());
  CHECK(SessionOf(Ask("GET", {{"cookie", "__Host-" + plain}}, true)).value() == kToken);
  CHECK(SessionOf(Ask("GET", {{"cookie", "__Host-" + plain}, {"x-forwarded-proto", "https"}})).value() == kToken);
  CHECK(SessionOf(Ask("GET", {{"cookie", "__Host-" + plain}})).value().empty());
}

TEST_CASE("no page of another origin signs its visitor in") {
  const std::string json = "application/json; charset=utf-8";
  CHECK_OK(CheckSignIn(Ask("POST", {{"content-type", json}})));
  CHECK_OK(CheckSignIn(Ask("POST", {{"content-type", json}, {"sec-fetch-site", "same-origin"}})));
  CHECK(Reason(CheckSignIn(Ask("POST", {{"content-type", json}, {"sec-fetch-site", "cross-site"}}))) == "ORIGIN_WRONG");
  CHECK(Reason(CheckSignIn(Ask("POST", {{"content-type", json}, {"sec-fetch-site", "same-site"}}))) == "ORIGIN_WRONG");
  for (const char* form : {"text/plain", "application/x-www-form-urlencoded", ""}) {
    CHECK(Reason(CheckSignIn(Ask("POST", {{"content-type", form}}))) == "CONTENT_TYPE_WRONG");
  }
}

TEST_CASE("the cookie goes when its session has ended") {
  http::Response out;
  v1::SignOutResponse answer;
  DressAnswer({Secret(kToken), true}, answer, out);
  CHECK(absl::StartsWith(CookieOf(out), "__Host-chartly_session=; "));
  CHECK(absl::StrContains(CookieOf(out), "; Max-Age=0"));
  http::Response refused;
  DressRefusal({Secret(kToken), false}, Error(absl::StatusCode::kUnauthenticated, "SESSION_ENDED", "ended"), refused);
  CHECK(absl::StrContains(CookieOf(refused), "; Max-Age=0"));
  http::Response other;
  DressRefusal({Secret(kToken), false}, Error(absl::StatusCode::kPermissionDenied, "ROLE_TOO_LOW", "no"), other);
  CHECK(CookieOf(other).empty());
}

}  // namespace chartly::gateway
