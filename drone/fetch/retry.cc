#include "drone/fetch/retry.h"

#include <algorithm>

#include "absl/strings/numbers.h"

namespace chartly::drone {
namespace {

constexpr absl::Duration kMaxBackoff = absl::Seconds(30);

}  // namespace

bool IsTransient(const absl::Status& status) {
  return status.code() == absl::StatusCode::kUnavailable || status.code() == absl::StatusCode::kDeadlineExceeded ||
         status.code() == absl::StatusCode::kDataLoss;
}

absl::string_view FailureClassName(FailureClass failure) {
  switch (failure) {
    case FailureClass::kTransient:
      return "transient";
    case FailureClass::kThrottled:
      return "throttled";
    case FailureClass::kAuth:
      return "auth";
    case FailureClass::kPermanent:
      break;
  }
  return "permanent";
}

FailureClass ClassOfHttpStatus(int status) {
  if (status == 429) return FailureClass::kThrottled;
  if (status == 401 || status == 403 || status == 407) return FailureClass::kAuth;
  if (status == 408 || status == 425 || status >= 500) return FailureClass::kTransient;
  return FailureClass::kPermanent;
}

bool IsTransientHttpStatus(int status) {
  FailureClass failure = ClassOfHttpStatus(status);
  return failure == FailureClass::kTransient || failure == FailureClass::kThrottled;
}

std::optional<absl::Duration> ParseRetryAfter(const std::string& header, absl::Time now) {
  int64_t seconds = 0;
  if (absl::SimpleAtoi(header, &seconds)) return absl::Seconds(std::max<int64_t>(0, seconds));
  absl::Time date;
  if (!absl::ParseTime("%a, %d %b %E4Y %H:%M:%S GMT", header, &date, nullptr)) return std::nullopt;
  return std::max(absl::ZeroDuration(), date - now);
}

absl::Duration Backoff(const RetryConfig& config, int attempt, std::mt19937_64& random) {
  absl::Duration most = std::min(kMaxBackoff, config.backoff * (int64_t{1} << std::min(attempt - 1, 20)));
  return most * std::uniform_real_distribution<double>(0, 1)(random);
}

}  // namespace chartly::drone
