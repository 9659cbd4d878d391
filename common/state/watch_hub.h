// Hands the changes of a state store to its watchers: one thread, in the order of revisions, over a bounded queue.
//
// Thread-safe. A change that nobody watches is not queued. When watchers fall behind, WaitForRoom refuses new
// transactions instead of dropping changes. A subscription may outlive the hub's Stop; it then gets nothing more.
#ifndef CHARTLY_COMMON_STATE_WATCH_HUB_H_
#define CHARTLY_COMMON_STATE_WATCH_HUB_H_

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "common/state/state_store.h"

namespace chartly {

class WatchHub : public std::enable_shared_from_this<WatchHub> {
 public:
  using Callback = std::function<void(const StateChange&)>;
  static constexpr size_t kMaxQueuedChanges = 65536;
  static constexpr size_t kMaxQueuedBytes = size_t{64} << 20;

  static std::shared_ptr<WatchHub> Create();
  ~WatchHub();
  // Stops delivery and joins the thread. Safe twice. Requires: not called from a callback.
  void Stop();
  // Delivers changes of keys with `prefix` and a revision above `after`. Once the subscription is gone, its callback is
  // not running and will not run (unless it goes from inside the callback itself).
  std::unique_ptr<StateStore::Subscription> Subscribe(std::string prefix, int64_t after, Callback callback);
  // OK if the queue has room, waiting a second for it; else ResourceExhausted (STATE_WATCHERS_BEHIND).
  absl::Status WaitForRoom();
  // Queues changes of one transaction. Requires: called in the order of revisions.
  void Publish(const std::vector<StateChange>& changes);

 private:
  class Handle;
  struct Watcher {
    std::string prefix;
    int64_t after;
    Callback callback;
  };
  WatchHub() = default;
  bool HasRoom() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  bool HasWork() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) { return stopped_ || !queue_.empty(); }
  bool IsWatched(const StateChange& change) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void Unsubscribe(int64_t id);
  void Deliver();
  void DeliverOne(const StateChange& change) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  absl::Mutex mu_;
  std::deque<StateChange> queue_ ABSL_GUARDED_BY(mu_);
  size_t queued_bytes_ ABSL_GUARDED_BY(mu_) = 0;
  std::map<int64_t, std::shared_ptr<Watcher>> watchers_ ABSL_GUARDED_BY(mu_);
  int64_t last_id_ ABSL_GUARDED_BY(mu_) = 0;
  int64_t running_ ABSL_GUARDED_BY(mu_) = 0;  // the watcher whose callback runs now
  bool stopped_ ABSL_GUARDED_BY(mu_) = false;
  std::thread thread_;
  std::thread::id thread_id_ ABSL_GUARDED_BY(mu_);
};

}  // namespace chartly

#endif  // CHARTLY_COMMON_STATE_WATCH_HUB_H_
