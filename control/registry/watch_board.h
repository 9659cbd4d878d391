// The open watches of the registry. Each gets every profile that runs (not those that were never released), one message
// with in_sync and no profile, and from then on each profile that changes, as it stands when the message is made. A
// slow watcher is told of the newest state of a profile and may miss states between; what waits for it are ids, so it
// costs little.
//
// Thread-safe. The store must outlive it; Run returns before it goes (Shutdown, then wait for the callers of Run).
#ifndef CHARTLY_CONTROL_REGISTRY_WATCH_BOARD_H_
#define CHARTLY_CONTROL_REGISTRY_WATCH_BOARD_H_

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <set>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "chartly/v1/registry.pb.h"
#include "control/registry/profile_store.h"

namespace chartly::registry {

class WatchBoard {
 public:
  static constexpr int kMaxWatches = 128;
  using Send = std::function<bool(const v1::WatchProfilesResponse&)>;  // false: the watcher has gone

  explicit WatchBoard(ProfileStore& store) : store_(store) {}
  // Serves one watcher. Returns within 200 ms Cancelled once `cancelled` says true or `send` false, and Unavailable
  // (SHUTTING_DOWN) after Shutdown; ResourceExhausted (WATCHES_EXHAUSTED) if too many are open.
  absl::Status Run(const Send& send, const std::function<bool()>& cancelled);
  // Ends all watches. Safe twice.
  void Shutdown();

 private:
  struct Watch {
    std::deque<std::string> changed;      // ids in the order of their first change since they were last taken
    std::set<std::string> waiting;        // the same, to keep each once
    std::map<std::string, int64_t> sent;  // the generation last sent of each profile; only Run touches it
  };
  absl::Status Enter();
  void Leave();
  void NoteChange(Watch& watch, const std::string& id);
  absl::Status SendAll(Watch& watch, const Send& send, const std::function<bool()>& cancelled);
  absl::Status SendHead(Watch& watch, const std::string& id, const Send& send);
  // Waits shortly for changes and takes them; not OK once the board is shut down.
  absl::StatusOr<std::deque<std::string>> TakeChanges(Watch& watch);

  ProfileStore& store_;
  absl::Mutex mu_;
  int open_ ABSL_GUARDED_BY(mu_) = 0;
  bool stopped_ ABSL_GUARDED_BY(mu_) = false;
};

}  // namespace chartly::registry

#endif  // CHARTLY_CONTROL_REGISTRY_WATCH_BOARD_H_
