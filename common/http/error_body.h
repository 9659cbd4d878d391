// The one shape of an error over HTTP: {"error":{"code","message","reason","request_id","details"}}. Thread-safe.
#ifndef CHARTLY_COMMON_HTTP_ERROR_BODY_H_
#define CHARTLY_COMMON_HTTP_ERROR_BODY_H_

#include <map>
#include <string>

#include "absl/strings/string_view.h"
#include "common/http/http_server.h"

namespace chartly::http {

// `code` is a canonical name, "NOT_FOUND".
Response ErrorResponse(int http_status, absl::string_view code, absl::string_view reason, absl::string_view message,
                       absl::string_view request_id = "", const std::map<std::string, std::string>& details = {});

}  // namespace chartly::http

#endif  // CHARTLY_COMMON_HTTP_ERROR_BODY_H_
