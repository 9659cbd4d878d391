// Webhook deliveries that wait for a run. What was taken is durable and stays until the run that was given it came to
// a good end; a run is told of by its caller, who writes what Drop, SetAside and Forget give in a transaction of his.
//
// Bounded for each profile: bytes that wait, deliveries a minute, ids that are held. Thread-safe; store and clock must
// outlive it.
#ifndef CHARTLY_CONTROL_COORDINATOR_WEBHOOK_INBOX_H_
#define CHARTLY_CONTROL_COORDINATOR_WEBHOOK_INBOX_H_

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "chartly/v1/coordinator.pb.h"
#include "common/clock/clock.h"
#include "common/state/state_store.h"

namespace chartly::coordinator {

// The most that one run is given, whatever its profile allows: it must fit the answer to a heartbeat.
inline constexpr int64_t kMaxRunDeliveryBytes = int64_t{2} << 20;
inline constexpr size_t kMaxRunDeliveries = 1000;

struct WebhookInboxOptions {
  int64_t bytes_max = int64_t{64} << 20;
  double per_minute = 300;
  size_t ids_max = 100'000;
};

class WebhookInbox {
 public:
  WebhookInbox(const WebhookInboxOptions& options, StateStore& store, Clock& clock)
      : options_(options), store_(store), clock_(clock) {}
  // Requires: called once, first.
  absl::Status Load();

  // Makes a delivery durable and holds its id for `remember`. False if the same was taken before, so that nothing was
  // stored now. AlreadyExists (WEBHOOK_ID_REUSED) if the id came with another body; ResourceExhausted
  // (WEBHOOK_RATE_LIMITED, WEBHOOK_BACKLOG_FULL) with detail retry_after_seconds.
  absl::StatusOr<bool> Take(const std::string& profile_id, const v1::WebhookDelivery& delivery,
                            absl::Duration remember);

  struct BatchLimits {
    size_t count = kMaxRunDeliveries;
    int64_t bytes = kMaxRunDeliveryBytes;
  };
  // What a run of `revision` may be given: the oldest that wait, are not `given` to another run, and were not set aside
  // for this revision. At least one, if there is one, whatever its size.
  std::vector<int64_t> Batch(const std::string& profile_id, absl::string_view revision, const BatchLimits& limits,
                             const std::set<int64_t>& given) const;
  // NotFound if it does not wait any more.
  absl::StatusOr<v1::WebhookDelivery> Read(const std::string& profile_id, int64_t sequence) const;

  // A run with these came to a good end.
  void Drop(const std::string& profile_id, const std::vector<int64_t>& sequences, StateTransaction& transaction);
  // A run with these failed in a way that will not heal by itself: the next one is given half as many, and a single one
  // is set aside until the profile has another revision.
  void Narrow(const std::string& profile_id, const std::vector<int64_t>& sequences, const std::string& revision,
              StateTransaction& transaction);
  // The profile was deleted.
  void Forget(const std::string& profile_id, StateTransaction& transaction);
  // Lets go of ids whose time is over.
  absl::Status ForgetOldIds();

  // Of all profiles; those set aside count as waiting, too.
  struct Totals {
    int64_t waiting = 0;
    int64_t bytes = 0;
    int64_t aside = 0;
  };
  Totals totals() const;

 private:
  struct Waiting {
    int64_t bytes = 0;
    std::string aside_revision;
  };
  struct TakenId {
    std::string sha256;
    absl::Time forget;
  };
  struct Box {
    std::map<int64_t, Waiting> waiting;  // by sequence
    int64_t bytes = 0;
    int64_t aside = 0;
    std::map<std::string, TakenId> ids;
    std::set<std::pair<absl::Time, std::string>> ids_by_time;
    size_t window = kMaxRunDeliveries;  // deliveries of the next run
    double tokens = 0;                  // deliveries that may come at once
    absl::Time tokens_at = absl::InfinitePast();
  };
  absl::Status LoadWaiting() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  absl::Status LoadIds() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  absl::Status CheckRoom(Box& box, int64_t bytes) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void Remove(const std::string& profile_id, Box& box, int64_t sequence, StateTransaction& transaction)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  const WebhookInboxOptions options_;
  StateStore& store_;
  Clock& clock_;
  mutable absl::Mutex mu_;
  std::map<std::string, Box> boxes_ ABSL_GUARDED_BY(mu_);
  int64_t last_sequence_ ABSL_GUARDED_BY(mu_) = 0;
};

}  // namespace chartly::coordinator

#endif  // CHARTLY_CONTROL_COORDINATOR_WEBHOOK_INBOX_H_
