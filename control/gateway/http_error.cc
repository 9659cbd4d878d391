#include "control/gateway/http_error.h"

#include <map>
#include <string>

#include "common/http/error_body.h"
#include "common/status/status.h"

namespace chartly::gateway {

int HttpStatusOf(absl::StatusCode code) {
  switch (code) {
    case absl::StatusCode::kOk:
      return 200;
    case absl::StatusCode::kCancelled:
      return 499;
    case absl::StatusCode::kInvalidArgument:
    case absl::StatusCode::kFailedPrecondition:
    case absl::StatusCode::kOutOfRange:
      return 400;
    case absl::StatusCode::kUnauthenticated:
      return 401;
    case absl::StatusCode::kPermissionDenied:
      return 403;
    case absl::StatusCode::kNotFound:
      return 404;
    case absl::StatusCode::kAlreadyExists:
    case absl::StatusCode::kAborted:
      return 409;
    case absl::StatusCode::kResourceExhausted:
      return 429;
    case absl::StatusCode::kUnimplemented:
      return 501;
    case absl::StatusCode::kUnavailable:
      return 503;
    case absl::StatusCode::kDeadlineExceeded:
      return 504;
    default:
      return 500;
  }
}

http::Response ErrorAnswer(const absl::Status& status, const std::string& request_id) {
  absl::string_view message(status.message().data(), status.message().size());
  http::Response response = http::ErrorResponse(HttpStatusOf(status.code()), absl::StatusCodeToString(status.code()),
                                                Reason(status), message, request_id, Details(status));
  response.for_nothing = absl::IsInvalidArgument(status);
  if (status.code() == absl::StatusCode::kUnauthenticated) {
    response.headers.emplace_back("WWW-Authenticate", "Bearer realm=\"chartly\"");
  }
  std::map<std::string, std::string> details = Details(status);
  auto retry_after = details.find("retry_after_seconds");
  if (retry_after != details.end()) response.headers.emplace_back("Retry-After", retry_after->second);
  return response;
}

}  // namespace chartly::gateway
