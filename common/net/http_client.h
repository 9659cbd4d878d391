// An HTTP client that connects only where it may. libcurl lies behind it (curl_http_client.cc, the only file that
// sees it). The egress policy is checked on the address that is connected, for every redirect hop and every
// connection, so no spelling of a name or address gets around it. Proxies, netrc and cookies of the environment are
// ignored. Thread-safe.
#ifndef CHARTLY_COMMON_NET_HTTP_CLIENT_H_
#define CHARTLY_COMMON_NET_HTTP_CLIENT_H_

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace chartly::net {

// Which addresses may be connected: public ones always; private, loopback, link-local, shared, multicast and reserved
// ranges (v4, v6, and v4 inside v6) only if a CIDR here contains them.
class EgressPolicy {
 public:
  // InvalidArgument (CIDR_INVALID) names the text. "127.0.0.1" is taken as /32.
  static absl::StatusOr<EgressPolicy> Create(const std::vector<std::string>& allowed_cidrs);
  // For the command line, which talks to the address its user gave: everything is allowed.
  static EgressPolicy AllowAll();
  // `address` is a numeric IPv4 or IPv6 address.
  bool Allows(absl::string_view address) const;
  // Whether a CIDR here contains it; that it is public does not count.
  bool Opens(absl::string_view address) const;

 private:
  struct Range {
    std::string bytes;  // 16 bytes, v4 mapped
    int prefix_bits;
  };
  std::vector<Range> allowed_;
  bool allow_all_ = false;
};

struct HttpRequest {
  std::string method = "GET";
  std::string url;
  std::map<std::string, std::string> headers;
  std::string body;
  absl::Duration timeout = absl::Seconds(30);
  int64_t max_bytes = int64_t{64} << 20;      // of the body after decompression
  std::vector<std::string> allowed_hosts;     // empty: any
  int max_redirects = 3;                      // each hop is checked; Authorization is dropped when the host changes
  const std::atomic<bool>* cancel = nullptr;  // the call ends with Cancelled soon after it turns true
  // If set, gets the body in pieces as it arrives and `body` of the response stays empty; false stops the transfer.
  std::function<bool(absl::string_view)> on_data;
};

struct HttpResponse {
  int status = 0;
  std::map<std::string, std::string> headers;  // names in lower case, last one wins
  std::string body;                            // decompressed
  std::string url;                             // after redirects
};

class HttpClient {
 public:
  virtual ~HttpClient() = default;
  // OK with any HTTP status. Otherwise reason SOURCE_UNREACHABLE, SOURCE_TIMEOUT, SOURCE_TRUNCATED, SOURCE_TOO_LARGE
  // (with the detail limit=max_bytes if that was it), SOURCE_REDIRECT (too many, or from https to http), EGRESS_DENIED,
  // URL_INVALID or CANCELLED (also if on_data said false). Messages name host and port, never path or query, where keys
  // may stand. Worth another try are the codes Unavailable, DeadlineExceeded and DataLoss.
  virtual absl::StatusOr<HttpResponse> Send(const HttpRequest& request) = 0;
  // What may be connected. Whoever connects by other protocols on behalf of the same user holds to it, too.
  virtual const EgressPolicy& egress() const = 0;
};

std::unique_ptr<HttpClient> MakeHttpClient(EgressPolicy policy);

}  // namespace chartly::net

#endif  // CHARTLY_COMMON_NET_HTTP_CLIENT_H_
