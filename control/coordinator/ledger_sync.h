// Follows runs in the ledger of the aggregator until it has their end. Start returns at once; Shutdown is safe twice
// and before Start. Coordinator, peers, and clock must outlive it.
#ifndef CHARTLY_CONTROL_COORDINATOR_LEDGER_SYNC_H_
#define CHARTLY_CONTROL_COORDINATOR_LEDGER_SYNC_H_

#include <atomic>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "absl/synchronization/notification.h"
#include "absl/time/time.h"
#include "chartly/v1/aggregator.pb.h"
#include "common/clock/clock.h"
#include "common/rpc/peers.h"
#include "control/coordinator/coordinator.h"

namespace chartly::coordinator {

class LedgerSync {
 public:
  LedgerSync(Coordinator& coordinator, const rpc::Peers& peers, Clock& clock, absl::Duration interval)
      : coordinator_(coordinator), peers_(peers), clock_(clock), interval_(interval) {}
  ~LedgerSync() { Shutdown(); }
  void Start();
  void Shutdown();
  // Whether the aggregator answered when it was last asked.
  bool reachable() const { return reachable_; }

 private:
  void Loop();
  // Asks for the runs that are to be asked for now; stops at the first call that fails otherwise than NotFound, and
  // goes on there with the next pass. What was answered is taken over in groups, since each may be a synced write.
  // Nothing if there was nothing to ask.
  std::optional<absl::Status> Pass();
  absl::Status Ask(const std::string& run_id, std::vector<v1::RunLedger>& answered);

  Coordinator& coordinator_;
  const rpc::Peers& peers_;
  Clock& clock_;
  const absl::Duration interval_;
  std::atomic<bool> reachable_{true};
  absl::Notification stop_;
  absl::Mutex mu_;
  grpc::ClientContext* current_ ABSL_GUARDED_BY(mu_) = nullptr;  // of the call under way
  std::set<std::string> unasked_;                                // runs that the last pass left
  std::thread thread_;
};

}  // namespace chartly::coordinator

#endif  // CHARTLY_CONTROL_COORDINATOR_LEDGER_SYNC_H_
