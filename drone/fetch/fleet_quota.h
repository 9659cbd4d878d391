// The drone's side of quotas that the whole fleet shares (limits.fleet_rate): a request waits for a turn that the
// coordinator gives, and is begun within it or not at all. Without the coordinator nothing is asked.
//
// Turns are on the coordinator's steady clock. How that stands to the one here is known from the answers: what it
// showed lies between the moments when the report was sent and when the answer came, so of several answers the quickest
// tells most. A turn is taken only when it has begun and has not ended, however wrong the rest of that is.
//
// Thread-safe. Report and Take are called by the session, the rest by runs.
#ifndef CHARTLY_DRONE_FETCH_FLEET_QUOTA_H_
#define CHARTLY_DRONE_FETCH_FLEET_QUOTA_H_

#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "absl/synchronization/notification.h"
#include "absl/time/time.h"
#include "chartly/v1/quota.pb.h"
#include "common/clock/clock.h"
#include "common/profile/profile.h"

namespace chartly::drone {

class FleetQuota {
 public:
  // `steady` does not go back and must outlive it. `wake` asks for a report soon; it is called without locks and may be
  // empty.
  FleetQuota(Clock& steady, std::function<void()> wake) : steady_(steady), wake_(std::move(wake)) {}

  // Waits for a turn of the quota `name`, at most until `deadline` of `clock`, or `stop`. DeadlineExceeded
  // (RUN_TIMEOUT) or Cancelled (CANCELLED) then.
  absl::Status Enter(const std::string& name, const FleetRate& rate, Clock& clock, absl::Time deadline,
                     const absl::Notification& stop);
  // The source said that it is asked too often, and to be left alone for so long (zero: it did not say).
  void Throttled(const std::string& name, const FleetRate& rate, absl::Duration retry_after);

  // What to tell the coordinator with the next heartbeat; false if no run ever used a quota.
  bool Report(v1::QuotaReport& report);
  // What it answered.
  void Take(const v1::QuotaAnswer& answer);

 private:
  struct Turn {
    absl::Time begin;  // the earliest moment here at which it has begun there for sure
    absl::Time end;    // the latest at which it has not ended for sure
  };
  struct Quota {
    int64_t requests = 1;
    absl::Duration period = absl::Seconds(1);
    int waiting = 0;
    std::map<int64_t, Turn> turns;  // by their begin there
    // Told until an answer shows that it was heard.
    std::set<int64_t> returned;
    int throttled = 0;
    absl::Duration retry_after = absl::ZeroDuration();
    // What the report that waits for its answer told of these.
    std::set<int64_t> told_returned;
    int told_throttled = 0;
  };

  Quota& Find(const std::string& name, const FleetRate& rate) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // Takes a turn that is under way. Else says when to look again.
  bool TakeTurn(Quota& quota, absl::Time now, absl::Time& look_again) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // Forgets turns that went by; says whether there were any.
  static bool DropMissed(Quota& quota, absl::Time now);
  void Leave(Quota& quota) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void ReturnSurplus(Quota& quota) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void TakeClock(const v1::QuotaAnswer& answer, absl::Time now) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void TakeGrant(const v1::QuotaGrant& grant) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  Clock& steady_;
  const std::function<void()> wake_;
  absl::Mutex mu_;
  absl::CondVar changed_;
  std::map<std::string, Quota> quotas_ ABSL_GUARDED_BY(mu_);
  int64_t sent_us_ ABSL_GUARDED_BY(mu_) = 0;
  // The coordinator's clock less this one lies between these.
  int64_t clock_epoch_ ABSL_GUARDED_BY(mu_) = 0;
  absl::Time clock_seen_ ABSL_GUARDED_BY(mu_);
  absl::Duration ahead_least_ ABSL_GUARDED_BY(mu_);
  absl::Duration ahead_most_ ABSL_GUARDED_BY(mu_);
};

}  // namespace chartly::drone

#endif  // CHARTLY_DRONE_FETCH_FLEET_QUOTA_H_
