#include "control/coordinator/webhook_receiver.h"

#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "common/clock/proto_time.h"
#include "common/status/status.h"
#include "common/telemetry/log.h"
#include "common/telemetry/metrics.h"
#include "common/webhook/webhook_signature.h"

namespace chartly::coordinator {
namespace {

constexpr size_t kMaxContentTypeBytes = 256;

// The label of the metric: few words, whatever is sent.
std::string OutcomeOf(const absl::StatusOr<v1::ReceiveWebhookResponse>& taken) {
  if (taken.ok()) return taken->already_taken() ? "already_taken" : "taken";
  std::string reason = absl::AsciiStrToLower(Reason(taken.status()));
  absl::string_view outcome = reason;
  return absl::ConsumePrefix(&outcome, "webhook_") ? std::string(outcome) : "failed";
}

}  // namespace

absl::StatusOr<v1::ReceiveWebhookResponse> WebhookReceiver::Receive(const v1::ReceiveWebhookRequest& request) {
  absl::StatusOr<v1::ReceiveWebhookResponse> taken = Take(request);
  Count("chartly_webhook_deliveries_total", 1, OutcomeOf(taken));
  return taken;
}

absl::StatusOr<v1::ReceiveWebhookResponse> WebhookReceiver::Take(const v1::ReceiveWebhookRequest& request) {
  if (request.body().size() > kMaxWebhookBytes) {
    return Error(absl::StatusCode::kResourceExhausted, "WEBHOOK_TOO_LARGE",
                 absl::StrCat("the body has ", request.body().size(), " bytes and ", kMaxWebhookBytes,
                              " are the most; send fewer rows at a time"));
  }
  ASSIGN_OR_RETURN(WebhookConfig config, Find(request.profile()));
  ASSIGN_OR_RETURN(std::vector<std::string> keys, Keys(request.profile(), config));
  RETURN_IF_ERROR(VerifyWebhook({request.webhook_id(), request.webhook_timestamp(), request.webhook_signature()},
                                request.body(), keys, clock_.Now(), config.tolerance));
  v1::WebhookDelivery delivery;
  delivery.set_delivery_id(request.webhook_id());
  delivery.set_content_type(request.content_type().substr(0, kMaxContentTypeBytes));
  delivery.set_body(request.body());
  *delivery.mutable_receive_time() = ToTimestamp(clock_.Now());
  // Longer than any copy of the request can pass for a new one.
  ASSIGN_OR_RETURN(bool stored, coordinator_.TakeDelivery(request.profile(), delivery, 2 * config.tolerance));
  v1::ReceiveWebhookResponse answer;
  answer.set_webhook_id(request.webhook_id());
  answer.set_already_taken(!stored);
  return answer;
}

absl::StatusOr<WebhookConfig> WebhookReceiver::Find(const std::string& profile_id) {
  absl::StatusOr<WebhookConfig> config = coordinator_.FindWebhook(profile_id);
  if (config.ok() || !IsValidId(profile_id)) return config;
  // A sender that is told 404 may give up for good: only the registry has the word that there is no such profile.
  // Nor waits anything for the registry here: anybody may send, and no thread is to be held for that.
  absl::Status fresh = profiles_.Refresh(profile_id, /*wait=*/false);
  if (fresh.ok() || absl::IsNotFound(fresh)) return coordinator_.FindWebhook(profile_id);
  return Error(absl::StatusCode::kUnavailable, "WEBHOOK_NOT_READY",
               "the profiles are not known yet; send it again in a moment", {{"retry_after_seconds", "5"}});
}

absl::StatusOr<std::vector<std::string>> WebhookReceiver::Keys(const std::string& profile_id,
                                                               const WebhookConfig& config) const {
  std::vector<std::string> keys;
  for (const SecretRef* ref : {&config.key, &config.previous}) {
    if (ref->empty()) continue;
    absl::StatusOr<std::string> key = secrets_.Get(*ref);
    if (key.ok()) key = WebhookKeyOf(*key);
    if (key.ok()) {
      keys.push_back(*std::move(key));
    } else if (ref == &config.key || !absl::IsNotFound(key.status())) {
      // The one before may be gone once a rotation is over.
      LogWarn("key of a webhook cannot be used",
              {{"profile", profile_id}, {"error", std::string(key.status().message())}});
    }
  }
  if (!keys.empty()) return keys;
  return Error(absl::StatusCode::kUnavailable, "WEBHOOK_KEY_UNAVAILABLE",
               "the key of this webhook is not on the control plane; its operator finds the reason in the log",
               {{"retry_after_seconds", "60"}});
}

}  // namespace chartly::coordinator
