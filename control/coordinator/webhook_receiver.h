// The door for webhooks: finds the profile, checks the signature with the keys of this host, and hands what is right to
// the inbox. Thread-safe; all arguments must outlive it.
#ifndef CHARTLY_CONTROL_COORDINATOR_WEBHOOK_RECEIVER_H_
#define CHARTLY_CONTROL_COORDINATOR_WEBHOOK_RECEIVER_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "chartly/v1/coordinator.pb.h"
#include "common/clock/clock.h"
#include "common/profile/profile.h"
#include "common/secrets/secrets.h"
#include "control/coordinator/coordinator.h"
#include "control/coordinator/profile_watcher.h"

namespace chartly::coordinator {

inline constexpr size_t kMaxWebhookBytes = size_t{1} << 20;

class WebhookReceiver {
 public:
  WebhookReceiver(Coordinator& coordinator, ProfileWatcher& profiles, const Secrets& secrets, Clock& clock)
      : coordinator_(coordinator), profiles_(profiles), secrets_(secrets), clock_(clock) {}

  // OK means that the delivery is durable. ResourceExhausted (WEBHOOK_TOO_LARGE) past kMaxWebhookBytes; Unavailable if
  // the registry is away and the profile not known yet (WEBHOOK_NOT_READY), or no key can be read here
  // (WEBHOOK_KEY_UNAVAILABLE; the log says why); else as Coordinator::FindWebhook, VerifyWebhook and
  // WebhookInbox::Take.
  absl::StatusOr<v1::ReceiveWebhookResponse> Receive(const v1::ReceiveWebhookRequest& request);

 private:
  absl::StatusOr<v1::ReceiveWebhookResponse> Take(const v1::ReceiveWebhookRequest& request);
  absl::StatusOr<WebhookConfig> Find(const std::string& profile_id);
  absl::StatusOr<std::vector<std::string>> Keys(const std::string& profile_id, const WebhookConfig& config) const;

  Coordinator& coordinator_;
  ProfileWatcher& profiles_;
  const Secrets& secrets_;
  Clock& clock_;
};

}  // namespace chartly::coordinator

#endif  // CHARTLY_CONTROL_COORDINATOR_WEBHOOK_RECEIVER_H_
