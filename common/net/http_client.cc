#include "common/net/http_client.h"

#include <fstream>
#include <iterator>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/status/status.h"

namespace chartly::net {

absl::StatusOr<HttpResponse> HttpClient::Send(const HttpRequest& request) {
  ASSIGN_OR_RETURN(std::unique_ptr<HttpStream> stream, Open(request));
  HttpResponse response{stream->status(), stream->headers(), "", stream->url()};
  while (true) {
    ASSIGN_OR_RETURN(absl::string_view piece, stream->Read());
    if (piece.empty()) return response;
    response.body.append(piece.data(), piece.size());
  }
}

absl::StatusOr<std::string> ReadAuthorities(const std::string& path) {
  if (path.empty()) return std::string();
  std::ifstream file(path, std::ios::binary);
  std::string text{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  if (file && absl::StrContains(text, "-----BEGIN CERTIFICATE-----")) return text;
  return Error(absl::StatusCode::kInvalidArgument, "CA_FILE_INVALID",
               absl::StrCat("the CA file ", path, file ? " holds no certificate" : " cannot be read",
                            "; give a PEM file of certificate authorities"),
               {{"path", path}});
}

}  // namespace chartly::net
