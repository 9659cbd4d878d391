#include "drone/fetch/http_source.h"

#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/net/url.h"
#include "common/status/status.h"
#include "common/telemetry/metrics.h"
#include "common/text/sha256.h"
#include "drone/fetch/page_url.h"
#include "drone/fetch/retry.h"
#include "drone/fetch/since.h"

namespace chartly::drone {
namespace {

constexpr size_t kBodyBytesShown = 200;
constexpr size_t kBodyBytesRedacted = 4 << 10;  // more than is shown: half a secret would not be recognized
// What is fetched before a page is handed on, so that most pages that are cut off can be asked for again.
constexpr size_t kHeadBytes = size_t{1} << 20;

bool HasHeader(const std::map<std::string, std::string>& headers, absl::string_view name) {
  return std::any_of(headers.begin(), headers.end(),
                     [&](const auto& header) { return absl::EqualsIgnoreCase(header.first, name); });
}

std::string HeaderOf(const net::HttpStream& stream, const std::string& name) {
  auto found = stream.headers().find(name);
  return found == stream.headers().end() ? "" : found->second;
}

std::string HostAndPort(const std::string& url) {
  absl::StatusOr<net::UrlParts> parts = net::SplitUrl(url);
  return parts.ok() ? net::OriginOf(*parts) : "";
}

// Requests a second that this process may make. Without turns of the fleet it keeps to their rate by itself.
double RateOf(const LimitsConfig& limits, bool has_turns) {
  if (limits.fleet.requests == 0 || has_turns) return limits.rate;
  const double fleet = static_cast<double>(limits.fleet.requests) / absl::ToDoubleSeconds(limits.fleet.period);
  return limits.rate == 0 ? fleet : std::min(limits.rate, fleet);
}

bool IsOverLimit(const absl::Status& status) { return Details(status)["limit"] == "max_bytes"; }

bool NeedsContent(PaginationType type) { return type == PaginationType::kPage || type == PaginationType::kOffset; }

}  // namespace

// Gives the head, then the stream. Refers to its source.
class HttpSource::PageBody final : public Body {
 public:
  PageBody(HttpSource& source, Answer answer) : source_(source), answer_(std::move(answer)) {
    if (NeedsContent(source.source_.pagination.type)) hash_ = std::make_unique<Sha256>();
  }

  absl::StatusOr<absl::string_view> Read() override {
    RETURN_IF_ERROR(source_.CheckDeadline());
    absl::StatusOr<absl::string_view> piece = Piece();
    if (!piece.ok()) return source_.BodyError(piece.status());
    if (hash_ && !piece->empty()) hash_->Add(*piece);
    if (hash_ && piece->empty()) {
      source_.sha256_ = hash_->Hex();
      hash_.reset();
    }
    source_.bytes_ += static_cast<int64_t>(piece->size());
    return piece;
  }

 private:
  absl::StatusOr<absl::string_view> Piece() {
    if (!head_given_) {
      head_given_ = true;
      if (!answer_.head.empty()) return absl::string_view(answer_.head);
    }
    std::string().swap(answer_.head);  // assigning would keep its memory
    RETURN_IF_ERROR(answer_.end);
    return answer_.stream->Read();
  }

