// The rules of HttpClient that need no socket: which requests are well-formed, how much header a server may send, what
// a redirect turns a request into.
#ifndef CHARTLY_COMMON_NET_HTTP_RULES_H_
#define CHARTLY_COMMON_NET_HTTP_RULES_H_

#include <map>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/net/http_client.h"

namespace chartly::net {

// InvalidArgument (URL_INVALID) for a method or header that could smuggle another line into the request.
absl::Status CheckRequest(const HttpRequest& request);

// The header of the answer that is being received; caps what a server may make us keep. Not thread-safe.
class HeaderBlock {
 public:
  // Takes one line with its line end. False past 64 KiB or 200 lines (over interim answers too).
  bool AddLine(absl::string_view line);
  const std::map<std::string, std::string>& headers() const { return headers_; }

 private:
  std::map<std::string, std::string> headers_;
  size_t bytes_ = 0;
  int lines_ = 0;
};

// Whether an answer asks to go elsewhere: 301, 302, 303, 307 or 308 with a Location.
bool IsRedirect(int status, const std::map<std::string, std::string>& headers);

// What to send after a redirect from request.url: the new address, GET where HTTP says so, and nothing but harmless
// headers and no client certificate if the origin (scheme, host, port) changed. SOURCE_REDIRECT if https would become
// http, URL_INVALID if the Location is no http address.
absl::StatusOr<HttpRequest> FollowRedirect(const HttpRequest& request, int status, absl::string_view location);

}  // namespace chartly::net

#endif  // CHARTLY_COMMON_NET_HTTP_RULES_H_
