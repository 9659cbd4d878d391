#include <algorithm>
#include <atomic>
#include <optional>
#include <thread>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/clock.h"
#include "common/status/status.h"
#include "common/telemetry/metrics.h"
#include "common/webhook/webhook_signature.h"
#include "control/audit/checkpoint_export.h"

namespace chartly::audit {
namespace {

constexpr absl::Duration kFirstPause = absl::Seconds(1);
constexpr absl::Duration kLongestPause = absl::Minutes(1);
constexpr absl::Duration kTimeout = absl::Seconds(10);

class WebhookExport final : public CheckpointExport {
 public:
  WebhookExport(const CheckpointWebhook& webhook, net::HttpClient& http, const Secrets& secrets)
      : webhook_(webhook), http_(http), secrets_(secrets), thread_([this] { Run(); }) {}
  ~WebhookExport() override {
    cancel_ = true;
    {
      absl::MutexLock lock(&mu_);
      stopped_ = true;
    }
    thread_.join();
  }

  const char* way() const override { return "webhook"; }
  // A newer checkpoint says all that an older one said.
  absl::Status Export(const SignedCheckpoint& checkpoint) override {
    absl::MutexLock lock(&mu_);
    next_ = checkpoint;
    return absl::OkStatus();
  }
  absl::Status Health() const override {
    absl::MutexLock lock(&mu_);
    return health_;
  }

 private:
  absl::Status Post(const SignedCheckpoint& checkpoint) {
    ASSIGN_OR_RETURN(std::string secret, secrets_.Get(webhook_.key));
    ASSIGN_OR_RETURN(std::string key, WebhookKeyOf(secret));
    const int64_t now = absl::ToUnixSeconds(absl::Now());
    const std::string id =
        absl::StrCat("checkpoint_", checkpoint.checkpoint.size, "_", HexOf(checkpoint.checkpoint.root).substr(0, 16));
    net::HttpRequest request;
    request.method = "POST";
    request.url = webhook_.url;
    request.headers = {{"Content-Type", "text/plain; charset=utf-8"},
                       {"webhook-id", id},
                       {"webhook-timestamp", absl::StrCat(now)},
                       {"webhook-signature", SignWebhook(key, id, now, checkpoint.note)}};
    request.body = checkpoint.note;
    request.timeout = kTimeout;
    request.max_bytes = int64_t{64} << 10;
    request.max_redirects = 0;
    request.cancel = &cancel_;
    ASSIGN_OR_RETURN(net::HttpResponse response, http_.Send(request));
    if (response.status / 100 == 2) return absl::OkStatus();
    return Error(absl::StatusCode::kUnavailable, "CHECKPOINT_REFUSED",
                 absl::StrCat("the webhook of checkpoints answers with status ", response.status));
  }

  void Run() {
    absl::Duration pause = kFirstPause;
    while (std::optional<SignedCheckpoint> checkpoint = Take()) {
      absl::Status status = Post(*checkpoint);
      if (!status.ok()) Count("chartly_audit_export_failures_total", 1, way());
      absl::MutexLock lock(&mu_);
      health_ = status;
      if (status.ok()) {
        pause = kFirstPause;
        continue;
      }
      if (!next_.has_value()) next_ = std::move(checkpoint);
      mu_.AwaitWithTimeout(absl::Condition(&stopped_), pause);
      pause = std::min(pause * 2, kLongestPause);
    }
  }

  // Waits for the next checkpoint; none once this is to end.
  std::optional<SignedCheckpoint> Take() {
    absl::MutexLock lock(&mu_);
    const auto ready = [this] { return stopped_ || next_.has_value(); };
    mu_.Await(absl::Condition(&ready));
    if (stopped_) return std::nullopt;
    return std::exchange(next_, std::nullopt);
  }

  const CheckpointWebhook webhook_;
  net::HttpClient& http_;
  const Secrets& secrets_;
  std::atomic<bool> cancel_ = false;
  mutable absl::Mutex mu_;
  std::optional<SignedCheckpoint> next_ ABSL_GUARDED_BY(mu_);
  bool stopped_ ABSL_GUARDED_BY(mu_) = false;
  absl::Status health_ ABSL_GUARDED_BY(mu_);
  std::thread thread_;  // last: it uses what is above
};

}  // namespace

std::unique_ptr<CheckpointExport> MakeCheckpointWebhook(const CheckpointWebhook& webhook, net::HttpClient& http,
                                                        const Secrets& secrets) {
  return std::make_unique<WebhookExport>(webhook, http, secrets);
}

}  // namespace chartly::audit
