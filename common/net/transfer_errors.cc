#include "common/net/transfer_errors.h"

#include "absl/strings/str_cat.h"
#include "common/net/url.h"
#include "common/status/status.h"

namespace chartly::net {

absl::Status CancelledError() { return Error(absl::StatusCode::kCancelled, "CANCELLED", "the request was cancelled"); }

absl::Status UrlError(absl::string_view why) { return Error(absl::StatusCode::kInvalidArgument, "URL_INVALID", why); }

absl::Status HostDeniedError(const std::string& host) {
  return Error(absl::StatusCode::kPermissionDenied, "EGRESS_DENIED",
               absl::StrCat("host ", host, " is not one this profile may reach; add it to source.egress.allow"),
               {{"host", host}});
}

absl::Status AddressDeniedError(const std::string& host, const std::string& server, const std::string& address,
                                const EgressPolicy& policy) {
  return Error(absl::StatusCode::kPermissionDenied, "EGRESS_DENIED",
               absl::StrCat(server, " leads to the address ", address, ", ", policy.Refusal(address)),
               {{"host", host}, {"address", address}});
}

absl::Status UnreachableError(const std::string& server, absl::string_view said) {
  return Error(absl::StatusCode::kUnavailable, "SOURCE_UNREACHABLE",
               absl::StrCat("no answer from ", server, ": ", said, "; check the address and that the server runs"),
               {{"address", server}});
}

absl::Status UntrustedError(const std::string& server, absl::string_view said) {
  return Error(absl::StatusCode::kFailedPrecondition, "SOURCE_UNREACHABLE",
               absl::StrCat(server, " did not prove who it is: ", said,
                            "; check the host name and the CA certificates of this machine (package ca-certificates)"),
               {{"address", server}});
}

absl::Status TimeoutError(const std::string& server, absl::Duration limit, absl::string_view said) {
  return Error(absl::StatusCode::kDeadlineExceeded, "SOURCE_TIMEOUT",
               absl::StrCat(server, " did not answer in time (limit ", absl::FormatDuration(limit), "): ", said,
                            "; raise limits.timeout if it needs longer"),
               {{"address", server}});
}

absl::Status TooSlowError(const std::string& server, absl::Duration stall) {
  return Error(absl::StatusCode::kDeadlineExceeded, "SOURCE_TOO_SLOW",
               absl::StrCat(server, " sent less than 1 KiB/s for ", absl::FormatDuration(stall)),
               {{"address", server}});
}

absl::Status HeaderTooLargeError(const std::string& server) {
  return Error(absl::StatusCode::kResourceExhausted, "SOURCE_TOO_LARGE",
               absl::StrCat(server, ": the answer has more than 64 KiB or 200 lines of header"));
}

absl::Status TooLargeError(const std::string& server, int64_t max_bytes) {
  return Error(absl::StatusCode::kResourceExhausted, "SOURCE_TOO_LARGE",
               absl::StrCat(server, ": the body is larger than the limit of ", max_bytes, " bytes"),
               {{"limit", "max_bytes"}});
}

absl::Status CutOffError(const std::string& server, int64_t received, absl::string_view said) {
  return Error(
      absl::StatusCode::kDataLoss, "SOURCE_TRUNCATED",
      absl::StrCat(server, " ended the answer before it was complete, after ", received, " bytes of body: ", said),
      {{"address", server}});
}

absl::Status TooManyRedirectsError(const std::string& url, int limit) {
  absl::StatusOr<UrlParts> parts = SplitUrl(url);
  return Error(absl::StatusCode::kFailedPrecondition, "SOURCE_REDIRECT",
               absl::StrCat(parts.ok() ? HostOf(*parts) : "the server", " redirects more than ", limit,
                            " times; use the address it leads to in the end"));
}

}  // namespace chartly::net
