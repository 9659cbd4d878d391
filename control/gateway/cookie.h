// Cookies of the gateway: kept from scripts, of this host alone. Over TLS they have a name that browsers take from
// nobody but the host itself (__Host-), and go nowhere without TLS. All functions are thread-safe.
#ifndef CHARTLY_CONTROL_GATEWAY_COOKIE_H_
#define CHARTLY_CONTROL_GATEWAY_COOKIE_H_

#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "common/http/http_server.h"

namespace chartly::gateway {

// The text of a header, whose name is in lower case; empty without it.
const std::string& HeaderOf(const http::Request& request, const std::string& name);
// Whether the browser speaks TLS, to the gateway or to a proxy that says so. Whoever says so without TLS only keeps a
// cookie from being sent back.
bool SpeaksTls(const http::Request& request);
// What the cookies of that name hold. Several of them come from several places, of which only one is ours.
std::vector<std::string> CookiesOf(const http::Request& request, absl::string_view name);
// Text of Set-Cookie. `rule` is that of SameSite, `life` further attributes with "; " before each.
std::string CookieText(absl::string_view name, bool secure, absl::string_view value, absl::string_view rule,
                       absl::string_view life);

}  // namespace chartly::gateway

#endif  // CHARTLY_CONTROL_GATEWAY_COOKIE_H_
