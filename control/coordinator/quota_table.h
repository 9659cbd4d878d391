// The quotas of sources that drones share. Each drone that has to ask a source says so, and gets turns: one request
// each, within a span of time. Without a turn it does not ask. A turn whose drone is lost goes by unused; one that a
// drone will not take comes back to the others.
//
// What is given out is never more than the quota in any of its periods (quota_turns.h), whatever is lost or late on the
// way, and over a restart: turns are given only up to a moment that is on disk, and after a restart all of them count
// as used. A drone that was told by the source that it is asked too often stops all drones for a while, halves what is
// given out, and lets it grow again step by step.
//
// Quotas are those that drones name; of one with several limits the strictest holds. Bounded. Not thread-safe: the
// coordinator guards it.
#ifndef CHARTLY_CONTROL_COORDINATOR_QUOTA_TABLE_H_
#define CHARTLY_CONTROL_COORDINATOR_QUOTA_TABLE_H_

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "chartly/storage/v1/coordinator.pb.h"
#include "chartly/v1/coordinator.pb.h"
#include "chartly/v1/quota.pb.h"
#include "common/state/state_store.h"
#include "control/coordinator/quota_turns.h"

namespace chartly::coordinator {

inline constexpr char kQuotaPrefix[] = "quota/";

struct QuotaTableOptions {
  absl::Duration heartbeat_interval = absl::Seconds(1);
  size_t quotas_max = 10'000;
};

class QuotaTable {
 public:
  // The store must outlive it.
  QuotaTable(const QuotaTableOptions& options, StateStore& store);
  // Reads what was given out before. `now` is of a clock that does not go back, here and below.
  absl::Status Load(absl::Time now);

  // Takes up what a drone tells and gives it turns. If what is to be given cannot be written first, that error, and
  // nothing is given.
  absl::Status Answer(const std::string& drone_id, const v1::QuotaReport& report, absl::Time now,
                      v1::QuotaAnswer& answer);
  // Quotas with a name after `after`, in order.
  std::vector<v1::SourceQuota> List(absl::string_view after, size_t limit, absl::Time now) const;

 private:
  // A drone that waits for turns.
  struct Waiter {
    absl::Time since;  // it got its last one, or began to wait
    absl::Time asked;
  };
  struct Given {
    std::string drone_id;
    absl::Time end;
  };
  struct Entry {
    QuotaTurns turns;
    int64_t requests = 0;
    absl::Duration period;
    absl::Time limit_asked = absl::InfinitePast();  // when a profile last had this limit
    absl::Time asked = absl::InfinitePast();
    absl::Time reserved = absl::InfinitePast();  // on disk: no turn ends later
    double share = 1;
    absl::Time raised = absl::InfinitePast();
    absl::Time paused_until = absl::InfinitePast();
    std::map<absl::Time, Given> given;      // turns to come, by their begin
    std::map<absl::Time, absl::Time> back;  // turns to come that were given back: begin and end
    std::map<std::string, Waiter, std::less<>> waiters;
    std::set<std::pair<absl::Time, std::string>> queue;  // the waiters by `since`
    int64_t turns_given = 0;
    int64_t throttled = 0;
  };

  Entry* FindOrAdd(const v1::QuotaNeed& need, absl::Time now);
  void TakeLimit(Entry& entry, const v1::QuotaNeed& need, absl::Time now) const;
  void TakeBack(Entry& entry, const std::string& drone_id, const v1::QuotaNeed& need, absl::Time now) const;
  void Throttle(const std::string& name, Entry& entry, const v1::QuotaNeed& need, absl::Time now) const;
  static void Recover(Entry& entry, absl::Time now);
  // Adds what has to be on disk before turns of the time to come are given; false if it is there.
  bool Reserve(const std::string& name, const Entry& entry, absl::Time now, StateTransaction& transaction) const;
  void ForgetIdle(absl::Time now, StateTransaction& transaction);
  void Give(Entry& entry, const std::string& drone_id, const v1::QuotaNeed& need, absl::Duration uncertainty,
            absl::Time now, v1::QuotaGrant& grant) const;
  void Wait(Entry& entry, const std::string& drone_id, absl::Time since, absl::Time now) const;
  static void StopWaiting(Entry& entry, absl::string_view drone_id);
  // Drones that wait longer than this one, as far as they are heard of; counts no further than `most`.
  int64_t Ahead(Entry& entry, absl::string_view drone_id, int64_t most, absl::Time now) const;
  // A drone that waits and has not asked since was lost.
  absl::Time LostBefore(absl::Time now) const;
  // Turns to come that begin by `horizon`.
  static int64_t Available(const Entry& entry, absl::Time now, absl::Time horizon);

  const QuotaTableOptions options_;
  const absl::Duration lead_;  // how far ahead turns are given
  StateStore& store_;
  std::map<std::string, Entry, std::less<>> entries_;
  absl::Time tidied_ = absl::InfinitePast();
};

}  // namespace chartly::coordinator

#endif  // CHARTLY_CONTROL_COORDINATOR_QUOTA_TABLE_H_
