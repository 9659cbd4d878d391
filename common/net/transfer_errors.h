// What can go wrong between a request and the end of its answer, each as the status that HttpClient promises. `host` is
// a name; `server` is host:port. Nothing here shows more of an address than that: the rest may hold a secret.
#ifndef CHARTLY_COMMON_NET_TRANSFER_ERRORS_H_
#define CHARTLY_COMMON_NET_TRANSFER_ERRORS_H_

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "common/net/http_client.h"

namespace chartly::net {

absl::Status CancelledError();
absl::Status UrlError(absl::string_view why);
// The profile does not name the host.
absl::Status HostDeniedError(const std::string& host);
// The policy refuses the address that the name led to.
absl::Status AddressDeniedError(const std::string& host, const std::string& server, const std::string& address,
                                const EgressPolicy& policy);
absl::Status UnreachableError(const std::string& server, absl::string_view said);
// Its certificate is no good.
absl::Status UntrustedError(const std::string& server, absl::string_view said);
absl::Status TimeoutError(const std::string& server, absl::Duration limit, absl::string_view said);
absl::Status TooSlowError(const std::string& server, absl::Duration stall);
absl::Status HeaderTooLargeError(const std::string& server);
absl::Status TooLargeError(const std::string& server, int64_t max_bytes);
// `received`: bytes of the body.
absl::Status CutOffError(const std::string& server, int64_t received, absl::string_view said);
absl::Status TooManyRedirectsError(const std::string& url, int limit);

}  // namespace chartly::net

#endif  // CHARTLY_COMMON_NET_TRANSFER_ERRORS_H_
