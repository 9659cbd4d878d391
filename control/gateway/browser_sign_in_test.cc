#include "control/gateway/browser_sign_in.h"

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "chartly/v1/auth.pb.h"
#include "common/status/status.h"
#include "test/support/test.h"

namespace chartly::gateway {
namespace {

const google::protobuf::MethodDescriptor& Method(const std::string& name) {
  return *v1::Session::descriptor()->file()->FindServiceByName("AuthService")->FindMethodByName(name);
}

http::Request Ask(std::map<std::string, std::string> headers, bool secure = false) {
  http::Request request;
  request.method = "GET";
  request.headers = std::move(headers);
  request.secure = secure;
  return request;
}

std::vector<std::string> Headers(const http::Response& response, const std::string& wanted) {
  std::vector<std::string> found;
  for (const auto& [name, value] : response.headers) {
    if (name == wanted) found.push_back(value);
  }
  return found;
}

std::string TicketOf(const http::Request& request) {
  v1::FinishIssuerSignInRequest message;
  message.set_ticket("of the query");
  SetTicket(request, message);
  return message.ticket();
}

}  // namespace

TEST_CASE("the ticket of a browser is that of its one cookie and never that of a link") {
  CHECK(TicketOf(Ask({})).empty());
  CHECK(TicketOf(Ask({{"cookie", "chartly_session=chs_x; chartly_sign_in=cho_y"}})) == "cho_y");
  CHECK(TicketOf(Ask({{"cookie", "chartly_sign_in=cho_y; chartly_sign_in=cho_z"}})).empty());
  CHECK(TicketOf(Ask({{"cookie", "chartly_sign_in=cho_y"}}, true)).empty());
  CHECK(TicketOf(Ask({{"cookie", "__Host-chartly_sign_in=cho_y"}}, true)) == "cho_y");
  for (const char* odd : {"cho_\xff", "cho_y z", "cho_\"y\"", "cho_%41"}) {
    CHECK(TicketOf(Ask({{"cookie", absl::StrCat("chartly_sign_in=", odd)}})).empty());
  }
  http::Request request = Ask({});
  request.query = {{"code", "c"}, {"ticket", "t"}, {"session_state", "s"}, {"state", "s"}};
  const http::Request known = OnlyKnownParameters(request, *v1::FinishIssuerSignInRequest::descriptor());
  CHECK(known.query == std::vector<std::pair<std::string, std::string>>{{"code", "c"}, {"state", "s"}});
}

TEST_CASE("only a page of this origin, or somebody at the keyboard, begins to sign in, and the issuer sends back") {
  SessionUse use;
  for (const char* site : {"", "same-origin", "none"}) {
    CHECK_OK(CheckSignInStep(Ask({{"sec-fetch-site", site}}), Method("BeginIssuerSignIn"), use));
  }
  for (const char* site : {"cross-site", "same-site"}) {
    const http::Request request = Ask({{"sec-fetch-site", site}});
    CHECK(Reason(CheckSignInStep(request, Method("BeginIssuerSignIn"), use)) == "ORIGIN_WRONG");
    CHECK_OK(CheckSignInStep(request, Method("FinishIssuerSignIn"), use));
  }
  CHECK(IsSignInStep(Method("BeginIssuerSignIn")));
  CHECK(IsSignInStep(Method("FinishIssuerSignIn")));
  CHECK_FALSE(IsSignInStep(Method("SignIn")));
}

TEST_CASE("a browser is sent on with the ticket in a cookie, and then with the session in its place") {
  SessionUse use;
  use.secure = true;
  v1::SignInStep step;
  step.set_location("https://issuer.test/authorize?state=s");
  step.set_ticket("cho_y");
  http::Response begun;
  REQUIRE(SendOn(use, step, begun));
  CHECK(begun.status == 302);
  CHECK(begun.body.empty());
  CHECK(Headers(begun, "Location") == std::vector<std::string>{"https://issuer.test/authorize?state=s"});
  CHECK(Headers(begun, "Set-Cookie") ==
        std::vector<std::string>{"__Host-chartly_sign_in=cho_y; Path=/; HttpOnly; SameSite=Lax; Max-Age=600; Secure"});
  step.set_location("https://chartly.test/");
  step.clear_ticket();
  step.set_session("chs_x");
  http::Response finished;
  REQUIRE(SendOn(use, step, finished));
  CHECK(Headers(finished, "Set-Cookie") ==
        std::vector<std::string>{"__Host-chartly_sign_in=; Path=/; HttpOnly; SameSite=Lax; Max-Age=0; Secure",
                                 "__Host-chartly_session=chs_x; Path=/; HttpOnly; SameSite=Strict; Secure"});
  http::Response other{200, {}, "{}"};
  CHECK_FALSE(SendOn(use, v1::Session(), other));
  CHECK(other.status == 200);
}

TEST_CASE("a person sees what went wrong and what to do, as text and not as code, and a program sees JSON") {
  const absl::Status status =
      Error(absl::StatusCode::kPermissionDenied, "SIGN_IN_REFUSED", "refused by <script>'x'</script>");
  for (const bool person : {true, false}) {
    SessionUse use;
    REQUIRE_OK(CheckSignInStep(Ask({{"accept", person ? "text/html,*/*" : "application/json"}}),
                               Method("FinishIssuerSignIn"), use));
    http::Response answer{403, {{"Content-Type", "application/json"}}, "{}"};
    ShowRefusal(use, status, "r-1", answer);
    CHECK(answer.status == 403);
    CHECK(absl::StrContains(Headers(answer, "Set-Cookie").at(0), "Max-Age=0"));
    CHECK((answer.body == "{}") == !person);
    if (!person) continue;
    CHECK(Headers(answer, "Content-Type") == std::vector<std::string>{"text/html; charset=utf-8"});
    CHECK(absl::StrContains(Headers(answer, "Content-Security-Policy").at(0), "default-src 'none'"));
    CHECK(absl::StrContains(answer.body, "refused by &lt;script&gt;&#39;x&#39;&lt;/script&gt;"));
    CHECK(absl::StrContains(answer.body, "SIGN_IN_REFUSED, request r-1"));
    CHECK_FALSE(absl::StrContains(answer.body, "<script"));
  }
  http::Response untouched{403, {{"Content-Type", "application/json"}}, "{}"};
  ShowRefusal({}, status, "r-1", untouched);
  CHECK(untouched.headers.size() == 1);
}

}  // namespace chartly::gateway
