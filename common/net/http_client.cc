#include "common/net/http_client.h"

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

}  // namespace chartly::net
