#include "control/gateway/static_files.h"

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/http/error_body.h"
#include "ui/embedded_files.h"

namespace chartly::gateway {
namespace {

// Nothing from elsewhere, no inline script or style, no framing.
constexpr char kContentSecurityPolicy[] =
    "default-src 'self'; object-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

const ui::EmbeddedFile* Find(const std::string& path) {
  for (const ui::EmbeddedFile& file : ui::EmbeddedFiles()) {
    if (file.path == path) return &file;
  }
  return nullptr;
}

http::Response NotFound(const http::Request& request) {
  bool is_page = request.path == "/";
  return http::ErrorResponse(
      404, "NOT_FOUND", is_page ? "PAGE_NOT_BUILT" : "ROUTE_UNKNOWN",
      is_page ? "this program was built without the web page (CHARTLY_UI=OFF); the API is at /api/openapi.json"
              : absl::StrCat("no route ", request.path, "; see /api/openapi.json"));
}

}  // namespace

http::Response ServeStaticFile(const http::Request& request) {
  const ui::EmbeddedFile* file = Find(request.path == "/" ? "/index.html" : request.path);
  if (file == nullptr) return NotFound(request);
  if (request.method != "GET" && request.method != "HEAD") {
    bool options = request.method == "OPTIONS";
    http::Response answer = options ? http::Response{204, {}, ""}
                                    : http::ErrorResponse(405, "UNIMPLEMENTED", "METHOD_NOT_ALLOWED",
                                                          absl::StrCat(request.path, " answers GET and HEAD"));
    answer.headers.emplace_back("Allow", "GET, HEAD, OPTIONS");
    return answer;
  }
  http::Response answer{200,
                        {{"ETag", std::string(file->etag)},
                         {"Cache-Control", "no-cache"},  // kept, but asked about each time
                         {"Content-Security-Policy", kContentSecurityPolicy},
                         {"X-Content-Type-Options", "nosniff"},
                         {"X-Frame-Options", "DENY"},
                         {"Referrer-Policy", "no-referrer"},
                         {"Cross-Origin-Opener-Policy", "same-origin"}},
                        ""};
  auto known = request.headers.find("if-none-match");
  if (known != request.headers.end() && absl::StrContains(known->second, std::string(file->etag))) {
    answer.status = 304;
    return answer;
  }
  answer.headers.emplace_back("Content-Type", std::string(file->content_type));
  answer.body = std::string(file->content);
  return answer;
}

}  // namespace chartly::gateway
