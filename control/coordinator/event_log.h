// The last changes of runs and drones, for those who watch. Old events fall out; a watcher that is too slow misses
// them and goes on with the oldest held. Thread-safe.
#ifndef CHARTLY_CONTROL_COORDINATOR_EVENT_LOG_H_
#define CHARTLY_CONTROL_COORDINATOR_EVENT_LOG_H_

#include <cstdint>
#include <deque>
#include <memory>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "chartly/v1/coordinator.pb.h"

namespace chartly::coordinator {

// Is told that there are events, or that the log has closed.
class EventListener {
 public:
  virtual ~EventListener() = default;
  // Called by whoever appends, often; must not wait, and may ask the log.
  virtual void OnNews() = 0;
};

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
  // Events after `position`, at most 256, and moves it; empty if there is none yet.
  std::vector<v1::Event> Next(int64_t& position) const;
  // Tells the listener of every later event, for as long as it lives.
  void Listen(std::weak_ptr<EventListener> listener);
  // No more events come.
  void Close();
  bool closed() const;

 private:
  v1::Event& Add(absl::Time now) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void Tell() ABSL_LOCKS_EXCLUDED(mu_);
  const size_t capacity_;
  mutable absl::Mutex mu_;
  std::deque<v1::Event> events_ ABSL_GUARDED_BY(mu_);
  int64_t last_id_ ABSL_GUARDED_BY(mu_);
  bool closed_ ABSL_GUARDED_BY(mu_) = false;
  std::vector<std::weak_ptr<EventListener>> listeners_ ABSL_GUARDED_BY(mu_);
};

}  // namespace chartly::coordinator

#endif  // CHARTLY_CONTROL_COORDINATOR_EVENT_LOG_H_
