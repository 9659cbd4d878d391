#include "drone/fetch/http_source.h"

#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/net/http_rules.h"
#include "common/net/url.h"
#include "common/status/status.h"
#include "drone/fetch/page_url.h"
#include "drone/fetch/retry.h"

namespace chartly::drone {
namespace {

constexpr size_t kBodyBytesShown = 200;
constexpr char kMaxBytesLimit[] = "limits.max_bytes";
constexpr char kMaxPagesLimit[] = "limits.max_pages";

absl::Status CancelledError() {
  return Error(absl::StatusCode::kCancelled, "CANCELLED", "the run was cancelled while fetching");
}

bool HasHeader(const std::map<std::string, std::string>& headers, absl::string_view name) {
  return std::any_of(headers.begin(), headers.end(),
                     [&](const auto& header) { return absl::EqualsIgnoreCase(header.first, name); });
}

absl::StatusOr<net::HttpRequest> FirstRequest(const Profile& profile) {
  const SourceConfig& source = profile.source;
  net::HttpRequest request;
  absl::StatusOr<std::string> url = PageUrl(source, source.pagination.start);
  if (!url.ok()) return Annotate(url.status(), "source.url");
  request.url = *std::move(url);
  request.method = source.method;
  request.headers = source.headers;
  request.body = source.body;
  request.timeout = profile.limits.timeout;
  request.allowed_hosts = source.egress_allow;
  if (request.allowed_hosts.empty()) request.allowed_hosts = {net::HostOf(*net::SplitUrl(request.url))};
  bool json_body = absl::StartsWith(source.body, "{") || absl::StartsWith(source.body, "[");
  if (json_body && !HasHeader(request.headers, "content-type")) request.headers["Content-Type"] = "application/json";
  return request;
}

std::string HeaderOf(const net::HttpResponse& response, const std::string& name) {
  auto found = response.headers.find(name);
  return found == response.headers.end() ? "" : found->second;
}

}  // namespace

absl::StatusOr<std::unique_ptr<Source>> HttpSource::Open(const Profile& profile, const SourceDeps& deps) {
  ASSIGN_OR_RETURN(net::HttpRequest first, FirstRequest(profile));
  return std::unique_ptr<Source>(new HttpSource(profile, deps, std::move(first)));
}

HttpSource::HttpSource(const Profile& profile, const SourceDeps& deps, net::HttpRequest first)
    : source_(profile.source),
      limits_(profile.limits),
      retry_(profile.retry),
      http_(deps.http),
      clock_(deps.clock),
      request_(std::move(first)) {
  request_.cancel = &cancelled_;
  seen_.insert(request_.url);
}

void HttpSource::Cancel() {
  if (!cancelled_.exchange(true)) stop_.Notify();
}

absl::StatusOr<std::optional<Page>> HttpSource::Next(const DecodeResult* previous) {
  if (cancelled_) return CancelledError();
  if (done_) return std::nullopt;
  if (pages_ > 0) {
    ASSIGN_OR_RETURN(bool more, Advance(previous == nullptr ? DecodeResult() : *previous));
    done_ = !more;
  }
  if (!done_ && pages_ >= limits_.max_pages) truncated_by_ = kMaxPagesLimit;
  if (!done_ && pages_ > 0 && bytes_ >= limits_.max_bytes) truncated_by_ = kMaxBytesLimit;
  done_ = done_ || !truncated_by_.empty();
  if (done_) return std::nullopt;
  return Fetch();
}

absl::StatusOr<bool> HttpSource::Advance(const DecodeResult& previous) {
  switch (source_.pagination.type) {
    case PaginationType::kNone:
      return false;
    case PaginationType::kNextUrl:
      return AdvanceToNextUrl(previous);
    case PaginationType::kPage:
    case PaginationType::kOffset:
    case PaginationType::kCursor:
    case PaginationType::kLinkHeader:
      break;
  }
  if (previous.pages ? pages_ >= *previous.pages : previous.rows == 0) return false;
  ASSIGN_OR_RETURN(request_.url, PageUrl(source_, source_.pagination.start + pages_));
  return true;
}

absl::StatusOr<bool> HttpSource::AdvanceToNextUrl(const DecodeResult& previous) {
  if (!previous.next) return false;
  constexpr absl::string_view kWhere = "the next page named by source.pagination.next";
  absl::StatusOr<std::string> url = net::ResolveUrl(current_url_, *previous.next);
  if (!url.ok()) return Annotate(url.status(), kWhere);
  // As after a redirect: no way from https to http, and credentials stay with the origin they were written for.
  absl::StatusOr<net::HttpRequest> next = net::FollowRedirect(request_, 307, *url);
  if (!next.ok()) return Annotate(next.status(), kWhere);
  if (!seen_.insert(next->url).second) {
    return Error(absl::StatusCode::kFailedPrecondition, "PAGINATION_LOOP",
                 absl::StrCat("page ", pages_, " names ", RedactUrl(next->url),
                              " as the next one, which this run has read already; check source.pagination.next"),
                 {{"url", RedactUrl(next->url)}});
  }
  request_ = *std::move(next);
  return true;
}

absl::StatusOr<std::optional<Page>> HttpSource::Fetch() {
  request_.max_bytes = limits_.max_bytes - bytes_;
  absl::StatusOr<net::HttpResponse> response = FetchWithRetries();
  if (!response.ok()) {
    bool over_limit = Details(response.status())["limit"] == "max_bytes";
    if (!over_limit) return response.status();
    if (pages_ > 0) {
      truncated_by_ = kMaxBytesLimit;
      done_ = true;
      return std::nullopt;
    }
    return Error(absl::StatusCode::kResourceExhausted, "SOURCE_TOO_LARGE",
                 absl::StrCat(RedactUrl(request_.url), " is larger than limits.max_bytes (", limits_.max_bytes,
                              " bytes); raise it in the profile"),
                 {{"limit", kMaxBytesLimit}});
  }
  ++pages_;
  bytes_ += static_cast<int64_t>(response->body.size());
  current_url_ = response->url;
  return Page{pages_, RedactUrl(response->url), HeaderOf(*response, "content-type"),
              std::make_unique<TextBody>(std::move(response->body)), clock_.Now()};
}

absl::StatusOr<net::HttpResponse> HttpSource::FetchWithRetries() {
  for (int attempt = 1;; ++attempt) {
    Attempt result = Try();
    const absl::Status& status = result.response.status();
    if (status.ok()) return std::move(result.response);
    if (cancelled_) return CancelledError();
    bool again = IsTransient(status) && attempt < retry_.max_attempts && result.retry_after <= kMaxRetryAfter;
    if (!again) return attempt == 1 ? status : Annotate(status, absl::StrCat("after ", attempt, " attempts"));
    absl::Duration wait = std::max(result.retry_after, Backoff(retry_, attempt, random_));
    if (clock_.WaitFor(wait, stop_)) return CancelledError();
  }
}

HttpSource::Attempt HttpSource::Try() {
  absl::StatusOr<net::HttpResponse> response = http_.Send(request_);
  if (!response.ok() || (response->status >= 200 && response->status < 300)) return {std::move(response)};
  absl::Duration wait =
      ParseRetryAfter(HeaderOf(*response, "retry-after"), clock_.Now()).value_or(absl::ZeroDuration());
  return {StatusError(*response), wait};
}

absl::Status HttpSource::StatusError(const net::HttpResponse& response) const {
  absl::StatusCode code =
      IsTransientHttpStatus(response.status) ? absl::StatusCode::kUnavailable : absl::StatusCode::kFailedPrecondition;
  std::string url = RedactUrl(response.url);
  std::string retry_after = HeaderOf(response, "retry-after");
  return Error(
      code, "SOURCE_HTTP_STATUS",
      absl::StrCat(url, " answered with HTTP status ", response.status,
                   retry_after.empty() ? "" : absl::StrCat(", to be asked again after ", retry_after), ": \"",
                   absl::Utf8SafeCHexEscape(absl::string_view(response.body).substr(0, kBodyBytesShown)), "\""),
      {{"status", absl::StrCat(response.status)}, {"url", url}});
}

}  // namespace chartly::drone
