// What leaves the audit log: events whose time is over, and what names a person. The hashes stay, so that the rest is
// provable, and the log says what left.
//
// Thread-safe; one thing is done at a time. Everything must outlive it.
#ifndef CHARTLY_CONTROL_AUDIT_AUDIT_UPKEEP_H_
#define CHARTLY_CONTROL_AUDIT_AUDIT_UPKEEP_H_

#include <cstdint>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/synchronization/notification.h"
#include "absl/time/time.h"
#include "chartly/v1/audit.pb.h"
#include "common/clock/clock.h"
#include "common/state/state_store.h"
#include "control/audit/audit_log.h"

namespace chartly::audit {

class AuditUpkeep {
 public:
  // `keep`: how long events stay; zero: for good.
  AuditUpkeep(StateStore& store, AuditLog& log, Clock& clock, absl::Duration keep)
      : store_(store), log_(log), clock_(clock), keep_(keep) {}
  ~AuditUpkeep() { Shutdown(); }
  // Prunes now and each hour, if there is anything to do.
  void Start();
  // Safe twice.
  void Shutdown();

  // Removes events older than `keep`, never the newest one, and returns how many.
  absl::StatusOr<int64_t> Prune();
  // `event` says by whom, and is recorded once for each group of events that were touched, at least once.
  // InvalidArgument (AUDIT_PERSON_MISSING) if the request names nobody.
  absl::StatusOr<v1::EraseAuditPersonResponse> Erase(const v1::EraseAuditPersonRequest& request,
                                                     const v1::AuditEvent& event);

 private:
  absl::StatusOr<int64_t> LastToPrune() const;
  absl::Status DeleteThrough(int64_t seq);
  absl::Status Record(const v1::AuditEvent& event, const std::vector<v1::AuditEvent>& erased);

  StateStore& store_;
  AuditLog& log_;
  Clock& clock_;
  const absl::Duration keep_;
  absl::Mutex mu_;  // an event that is removed must not be written again by an erasure
  absl::Notification stop_;
  std::thread thread_;
};

}  // namespace chartly::audit

#endif  // CHARTLY_CONTROL_AUDIT_AUDIT_UPKEEP_H_
