#include "control/auth/issuer_keys.h"

#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "common/jwt/issuer_description.h"
#include "common/status/status.h"
#include "common/telemetry/log.h"
#include "common/telemetry/metrics.h"

namespace chartly::auth {
namespace {

constexpr absl::Duration kTimeout = absl::Seconds(3);
constexpr int64_t kMaxBytes = int64_t{512} << 10;

absl::StatusOr<std::string> Get(net::HttpClient& http, const std::string& url, const std::atomic<bool>& cancel) {
  net::HttpRequest request;
  request.url = url;
  request.headers["Accept"] = "application/json";
  request.timeout = kTimeout;
  request.max_bytes = kMaxBytes;
  request.max_redirects = 0;
  request.cancel = &cancel;
  absl::StatusOr<net::HttpResponse> response = http.Send(request);
  if (response.ok() && response->status == 200) return std::move(response->body);
  const std::string why =
      response.ok() ? absl::StrCat("status ", response->status) : std::string(response.status().message());
  return Error(absl::StatusCode::kUnavailable, "ISSUER_UNREACHABLE", absl::StrCat("no answer from ", url, ": ", why));
}

// Where the keys lie, out of the document that the issuer describes itself with.
absl::StatusOr<std::string> AddressOfKeys(const std::string& document, const std::string& issuer) {
  const jwt::IssuerDescription description = jwt::ReadIssuerDescription(document);
  if (description.issuer != issuer) {
    return Error(absl::StatusCode::kFailedPrecondition, "ISSUER_WRONG",
                 absl::StrCat("what answers at ", issuer, " does not say that it is this issuer"));
  }
  const std::string& address = description.keys_address;
  const bool is_safe = absl::StartsWith(address, "https://") ||
                       (absl::StartsWith(address, "http://") && absl::StartsWith(issuer, "http://"));
  if (is_safe) return address;
  return Error(absl::StatusCode::kFailedPrecondition, "ISSUER_WRONG",
               absl::StrCat("the issuer ", issuer, " gives no https address of its keys (jwks_uri)"));
}

}  // namespace

IssuerKeys::Fetch FetchFrom(std::string issuer, net::HttpClient& http, const std::atomic<bool>& cancel) {
  return [issuer = std::move(issuer), &http, &cancel]() -> absl::StatusOr<jwt::JsonWebKeys> {
    const std::string place = absl::StrCat(absl::StripSuffix(issuer, "/"), "/.well-known/openid-configuration");
    ASSIGN_OR_RETURN(const std::string document, Get(http, place, cancel));
    ASSIGN_OR_RETURN(const std::string address, AddressOfKeys(document, issuer));
    ASSIGN_OR_RETURN(const std::string keys, Get(http, address, cancel));
    return jwt::JsonWebKeys::Parse(keys);
  };
}

IssuerKeys::IssuerKeys(Fetch fetch, Clock& clock)
    : fetch_(std::move(fetch)), clock_(clock), thread_([this] { Run(); }) {}

IssuerKeys::~IssuerKeys() {
  {
    absl::MutexLock lock(&mu_);
    stopped_ = true;
  }
  thread_.join();
}

bool IssuerKeys::MayAsk(absl::Time now) const { return fetching_ || now - tried_ >= kMinInterval; }

void IssuerKeys::AwaitFetch() {
  const int64_t before = tries_;
  wanted_ = true;
  ++waiting_;
  const auto over = [this, before]() ABSL_NO_THREAD_SAFETY_ANALYSIS { return stopped_ || tries_ > before; };
  mu_.AwaitWithTimeout(absl::Condition(&over), kWait);
  --waiting_;
}

absl::StatusOr<IssuerKeys::Keys> IssuerKeys::For(absl::string_view key_id) {
  const absl::Time now = clock_.Now();
  absl::MutexLock lock(&mu_);
  if (now - fetched_ >= kStale) keys_ = nullptr;
  const bool is_known = keys_ != nullptr && keys_->Has(key_id);
  if (is_known && now - fetched_ >= kFresh && MayAsk(now)) wanted_ = true;
  if (!is_known && MayAsk(now) && waiting_ < kMaxWaiting) AwaitFetch();
  if (keys_ != nullptr) return keys_;
  return Error(absl::StatusCode::kUnavailable, "ISSUER_UNREACHABLE",
               absl::StrCat("the keys of the issuer of tokens cannot be had now: ",
                            failure_.ok() ? "no answer yet" : std::string(failure_.message())));
}

void IssuerKeys::Run() {
  absl::MutexLock lock(&mu_);
  while (true) {
    const auto news = [this]() ABSL_NO_THREAD_SAFETY_ANALYSIS { return stopped_ || wanted_; };
    mu_.Await(absl::Condition(&news));
    if (stopped_) return;
    fetching_ = true;
    tried_ = clock_.Now();
    mu_.Unlock();
    absl::StatusOr<jwt::JsonWebKeys> keys = fetch_();
    if (!keys.ok()) {
      Count("chartly_issuer_failures_total", 1, Reason(keys.status()));
      LogWarn("the keys of the issuer of tokens were not fetched", {{"error", std::string(keys.status().message())}});
    }
    mu_.Lock();
    failure_ = keys.status();
    if (keys.ok()) {
      keys_ = std::make_shared<const jwt::JsonWebKeys>(*std::move(keys));
      fetched_ = clock_.Now();
    }
    ++tries_;
    wanted_ = fetching_ = false;
  }
}

}  // namespace chartly::auth
