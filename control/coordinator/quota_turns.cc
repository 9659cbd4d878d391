#include "control/coordinator/quota_turns.h"

#include <algorithm>

namespace chartly::coordinator {

void QuotaTurns::SetLimit(int64_t requests, absl::Duration period) {
  requests_ = requests;
  period_ = period;
}

absl::Time QuotaTurns::Next(absl::Time from) const {
  absl::Time begin = std::max(from, last_begin_ + Step());
  const auto requests = static_cast<size_t>(requests_);
  if (ends_.size() >= requests) begin = std::max(begin, ends_[ends_.size() - requests] + Period());
  // In whole microseconds, as it is told.
  return absl::UnixEpoch() + absl::Ceil(begin - absl::UnixEpoch(), absl::Microseconds(1));
}

void QuotaTurns::Take(absl::Time begin, absl::Time end) {
  last_begin_ = begin;
  // A turn that ends before an earlier one counts as long as that: the ends stay in order.
  ends_.push_back(ends_.empty() ? end : std::max(end, ends_.back()));
  if (ends_.size() > static_cast<size_t>(kMaxQuotaRequests)) ends_.pop_front();
}

void QuotaTurns::AssumeTaken(absl::Time from, absl::Time until) {
  if (until <= from) return;
  const int64_t most = (until - from) / (period_ / requests_) + 1;
  // All at the end: turns may be wide, and then all of them could have been used that late.
  for (int64_t i = 0; i < std::min(most, kMaxQuotaRequests); ++i) Take(until, until);
}

void QuotaTurns::Restore(const std::vector<absl::Time>& ends) {
  for (absl::Time end : ends) Take(end, end);
}

}  // namespace chartly::coordinator
