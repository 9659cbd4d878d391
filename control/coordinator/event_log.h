// The last changes of runs and drones, for those who watch. Old events fall out; a watcher that is too slow misses
// them and goes on with the oldest held. Thread-safe.
#ifndef CHARTLY_CONTROL_COORDINATOR_EVENT_LOG_H_
#define CHARTLY_CONTROL_COORDINATOR_EVENT_LOG_H_

#include <cstdint>
#include <deque>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "chartly/v1/coordinator.pb.h"

namespace chartly::coordinator {

class EventLog {
 public:
  // Ids begin after the milliseconds of `start`, so that they also grow over a restart.
  explicit EventLog(absl::Time start, size_t capacity = 4096);
  void Append(v1::Run run, absl::Time now);
  void Append(v1::Drone drone, absl::Time now);
  void Append(v1::Rollout rollout, absl::Time now);
  // The position to begin at: after `last_event_id`, or after the newest event if it is empty or from the future.
  // InvalidArgument (EVENT_ID_INVALID) if it is no number.
  absl::StatusOr<int64_t> Position(absl::string_view last_event_id) const;
  // Events after `position`, at most 256, and moves it. Waits for one at most `timeout`; empty if none came.
  std::vector<v1::Event> Next(int64_t& position, absl::Duration timeout) const;
  // Ends all waiting, now and later.
  void Close();
  bool closed() const;

 private:
  v1::Event& Add(absl::Time now) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  const size_t capacity_;
  mutable absl::Mutex mu_;
  std::deque<v1::Event> events_ ABSL_GUARDED_BY(mu_);
  int64_t last_id_ ABSL_GUARDED_BY(mu_);
  bool closed_ ABSL_GUARDED_BY(mu_) = false;
};

}  // namespace chartly::coordinator

#endif  // CHARTLY_CONTROL_COORDINATOR_EVENT_LOG_H_
