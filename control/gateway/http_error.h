// Errors of calls as HTTP answers. Thread-safe.
#ifndef CHARTLY_CONTROL_GATEWAY_HTTP_ERROR_H_
#define CHARTLY_CONTROL_GATEWAY_HTTP_ERROR_H_

#include <string>

#include "absl/status/status.h"
#include "common/http/http_server.h"

namespace chartly::gateway {

// The canonical HTTP status of a code (google.rpc.Code): NOT_FOUND is 404.
int HttpStatusOf(absl::StatusCode code);

// {"error":{"code","message","reason","request_id","details"}} with that status. Requires: status is not OK.
http::Response ErrorAnswer(const absl::Status& status, const std::string& request_id);

}  // namespace chartly::gateway

#endif  // CHARTLY_CONTROL_GATEWAY_HTTP_ERROR_H_
