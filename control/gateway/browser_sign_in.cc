#include "control/gateway/browser_sign_in.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "chartly/v1/auth.pb.h"
#include "common/status/status.h"
#include "control/gateway/cookie.h"

namespace chartly::gateway {
namespace {

using google::protobuf::Descriptor;

constexpr char kName[] = "chartly_sign_in";
constexpr char kLife[] = "; Max-Age=600";
constexpr char kEnd[] = "; Max-Age=0";
constexpr char kTicketField[] = "ticket";
// Nothing but the style of the page; whatever stands in a message does nothing.
constexpr char kContentSecurityPolicy[] =
    "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

std::string Escaped(absl::string_view text) {
  return absl::StrReplaceAll(text, {{"&", "&amp;"}, {"<", "&lt;"}, {">", "&gt;"}, {"\"", "&quot;"}, {"'", "&#39;"}});
}

// Tickets are base64url after a prefix. Whatever else a cookie holds is no ticket, and a message holds UTF-8 alone.
bool MayBeTicket(absl::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return absl::ascii_isalnum(c) || c == '-' || c == '_'; });
}

void SetTicketCookie(const SessionUse& use, absl::string_view ticket, http::Response& response) {
  response.headers.emplace_back("Set-Cookie",
                                CookieText(kName, use.secure, ticket, "Lax", ticket.empty() ? kEnd : kLife));
}

}  // namespace

bool IsSignInStep(const google::protobuf::MethodDescriptor& method) {
  return method.output_type() == v1::SignInStep::descriptor();
}

absl::Status CheckSignInStep(const http::Request& request, const google::protobuf::MethodDescriptor& method,
                             SessionUse& use) {
  use.step = true;
  use.person = absl::StrContains(HeaderOf(request, "accept"), "text/html");
  const std::string& site = HeaderOf(request, "sec-fetch-site");
  const bool begins = method.input_type() == v1::BeginIssuerSignInRequest::descriptor();
  if (!begins || site.empty() || site == "same-origin" || site == "none") return absl::OkStatus();
  return Error(absl::StatusCode::kPermissionDenied, "ORIGIN_WRONG",
               "a page of another origin may not sign in here; open the page and sign in there");
}

http::Request OnlyKnownParameters(const http::Request& request, const Descriptor& type) {
  http::Request known = request;
  known.query.clear();
  for (const auto& [name, value] : request.query) {
    if (name != kTicketField && type.FindFieldByName(name) != nullptr) known.query.emplace_back(name, value);
  }
  return known;
}

void SetTicket(const http::Request& request, google::protobuf::Message& message) {
  if (message.GetDescriptor() != v1::FinishIssuerSignInRequest::descriptor()) return;
  const std::vector<std::string> tickets = CookiesOf(request, kName);
  const bool one = tickets.size() == 1 && MayBeTicket(tickets[0]);
  static_cast<v1::FinishIssuerSignInRequest&>(message).set_ticket(one ? tickets[0] : "");
}

bool SendOn(const SessionUse& use, const google::protobuf::Message& answer, http::Response& response) {
  if (answer.GetDescriptor() != v1::SignInStep::descriptor()) return false;
  const auto& step = static_cast<const v1::SignInStep&>(answer);
  response.status = 302;
  response.headers = {{"Location", step.location()}, {"Referrer-Policy", "no-referrer"}};
  response.body.clear();
  SetTicketCookie(use, step.ticket(), response);
  if (!step.session().empty()) GiveSession(use, step.session(), response);
  return true;
}

void ShowRefusal(const SessionUse& use, const absl::Status& status, const std::string& request_id,
                 http::Response& response) {
  if (!use.step) return;
  SetTicketCookie(use, "", response);
  response.headers.emplace_back("Referrer-Policy", "no-referrer");
  if (!use.person) return;
  for (auto& [name, value] : response.headers) {
    if (name == "Content-Type") value = "text/html; charset=utf-8";
  }
  response.headers.emplace_back("Content-Security-Policy", kContentSecurityPolicy);
  response.headers.emplace_back("X-Frame-Options", "DENY");
  response.body = absl::StrCat(
      "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>Not signed in - Chartly</title>"
      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">"
      "<link rel=\"stylesheet\" href=\"/style.css\"></head><body><main><section class=\"card wide\">"
      "<h1>Not signed in</h1><p role=\"alert\">",
      Escaped(std::string(status.message())), "</p><p>", Escaped(Reason(status)), ", request ", Escaped(request_id),
      "</p><p><a href=\"/api/session/oidc:begin\">Sign in again</a> or <a href=\"/\">go to the page</a></p>"
      "</section></main></body></html>\n");
}

}  // namespace chartly::gateway