  HttpSource& source_;
  Answer answer_;
  bool head_given_ = false;
  std::unique_ptr<Sha256> hash_;
};

absl::StatusOr<std::unique_ptr<Source>> HttpSource::Open(const Profile& profile, const SourceDeps& deps) {
  SourceConfig source = profile.source;
  ASSIGN_OR_RETURN(std::optional<std::string> since, SinceText(source.incremental, deps.cursor));
  if (since) source.query[source.incremental.param] = *since;
  std::unique_ptr<HttpSource> opened(new HttpSource(profile, source, deps));
  RETURN_IF_ERROR(opened->Begin(deps));
  return opened;
}

HttpSource::HttpSource(const Profile& profile, const SourceConfig& source, const SourceDeps& deps)
    : source_(source),
      limits_(profile.limits),
      retry_(profile.retry),
      http_(deps.http),
      clock_(deps.clock),
      steady_(deps.steady_clock()),
      deadline_(deps.deadline),
      own_gate_(deps.steady_clock()),
      gate_(deps.gate == nullptr ? own_gate_ : *deps.gate),
      quota_(profile.limits.fleet.requests == 0 ? nullptr : deps.quota),
      credentials_(source_, deps.secrets, deps.http, deps.tokens == nullptr ? own_tokens_ : *deps.tokens,
                   deps.steady_clock()),
      paginator_(source_) {}

absl::Status HttpSource::Begin(const SourceDeps& deps) {
  request_.method = source_.method;
  request_.headers = source_.headers;
  RETURN_IF_ERROR(paginator_.First(request_));
  request_.allowed_hosts = source_.egress_allow;
  if (request_.allowed_hosts.empty()) request_.allowed_hosts = {net::HostOf(*net::SplitUrl(request_.url))};
  bool json_body = absl::StartsWith(source_.body, "{") || absl::StartsWith(source_.body, "[");
  if (json_body && !HasHeader(request_.headers, "content-type")) request_.headers["Content-Type"] = "application/json";
  request_.cancel = &cancelled_;
  etag_ = deps.cursor.etag();
  last_modified_ = deps.cursor.last_modified();
  // That the first page is what it was says nothing of the pages behind it.
  const bool one_page = source_.pagination.type == PaginationType::kNone;
  conditional_ = request_.method == "GET" && one_page && !(etag_.empty() && last_modified_.empty());
  return absl::OkStatus();
}

void HttpSource::Cancel() {
  if (!cancelled_.exchange(true)) stop_.Notify();
}

void HttpSource::Learn(Cursor& cursor) const {
  cursor.set_etag(etag_);
  cursor.set_last_modified(last_modified_);
}

absl::StatusOr<std::optional<Page>> HttpSource::Next(const DecodeResult* previous) {
  if (cancelled_) return CancelledError();
  if (done_) return std::nullopt;
  if (pages_ > 0) {
    SeenPage seen{previous == nullptr ? DecodeResult() : *previous, current_url_, link_, sha256_};
    absl::StatusOr<bool> more = paginator_.Advance(seen, request_);
    if (!more.ok()) return Shown(more.status());
    done_ = !*more;
  }
  if (!done_ && pages_ >= limits_.max_pages) truncated_by_ = kMaxPagesLimit;
  if (!done_ && pages_ > 0 && bytes_ >= limits_.max_bytes) truncated_by_ = kMaxBytesLimit;
  if (!done_ && steady_.Now() >= deadline_) truncated_by_ = kRunTimeoutLimit;
  done_ = done_ || !truncated_by_.empty();
  if (done_) return std::nullopt;
  return Fetch();
}

absl::StatusOr<std::optional<Page>> HttpSource::Fetch() {
  request_.max_bytes = limits_.max_bytes - bytes_;
  absl::StatusOr<Answer> answer = FetchWithRetries();
  if (!answer.ok() && steady_.Now() >= deadline_ && !cancelled_) truncated_by_ = kRunTimeoutLimit;
  done_ = unmodified_ || !truncated_by_.empty();
  if (done_) return std::nullopt;
  if (!answer.ok()) return Shown(answer.status());
  const net::HttpStream& stream = *answer->stream;
  if (++pages_ == 1) {
    etag_ = HeaderOf(stream, "etag");
    last_modified_ = HeaderOf(stream, "last-modified");
  }
  current_url_ = stream.url();
  link_ = HeaderOf(stream, "link");
  sha256_.clear();
  std::string type = HeaderOf(stream, "content-type");
  return Page{pages_, credentials_.Redact(RedactUrl(current_url_)), std::move(type),
              std::make_unique<PageBody>(*this, *std::move(answer)), clock_.Now()};
}

const std::string& HttpSource::QuotaOf(const std::string& host) const {
  return limits_.fleet.quota.empty() ? host : limits_.fleet.quota;
}

absl::Status HttpSource::AwaitTurn(const std::string& host) {
  const absl::Time asked = steady_.Now();
  absl::Status turn = gate_.Enter(host, RateOf(limits_, quota_ != nullptr), deadline_, stop_);
  Count("chartly_fetch_wait_seconds_total", absl::ToDoubleSeconds(steady_.Now() - asked), "rate");
  RETURN_IF_ERROR(turn);
  // Last, so that the request is made at once.
  turn = AwaitQuota(host);
  if (!turn.ok()) gate_.Leave(host, HostGate::Outcome::kUnknown);
  return turn;
}

absl::Status HttpSource::AwaitAnotherTurn(const std::string& host) {
  RETURN_IF_ERROR(gate_.Again(host, RateOf(limits_, quota_ != nullptr), deadline_, stop_));
  return AwaitQuota(host);
}

absl::Status HttpSource::AwaitQuota(const std::string& host) {
  if (quota_ == nullptr) return absl::OkStatus();
  const absl::Time asked = steady_.Now();
  absl::Status turn = quota_->Enter(QuotaOf(host), limits_.fleet, steady_, deadline_, stop_);
  Count("chartly_fetch_wait_seconds_total", absl::ToDoubleSeconds(steady_.Now() - asked), "quota");
  return turn;
}

absl::StatusOr<HttpSource::Answer> HttpSource::FetchWithRetries() {
  const std::string host = HostAndPort(request_.url);
  for (int attempt = 1;; ++attempt) {
    absl::Status turn = AwaitTurn(host);
    if (!turn.ok()) Count("chartly_fetch_failures_total", 1, Reason(turn));
    RETURN_IF_ERROR(turn);
    Attempt result = Try(host);
    absl::Status status = result.answer.status();
    HostGate::Outcome outcome = cancelled_           ? HostGate::Outcome::kUnknown
                                : result.host_failed ? HostGate::Outcome::kFailed
                                                     : HostGate::Outcome::kAnswered;
    gate_.Leave(host, outcome, status.ok() ? "" : Shown(status).message());
    if (status.ok()) return std::move(result.answer);
    if (cancelled_) return CancelledError();
    Count("chartly_fetch_failures_total", 1, Reason(status));
    if (quota_ != nullptr && Reason(status) == "SOURCE_THROTTLED") {
      quota_->Throttled(QuotaOf(host), limits_.fleet, result.retry_after);
    }
    if (Details(status)["status"] == "401" && credentials_.Renew()) continue;
    bool again = IsTransient(status) && attempt < retry_.max_attempts && result.retry_after <= kMaxRetryAfter;
    if (!again) return attempt == 1 ? status : Annotate(status, absl::StrCat("after ", attempt, " attempts"));
    absl::Duration wait = std::max(result.retry_after, Backoff(retry_, attempt, random_));
    wait = std::min(wait, deadline_ - steady_.Now());
    if (steady_.WaitFor(wait, stop_)) return CancelledError();
    Count("chartly_fetch_wait_seconds_total", absl::ToDoubleSeconds(wait), "retry");
    if (steady_.Now() >= deadline_) return status;
    Count("chartly_fetch_retries_total");
  }
}

HttpSource::Attempt HttpSource::Try(const std::string& host) {
  net::HttpRequest request = request_;
  request.timeout = std::min(limits_.timeout, deadline_ - steady_.Now());
  if (pages_ == 0 && conditional_) {
    if (!etag_.empty()) request.headers["If-None-Match"] = etag_;
    if (!last_modified_.empty()) request.headers["If-Modified-Since"] = last_modified_;
  }
  absl::Status applied = credentials_.Apply(request);
  // What this one waited for went to the request for a token.
  if (applied.ok() && credentials_.TakeAsked()) applied = AwaitAnotherTurn(host);
  if (!applied.ok()) return {applied};
  request.timeout = std::min(request.timeout, deadline_ - steady_.Now());
  request.before_redirect = [this, &host](const std::string& url) {
    return HostAndPort(url) == host ? AwaitAnotherTurn(host) : absl::OkStatus();
  };
  absl::StatusOr<std::unique_ptr<net::HttpStream>> stream = http_.Open(request);
  if (!stream.ok()) {
    const bool failed = IsTransient(stream.status()) && Reason(stream.status()) != "RUN_TIMEOUT";
    return {stream.status(), absl::ZeroDuration(), failed};
  }
  const int status = (*stream)->status();
  unmodified_ = status == 304 && pages_ == 0 && conditional_;
  if ((status >= 200 && status < 300) || unmodified_) {
    absl::StatusOr<Answer> answer = Take(*std::move(stream));
    bool failed = !answer.ok() && IsTransient(answer.status());
    return {std::move(answer), absl::ZeroDuration(), failed};
  }
  std::string retry_after = HeaderOf(**stream, "retry-after");
  absl::Duration wait = ParseRetryAfter(retry_after, clock_.Now()).value_or(absl::ZeroDuration());
  return {StatusError(**stream, retry_after), wait, status >= 500};
}

absl::StatusOr<HttpSource::Answer> HttpSource::Take(std::unique_ptr<net::HttpStream> stream) const {
  Answer answer;
  answer.stream = std::move(stream);
  while (answer.head.size() < kHeadBytes) {
    absl::StatusOr<absl::string_view> piece = answer.stream->Read();
    if (!piece.ok() && (IsTransient(piece.status()) || cancelled_)) return piece.status();
    answer.end = piece.status();
    if (!piece.ok() || piece->empty()) break;
    answer.head.append(piece->data(), piece->size());
  }
  return answer;
}

absl::Status HttpSource::StatusError(net::HttpStream& stream, const std::string& retry_after) const {
  std::string said;
  while (said.size() < kBodyBytesRedacted) {
    absl::StatusOr<absl::string_view> piece = stream.Read();
    if (!piece.ok() || piece->empty()) break;
    said.append(piece->data(), piece->size());
  }
  said = credentials_.Redact(said).substr(0, kBodyBytesShown);
  const FailureClass failure = ClassOfHttpStatus(stream.status());
  absl::StatusCode code = absl::StatusCode::kFailedPrecondition;
  if (failure == FailureClass::kAuth) code = absl::StatusCode::kPermissionDenied;
  if (IsTransientHttpStatus(stream.status())) code = absl::StatusCode::kUnavailable;
  const char* reason = failure == FailureClass::kThrottled ? "SOURCE_THROTTLED"
                       : failure == FailureClass::kAuth    ? "SOURCE_AUTH"
                                                           : "SOURCE_HTTP_STATUS";
  std::string url = RedactUrl(stream.url());
  return Error(code, reason,
               absl::StrCat(url, " answered with HTTP status ", stream.status(),
                            retry_after.empty() ? "" : absl::StrCat(", to be asked again after ", retry_after), ": \"",
                            absl::Utf8SafeCHexEscape(said), "\""),
               {{"status", absl::StrCat(stream.status())}, {"url", url}, {"class", FailureClassName(failure)}});
}

// The same status, should a secret have found its way into the text.
absl::Status HttpSource::Shown(const absl::Status& status) const {
  std::string message = credentials_.Redact(status.message());
  if (message == status.message()) return status;
  std::map<std::string, std::string> details = Details(status);
  return Error(status.code(), Reason(status), message,
               {{"status", details["status"]}, {"url", credentials_.Redact(details["url"])}});
}

absl::Status HttpSource::BodyError(const absl::Status& status) {
  if (cancelled_) return CancelledError();
  if (!IsOverLimit(status)) {
    Count("chartly_fetch_failures_total", 1, Reason(status));
    return Annotate(Shown(status), absl::StrCat("page ", pages_, ", after ", bytes_, " bytes of the run were taken"));
  }
  if (pages_ > 1) {
    truncated_by_ = kMaxBytesLimit;
    done_ = true;
  }
  return Error(absl::StatusCode::kResourceExhausted, "SOURCE_TOO_LARGE",
               absl::StrCat(credentials_.Redact(RedactUrl(current_url_)), " is larger than limits.max_bytes (",
                            limits_.max_bytes, " bytes); raise it in the profile"),
               {{"limit", kMaxBytesLimit}});
}

absl::Status HttpSource::CheckDeadline() {
  if (steady_.Now() < deadline_) return absl::OkStatus();
  truncated_by_ = kRunTimeoutLimit;
  done_ = true;
  return Error(absl::StatusCode::kDeadlineExceeded, "RUN_TIMEOUT", "limits.run_timeout of the profile is over");
}

}  // namespace chartly::drone
