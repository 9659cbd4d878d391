// Repeats a read-and-commit that lost a race for its keys.
#ifndef CHARTLY_COMMON_STATE_RETRY_H_
#define CHARTLY_COMMON_STATE_RETRY_H_

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace chartly {

inline absl::Status StatusOfResult(const absl::Status& status) { return status; }
template <typename T>
absl::Status StatusOfResult(const absl::StatusOr<T>& result) {
  return result.status();
}

// Calls `attempt` (it reads, decides and commits, and returns a Status or StatusOr) until it does not end with Aborted,
// at most 16 times. Every conflict means that another writer got through, so a few rounds are enough.
template <typename Attempt>
auto RetryOnConflict(Attempt&& attempt) {
  constexpr int kAttempts = 16;
  auto result = attempt();
  for (int i = 1; i < kAttempts && absl::IsAborted(StatusOfResult(result)); ++i) result = attempt();
  return result;
}

}  // namespace chartly

#endif  // CHARTLY_COMMON_STATE_RETRY_H_
