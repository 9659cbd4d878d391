// The session of a browser as a cookie: how it is set, read, protected and taken away. The cookie is kept from scripts,
// sent to this site alone, and over TLS to no other place. A change made with it has to show X-CSRF-Token: what only a
// page of this origin can have read. All functions are thread-safe.
#ifndef CHARTLY_CONTROL_GATEWAY_SESSION_COOKIE_H_
#define CHARTLY_CONTROL_GATEWAY_SESSION_COOKIE_H_

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/http/http_server.h"
#include "common/text/secret.h"
#include "google/protobuf/descriptor.h"
#include "google/protobuf/message.h"

namespace chartly::gateway {

// The session in the cookie of a request; empty without one. Unauthenticated (SESSION_ENDED) if it is none;
// PermissionDenied (CSRF_TOKEN_WRONG) if the request changes something and lacks the right X-CSRF-Token.
absl::StatusOr<std::string> SessionOf(const http::Request& request);

// Whether the method begins a session.
bool BeginsSession(const google::protobuf::MethodDescriptor& method);
// A request to begin one comes from a page of this origin, or from no page: PermissionDenied (ORIGIN_WRONG),
// InvalidArgument (CONTENT_TYPE_WRONG) otherwise. So nobody signs a visitor of theirs in here under another name.
absl::Status CheckSignIn(const http::Request& request);

// How a request and the answer to it are tied to a session.
struct SessionUse {
  Secret session;       // of the cookie that the request came with; empty without one
  bool secure = false;  // the browser speaks TLS
  bool step = false;    // it is a step of a sign-in at the issuer (browser_sign_in.h)
  bool person = false;  // of which a person sees the answer
};
SessionUse SessionUseOf(const http::Request& request);
// Gives the browser a session.
void GiveSession(const SessionUse& use, absl::string_view session, http::Response& response);

// Moves the session out of an answer that begins one into a cookie, and tells the page of a session its X-CSRF-Token.
// Takes the cookie away after an answer that ends the session.
void DressAnswer(const SessionUse& use, google::protobuf::Message& answer, http::Response& response);
// Takes the cookie away if the session is what was refused.
void DressRefusal(const SessionUse& use, const absl::Status& status, http::Response& response);

}  // namespace chartly::gateway

#endif  // CHARTLY_CONTROL_GATEWAY_SESSION_COOKIE_H_
