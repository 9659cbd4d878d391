// Signing in at the issuer, as a browser sees it: it is sent there with a cookie that ties it to what it began, comes
// back, and is sent to the page with a session; or it gets a page that says what went wrong and what to do. The cookie
// goes with links from other sites (SameSite=Lax), since the issuer is one; the session does not. All functions are
// thread-safe.
#ifndef CHARTLY_CONTROL_GATEWAY_BROWSER_SIGN_IN_H_
#define CHARTLY_CONTROL_GATEWAY_BROWSER_SIGN_IN_H_

#include "absl/status/status.h"
#include "common/http/http_server.h"
#include "control/gateway/session_cookie.h"
#include "google/protobuf/descriptor.h"
#include "google/protobuf/message.h"

namespace chartly::gateway {

// Whether the method is a step of it.
bool IsSignInStep(const google::protobuf::MethodDescriptor& method);
// Takes note of it in `use`. PermissionDenied (ORIGIN_WRONG) if a page of another origin begins it.
absl::Status CheckSignInStep(const http::Request& request, const google::protobuf::MethodDescriptor& method,
                             SessionUse& use);
// The request without what issuers add of their own, and without a ticket in its query.
http::Request OnlyKnownParameters(const http::Request& request, const google::protobuf::Descriptor& type);
// The ticket of the message is that of the cookie, and of nothing else: whatever a link says, a browser finishes only
// what it began itself.
void SetTicket(const http::Request& request, google::protobuf::Message& message);

// Sends the browser on, with the ticket or the session in cookies. Says whether `answer` was that of a step.
bool SendOn(const SessionUse& use, const google::protobuf::Message& answer, http::Response& response);
// What a person sees of a refused step, in place of JSON; the sign-in is over.
void ShowRefusal(const SessionUse& use, const absl::Status& status, const std::string& request_id,
                 http::Response& response);

}  // namespace chartly::gateway

#endif  // CHARTLY_CONTROL_GATEWAY_BROWSER_SIGN_IN_H_
