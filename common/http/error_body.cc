#include "common/http/error_body.h"

#include "absl/strings/str_format.h"
#include "common/text/utf8.h"

namespace chartly::http {
namespace {

void AppendEscaped(std::string& out, char c) {
  switch (c) {
    case '"':
      out += "\\\"";
      return;
    case '\\':
      out += "\\\\";
      return;
    case '\n':
      out += "\\n";
      return;
    case '\r':
      out += "\\r";
      return;
    case '\t':
      out += "\\t";
      return;
    default:
      if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) {
        absl::StrAppendFormat(&out, "\\u%04x", static_cast<unsigned char>(c));
      } else {
        out += c;
      }
  }
}

}  // namespace

void AppendJsonString(std::string& out, absl::string_view text) {
  out += '"';
  while (!text.empty()) {
    size_t length = Utf8Length(text);
    if (length == 1) {
      AppendEscaped(out, text[0]);
    } else if (length == 0) {
      out += "\xEF\xBF\xBD";
      length = 1;
    } else {
      out.append(text.data(), length);
    }
    text.remove_prefix(length);
  }
  out += '"';
}

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
