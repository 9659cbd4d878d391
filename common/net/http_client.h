// An HTTP client that connects only where it may. libcurl lies behind it (curl_http_client.cc, the only file that
// sees it). Bodies are pulled in pieces, so that one of any size takes bounded memory. The egress policy is checked on
// the address that is connected, for every redirect hop and every connection, so no spelling of a name or address gets
// around it. Proxies, netrc and cookies of the environment are ignored. Thread-safe.
#ifndef CHARTLY_COMMON_NET_HTTP_CLIENT_H_
#define CHARTLY_COMMON_NET_HTTP_CLIENT_H_

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
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
  // InvalidArgument (CIDR_INVALID) names the text. "127.0.0.1" is taken as /32. With `within`, no address outside of
  // those CIDRs is allowed, public or not; it opens none.
  static absl::StatusOr<EgressPolicy> Create(const std::vector<std::string>& allowed_cidrs,
                                             const std::optional<std::vector<std::string>>& within = std::nullopt);
  // For the command line, which talks to the address its user gave: everything is allowed.
  static EgressPolicy AllowAll();
  // `address` is a numeric IPv4 or IPv6 address.
  bool Allows(absl::string_view address) const;
  // Whether a CIDR here contains it; that it is public does not count.
  bool Opens(absl::string_view address) const;
  // Why an address is not allowed and what to do, to follow its mention: "which is not public; ...".
  std::string Refusal(absl::string_view address) const;

 private:
  struct Range {
    std::string bytes;  // 16 bytes, v4 mapped
    int prefix_bits;
  };
  static absl::StatusOr<std::vector<Range>> ParseRanges(const std::vector<std::string>& cidrs);
  static bool Contain(const std::vector<Range>& ranges, absl::string_view address);
  bool LeavesOut(absl::string_view address) const;

  std::vector<Range> allowed_;
  std::optional<std::vector<Range>> within_;
  bool allow_all_ = false;
};

struct HttpRequest {
  std::string method = "GET";
  std::string url;
  std::map<std::string, std::string> headers;
  std::string body;
  // Time in which the server may keep the reader waiting, over all hops and pieces. What the reader takes for itself
  // between pieces does not count.
  absl::Duration timeout = absl::Seconds(30);
  absl::Duration stall = absl::Seconds(10);  // ends a body that comes slower than 1 KiB/s for so long
  int64_t max_bytes = int64_t{64} << 20;     // of the body after decompression
  std::vector<std::string> allowed_hosts;    // empty: any
  int max_redirects = 3;                     // each hop is checked; credentials are dropped when the origin changes
  // Asked before a redirect is followed, with where it leads; an error ends the call. May wait: that counts for no
  // timeout.
  std::function<absl::Status(const std::string& url)> before_redirect = nullptr;
  const std::atomic<bool>* cancel = nullptr;  // the call ends with Cancelled soon after it turns true
  // mTLS: PEM texts; none if empty.
  std::string client_certificate;
  std::string client_key;
};

struct HttpResponse {
  int status = 0;
  std::map<std::string, std::string> headers;  // names in lower case; the last one wins, but links are joined by ", "
  std::string body;                            // decompressed
  std::string url;                             // after redirects
};

// An answer whose body is still coming. The server is held back while nobody reads: at most 512 KiB wait here. The
// destructor gives up what was not read. Not thread-safe; lives no longer than its client and the request's `cancel`.
class HttpStream {
 public:
  virtual ~HttpStream() = default;
  virtual int status() const = 0;
  virtual const std::map<std::string, std::string>& headers() const = 0;  // as in HttpResponse
  virtual const std::string& url() const = 0;                             // after redirects
  // The next piece of the unpacked body, at most 256 KiB, as soon as there is one; valid until the next call. Empty at
  // the end, then again and again. An error (those of Open, SOURCE_TRUNCATED, SOURCE_TOO_LARGE, SOURCE_TOO_SLOW) stays.
  virtual absl::StatusOr<absl::string_view> Read() = 0;
};

class HttpClient {
 public:
  virtual ~HttpClient() = default;
  // Comes back with the header of the answer, after redirects: OK with any HTTP status. Otherwise reason
  // SOURCE_UNREACHABLE, SOURCE_TIMEOUT, SOURCE_TRUNCATED, SOURCE_TOO_LARGE (with the detail limit=max_bytes if that was
  // it), SOURCE_TOO_SLOW, SOURCE_REDIRECT (too many, or from https to http), SOURCE_ENCODING, EGRESS_DENIED,
  // URL_INVALID or CANCELLED. Messages name host and port, never path or query, where keys may stand. Worth another try
  // are the codes Unavailable, DeadlineExceeded and DataLoss.
  virtual absl::StatusOr<std::unique_ptr<HttpStream>> Open(const HttpRequest& request) = 0;

  // Open, and the whole body in one text.
  absl::StatusOr<HttpResponse> Send(const HttpRequest& request);

  // What may be connected. Whoever connects by other protocols on behalf of the same user holds to it, too.
  virtual const EgressPolicy& egress() const = 0;
};

// The text of a PEM file for MakeHttpClient; empty for no file. InvalidArgument (CA_FILE_INVALID) if it cannot be read
// or holds no certificate.
absl::StatusOr<std::string> ReadAuthorities(const std::string& path);

// `authorities`: PEM texts of certificate authorities to trust beside those of the machine.
std::unique_ptr<HttpClient> MakeHttpClient(EgressPolicy policy, std::string authorities = "");

}  // namespace chartly::net

#endif  // CHARTLY_COMMON_NET_HTTP_CLIENT_H_
