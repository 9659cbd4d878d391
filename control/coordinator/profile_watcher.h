// Keeps the coordinator's profiles equal to the registry's: follows its WatchProfiles stream, and begins anew when the
// stream breaks. Start returns at once; Shutdown is safe twice and before Start. Coordinator, peers, and clock must
// outlive it.
#ifndef CHARTLY_CONTROL_COORDINATOR_PROFILE_WATCHER_H_
#define CHARTLY_CONTROL_COORDINATOR_PROFILE_WATCHER_H_

#include <atomic>
#include <string>
#include <thread>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/synchronization/notification.h"
#include "chartly/v1/registry.pb.h"
#include "common/clock/clock.h"
#include "common/rpc/peers.h"
#include "control/coordinator/coordinator.h"

namespace chartly::coordinator {

class ProfileWatcher {
 public:
  ProfileWatcher(Coordinator& coordinator, const rpc::Peers& peers, Clock& clock)
      : coordinator_(coordinator), peers_(peers), clock_(clock) {}
  ~ProfileWatcher() { Shutdown(); }
  void Start();
  void Shutdown();
  // Whether all profiles are known and changes arrive.
  bool in_sync() const { return in_sync_; }
  // Asks the registry for one profile now, so that a caller sees a change it has just made. NotFound if there is none;
  // Unavailable and the like leave what is known. `wait`: a registry that is away has a second to come back, for which
  // the thread of the caller is held.
  absl::Status Refresh(const std::string& profile_id, bool wait = true);

 private:
  void Loop();
  // Follows one stream to its end.
  absl::Status Follow();
  absl::StatusOr<v1::Profile> Ask(const std::string& profile_id, absl::Duration timeout, bool wait_for_ready) const;

  Coordinator& coordinator_;
  const rpc::Peers& peers_;
  Clock& clock_;
  std::atomic<bool> in_sync_{false};
  absl::Notification stop_;
  absl::Mutex mu_;
  grpc::ClientContext* current_ ABSL_GUARDED_BY(mu_) = nullptr;  // of the open stream
  std::thread thread_;
};

}  // namespace chartly::coordinator

#endif  // CHARTLY_CONTROL_COORDINATOR_PROFILE_WATCHER_H_
