#include "control/gateway/guess_limiter.h"

#include <algorithm>
#include <iterator>

#include "absl/strings/str_cat.h"
#include "common/status/status.h"

namespace chartly::gateway {

absl::Status GuessLimiter::Check(const std::string& address, absl::Time now) {
  absl::MutexLock lock(&mu_);
  auto found = settled_.find(address);
  const absl::Duration wait =
      found == settled_.end() ? absl::ZeroDuration() : found->second - now - kRefill * (kBurst - 1);
  if (wait <= absl::ZeroDuration()) return absl::OkStatus();
  const std::string seconds = absl::StrCat(absl::ToInt64Seconds(absl::Ceil(wait, absl::Seconds(1))));
  return Error(absl::StatusCode::kResourceExhausted, "GUESSES_TOO_MANY",
               absl::StrCat("this address has shown too many wrong keys or sign-ins; try again in ", seconds, " s"),
               {{"retry_after_seconds", seconds}});
}

void GuessLimiter::NoteWrong(const std::string& address, absl::Time now) {
  absl::MutexLock lock(&mu_);
  auto found = settled_.find(address);
  if (found == settled_.end() && settled_.size() >= kMaxAddresses) {
    for (auto it = settled_.begin(); it != settled_.end();) it = it->second <= now ? settled_.erase(it) : std::next(it);
    // More addresses than are kept guess at once; whichever gives way, the others stay slow.
    if (settled_.size() >= kMaxAddresses) settled_.erase(settled_.begin());
  }
  absl::Time& settled = settled_[address];
  settled = std::max(settled, now) + kRefill;
}

}  // namespace chartly::gateway
