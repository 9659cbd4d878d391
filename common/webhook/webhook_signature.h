// Signatures of webhooks as Standard Webhooks says: HMAC-SHA256 over "id.timestamp.body". Pure functions; no error
// shows a key, or tells which part of a signature was right.
#ifndef CHARTLY_COMMON_WEBHOOK_WEBHOOK_SIGNATURE_H_
#define CHARTLY_COMMON_WEBHOOK_WEBHOOK_SIGNATURE_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace chartly {

inline constexpr size_t kMinWebhookKeyBytes = 24;

// The headers of a delivery, as they came.
struct WebhookHeaders {
  absl::string_view id;         // webhook-id
  absl::string_view timestamp;  // webhook-timestamp
  absl::string_view signature;  // webhook-signature
};

// The key that a secret holds: what follows "whsec_" in base64, or the text itself. InvalidArgument
// (WEBHOOK_KEY_INVALID) if it is no base64 or has fewer than kMinWebhookKeyBytes bytes.
absl::StatusOr<std::string> WebhookKeyOf(absl::string_view secret);

// "v1," and the base64 of the signature.
std::string SignWebhook(absl::string_view key, absl::string_view id, int64_t timestamp, absl::string_view body);

// Unauthenticated unless one of the signatures was made with one of the keys: WEBHOOK_HEADER_MISSING names the header;
// WEBHOOK_ID_INVALID: an id has 1 to 128 printable characters, no blank and no dot (a dot would let a signature fit
// another id and body); WEBHOOK_TIMESTAMP_INVALID: not a number, or further from `now` than `tolerance`;
// WEBHOOK_SIGNATURE_INVALID. Takes the same time for each wrong signature.
absl::Status VerifyWebhook(const WebhookHeaders& headers, absl::string_view body, const std::vector<std::string>& keys,
                           absl::Time now, absl::Duration tolerance);

}  // namespace chartly

#endif  // CHARTLY_COMMON_WEBHOOK_WEBHOOK_SIGNATURE_H_
