#include "drone/fetch/paginator.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "common/net/http_rules.h"
#include "common/net/url.h"
#include "common/status/status.h"
#include "common/text/sha256.h"
#include "drone/fetch/link_header.h"
#include "drone/fetch/page_url.h"

namespace chartly::drone {

Paginator::Paginator(const SourceConfig& source) : source_(source), number_(source.pagination.start) {}

absl::Status Paginator::First(net::HttpRequest& request) {
  const PaginationType type = source_.pagination.type;
  bool numbered = type == PaginationType::kPage || type == PaginationType::kOffset;
  return GoTo(numbered ? absl::StrCat(number_) : "", request).status();
}

absl::StatusOr<bool> Paginator::Advance(const SeenPage& page, net::HttpRequest& request) {
  const PaginationConfig& pagination = source_.pagination;
  const DecodeResult& decoded = page.decoded;
  ++pages_;
  switch (pagination.type) {
    case PaginationType::kNone:
      return false;
    case PaginationType::kPage:
      if (decoded.pages ? pages_ >= *decoded.pages : decoded.rows == 0) return false;
      RETURN_IF_ERROR(CheckContent(page));
      return GoTo(absl::StrCat(++number_), request);
    case PaginationType::kOffset:
      if (decoded.rows == 0) return false;
      RETURN_IF_ERROR(CheckContent(page));
      number_ += pagination.size > 0 ? pagination.size : decoded.rows;
      return GoTo(absl::StrCat(number_), request);
    case PaginationType::kCursor:
      if (!decoded.next) return false;
      return GoTo(*decoded.next, request);
    case PaginationType::kNextUrl:
      if (!decoded.next) return false;
      return Follow(page, *decoded.next, request);
    case PaginationType::kLinkHeader:
      break;
  }
  std::optional<std::string> next = FindLink(page.link, "next");
  if (!next) return false;
  return Follow(page, *next, request);
}

absl::StatusOr<bool> Paginator::Follow(const SeenPage& page, const std::string& reference, net::HttpRequest& request) {
  constexpr absl::string_view kWhere = "the next page that the source names";
  absl::StatusOr<std::string> url = net::ResolveUrl(page.url, reference);
  if (!url.ok()) return Annotate(url.status(), kWhere);
  absl::StatusOr<net::HttpRequest> next = net::FollowRedirect(request, 307, *url);
  if (!next.ok()) return Annotate(next.status(), kWhere);
  RETURN_IF_ERROR(NoteAsked(*next));
  request = *std::move(next);
  return true;
}

absl::StatusOr<bool> Paginator::GoTo(std::string position, net::HttpRequest& request) {
  absl::StatusOr<std::string> url = PageUrl(source_, position);
  if (!url.ok()) return Annotate(url.status(), "source.url");
  request.url = *std::move(url);
  request.body = PageBodyText(source_, position);
  RETURN_IF_ERROR(NoteAsked(request));
  return true;
}

absl::Status Paginator::CheckContent(const SeenPage& page) {
  bool same = !page.sha256.empty() && page.sha256 == last_sha256_;
  last_sha256_ = page.sha256;
  if (!same) return absl::OkStatus();
  return Error(absl::StatusCode::kFailedPrecondition, "PAGINATION_LOOP",
               absl::StrCat("page ", pages_, " (", RedactUrl(page.url),
                            ") is the same as the one before it; the source seems to know no parameter \"",
                            source_.pagination.param, "\", check source.pagination"),
               {{"url", RedactUrl(page.url)}});
}

absl::Status Paginator::NoteAsked(const net::HttpRequest& request) {
  if (asked_.insert(Sha256Hex(absl::StrCat(request.url, "\n", request.body))).second) return absl::OkStatus();
  std::string url = RedactUrl(request.url);
  return Error(absl::StatusCode::kFailedPrecondition, "PAGINATION_LOOP",
               absl::StrCat("page ", pages_, " names ", url,
                            " as the next one, which this run has read already; check source.pagination"),
               {{"url", url}});
}

}  // namespace chartly::drone
