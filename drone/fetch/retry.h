// Which failures of a fetch are worth another try, and how long to wait before it. The one place that decides this.
#ifndef CHARTLY_DRONE_FETCH_RETRY_H_
#define CHARTLY_DRONE_FETCH_RETRY_H_

#include <optional>
#include <random>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "common/profile/profile.h"

namespace chartly::drone {

// A server that asks for a longer wait than this is left alone until the next run.
inline constexpr absl::Duration kMaxRetryAfter = absl::Seconds(60);

// What a failure says about the next try.
enum class FailureClass { kTransient, kThrottled, kAuth, kPermanent };
absl::string_view FailureClassName(FailureClass failure);
// Of an HTTP status that is no success: 408, 425 and 5xx are transient, 429 is throttled, 401, 403 and 407 are auth.
FailureClass ClassOfHttpStatus(int status);

// Whether the failure may pass by itself: no connection, a timeout, a cut-off body, throttling.
bool IsTransient(const absl::Status& status);
bool IsTransientHttpStatus(int status);

// The Retry-After header: seconds, or an HTTP date as seen from `now`; nothing if it is neither.
std::optional<absl::Duration> ParseRetryAfter(const std::string& header, absl::Time now);

// Exponential with full jitter: anything between nothing and backoff * 2^(attempt - 1), at most 30 s. `attempt` is the
// number of tries so far.
absl::Duration Backoff(const RetryConfig& config, int attempt, std::mt19937_64& random);

}  // namespace chartly::drone

#endif  // CHARTLY_DRONE_FETCH_RETRY_H_
