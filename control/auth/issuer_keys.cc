#include "control/auth/issuer_keys.h"

#include <algorithm>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
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

// What belongs to an issuer that is asked over https is https, too.
bool IsSafe(absl::string_view address, absl::string_view issuer) {
  return absl::StartsWith(address, "https://") ||
         (absl::StartsWith(address, "http://") && absl::StartsWith(issuer, "http://"));
}

// The document that the issuer describes itself with, once it is known to be its own.
absl::StatusOr<jwt::IssuerDescription> Describe(const std::string& document, const std::string& issuer) {
  jwt::IssuerDescription description = jwt::ReadIssuerDescription(document);
  if (description.issuer != issuer) {
    return Error(absl::StatusCode::kFailedPrecondition, "ISSUER_WRONG",
                 absl::StrCat("what answers at ", issuer, " does not say that it is this issuer"));
  }
  if (!IsSafe(description.authorization_address, issuer)) description.authorization_address.clear();
  if (!IsSafe(description.token_address, issuer)) description.token_address.clear();
  if (IsSafe(description.keys_address, issuer)) return description;
  return Error(absl::StatusCode::kFailedPrecondition, "ISSUER_WRONG",
               absl::StrCat("the issuer ", issuer, " gives no https address of its keys (jwks_uri)"));
}

}  // namespace

IssuerKeys::Fetch FetchFrom(std::string issuer, net::HttpClient& http, const std::atomic<bool>& cancel) {
  return [issuer = std::move(issuer), &http, &cancel]() -> absl::StatusOr<IssuerDocuments> {
    const std::string place = absl::StrCat(absl::StripSuffix(issuer, "/"), "/.well-known/openid-configuration");
    ASSIGN_OR_RETURN(const std::string document, Get(http, place, cancel));
    IssuerDocuments documents;
    ASSIGN_OR_RETURN(documents.description, Describe(document, issuer));
    ASSIGN_OR_RETURN(const std::string keys, Get(http, documents.description.keys_address, cancel));
    ASSIGN_OR_RETURN(documents.keys, jwt::JsonWebKeys::Parse(keys));
    return documents;
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

absl::StatusOr<IssuerKeys::Documents> IssuerKeys::Get(const absl::string_view* key_id) {
  const absl::Time now = clock_.Now();
  absl::MutexLock lock(&mu_);
  // What a clock that was set back since puts into the future was now: nobody waits until it has caught up.
  tried_ = std::min(tried_, now);
  fetched_ = std::min(fetched_, now);
  if (now - fetched_ >= kStale) documents_ = nullptr;
  const bool is_known = documents_ != nullptr && (key_id == nullptr || documents_->keys.Has(*key_id));
  if (is_known && now - fetched_ >= kFresh && MayAsk(now)) wanted_ = true;
  if (!is_known && MayAsk(now) && waiting_ < kMaxWaiting) AwaitFetch();
  if (documents_ != nullptr) return documents_;
  return Error(absl::StatusCode::kUnavailable, "ISSUER_UNREACHABLE",
               absl::StrCat("the keys of the issuer of tokens cannot be had now: ",
                            failure_.ok() ? "no answer yet" : std::string(failure_.message())));
}

absl::StatusOr<IssuerKeys::Keys> IssuerKeys::For(absl::string_view key_id) {
  ASSIGN_OR_RETURN(const Documents documents, Get(&key_id));
  return Keys(documents, &documents->keys);
}

absl::StatusOr<jwt::IssuerDescription> IssuerKeys::Description() {
  ASSIGN_OR_RETURN(const Documents documents, Get(nullptr));
  return documents->description;
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
    absl::StatusOr<IssuerDocuments> documents = fetch_();
    if (!documents.ok()) {
      Count("chartly_issuer_failures_total", 1, Reason(documents.status()));
      LogWarn("the keys of the issuer of tokens were not fetched",
              {{"error", std::string(documents.status().message())}});
    }
    mu_.Lock();
    failure_ = documents.status();
    if (documents.ok()) {
      documents_ = std::make_shared<const IssuerDocuments>(*std::move(documents));
      fetched_ = clock_.Now();
    }
    ++tries_;
    wanted_ = fetching_ = false;
  }
}

}  // namespace chartly::auth
