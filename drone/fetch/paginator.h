// Which page of an http_rest source comes first, and which after another. No I/O; not thread-safe; one a run.
#ifndef CHARTLY_DRONE_FETCH_PAGINATOR_H_
#define CHARTLY_DRONE_FETCH_PAGINATOR_H_

#include <cstdint>
#include <set>
#include <string>

#include "absl/status/statusor.h"
#include "common/net/http_client.h"
#include "common/profile/profile.h"
#include "drone/decode/decoder.h"

namespace chartly::drone {

// What a page told, whose rows were read.
struct SeenPage {
  DecodeResult decoded;
  std::string url;     // after redirects
  std::string link;    // Link header
  std::string sha256;  // of the body; needed for page and offset only
};

class Paginator {
 public:
  // Copies what it needs. `source.query` holds all parameters that do not change from page to page.
  explicit Paginator(const SourceConfig& source);

  // Sets address and body to those of the first page. URL_INVALID if source.url is no http address.
  absl::Status First(net::HttpRequest& request);
  // Moves the request on to the page after `page`; false if that was the last. A next address is treated as a redirect:
  // no way from https to http, and headers stay with the origin they were written for. FailedPrecondition
  // (PAGINATION_LOOP) if the source leads in a circle: the same address and body again, or by page or offset the same
  // content twice in a row.
  absl::StatusOr<bool> Advance(const SeenPage& page, net::HttpRequest& request);

 private:
  absl::StatusOr<bool> Follow(const SeenPage& page, const std::string& reference, net::HttpRequest& request);
  absl::StatusOr<bool> GoTo(std::string position, net::HttpRequest& request);
  absl::Status CheckContent(const SeenPage& page);
  absl::Status NoteAsked(const net::HttpRequest& request);

  const SourceConfig source_;
  int64_t pages_ = 0;
  int64_t number_ = 0;           // of the page, or its first row
  std::set<std::string> asked_;  // hashes of addresses with bodies
  std::string last_sha256_;
};

}  // namespace chartly::drone

#endif  // CHARTLY_DRONE_FETCH_PAGINATOR_H_
