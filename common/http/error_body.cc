#include "common/http/error_body.h"

#include "common/text/json_string.h"

namespace chartly::http {
Response ErrorResponse(int http_status, absl::string_view code, absl::string_view reason, absl::string_view message,
                       absl::string_view request_id, const std::map<std::string, std::string>& details) {
  Response response;
  response.status = http_status;
  response.headers.emplace_back("Content-Type", "application/json");
  std::string& body = response.body;
  body = R"({"error":{"code":)";
  AppendJsonString(body, code);
  body += R"(,"message":)";
  AppendJsonString(body, message);
  body += R"(,"reason":)";
  AppendJsonString(body, reason);
  body += R"(,"request_id":)";
  AppendJsonString(body, request_id);
  body += R"(,"details":{)";
  bool first = true;
  for (const auto& [key, value] : details) {
    if (!first) body += ',';
    first = false;
    AppendJsonString(body, key);
    body += ':';
    AppendJsonString(body, value);
  }
  body += "}}}\n";
  return response;
}

}  // namespace chartly::http
