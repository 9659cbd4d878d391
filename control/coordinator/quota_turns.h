// When requests to a source may be made, so that there are never more than so many in any period of that length,
// whenever within its turn each is made. A turn is a span of time in which one request may reach the source.
//
// Why it holds: a turn begins no earlier than one period after the end of the one that is `requests` turns before it,
// so any requests + 1 turns in a row span more than a period. Turns begin in even steps, so that what waits is spread.
// Pure: takes the time, has none. Not thread-safe.
#ifndef CHARTLY_CONTROL_COORDINATOR_QUOTA_TURNS_H_
#define CHARTLY_CONTROL_COORDINATOR_QUOTA_TURNS_H_

#include <cstdint>
#include <deque>
#include <vector>

#include "absl/time/time.h"

namespace chartly::coordinator {

inline constexpr int64_t kMaxQuotaRequests = 1000;

class QuotaTurns {
 public:
  // At most `requests` in any `period`. Another limit holds for the turns that are taken from now on. Requires: 1 to
  // kMaxQuotaRequests, and a period above zero.
  void SetLimit(int64_t requests, absl::Duration period);
  // Takes only this part of the limit: above 0, at most 1.
  void SetShare(double share) { share_ = share; }

  // The earliest begin of a turn, not before `from`.
  absl::Time Next(absl::Time from) const;
  // Requires: begin is at least what Next said, and end not before begin.
  void Take(absl::Time begin, absl::Time end);
  // Turns that nobody remembers may have been taken since `from`, none of which ends after `until`.
  void AssumeTaken(absl::Time from, absl::Time until);
  // What was taken before, as ends() gave it.
  void Restore(const std::vector<absl::Time>& ends);

  // The even step between turns.
  absl::Duration Step() const { return Period() / requests_; }
  // Of the last turns, in order: all that still matter.
  const std::deque<absl::Time>& ends() const { return ends_; }

 private:
  absl::Duration Period() const { return period_ / share_; }

  int64_t requests_ = 1;
  absl::Duration period_ = absl::Seconds(1);
  double share_ = 1;
  std::deque<absl::Time> ends_;
  absl::Time last_begin_ = absl::InfinitePast();
};

}  // namespace chartly::coordinator

#endif  // CHARTLY_CONTROL_COORDINATOR_QUOTA_TURNS_H_
