// The append-only log of every change.
//
// Thread-safe; appends are serial, each is durable before it returns. The store and the clock must outlive it.
#ifndef CHARTLY_CONTROL_AUDIT_AUDIT_LOG_H_
#define CHARTLY_CONTROL_AUDIT_AUDIT_LOG_H_

#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "chartly/v1/audit.pb.h"
#include "common/clock/clock.h"
#include "common/state/state_store.h"
#include "control/audit/audit_chain.h"

namespace chartly::audit {

class AuditLog {
 public:
  // Longer fields of an event are cut to this many bytes and end in "...": a change is recorded whatever its name.
  static constexpr size_t kMaxFieldBytes = 1024;

  AuditLog(StateStore& store, Clock& clock) : store_(store), clock_(clock) {}
  // Returns the event with its seq, time and hashes. InvalidArgument (AUDIT_EVENT_INVALID) without an action.
  absl::StatusOr<v1::AuditEvent> Append(const v1::AppendAuditEventRequest& request);
  // Newest first.
  absl::StatusOr<v1::ListAuditEventsResponse> List(const v1::ListAuditEventsRequest& request) const;
  absl::StatusOr<ChainEnd> Verify() const { return VerifyChain(store_); }
  // OK if the end of the log can be read.
  absl::Status Health() const { return ReadEnd().status(); }

 private:
  absl::StatusOr<ChainEnd> ReadEnd() const;
  absl::StatusOr<v1::AuditEvent> AppendAtEnd(const v1::AuditEvent& given);

  StateStore& store_;
  Clock& clock_;
  absl::Mutex append_mu_;
};

}  // namespace chartly::audit

#endif  // CHARTLY_CONTROL_AUDIT_AUDIT_LOG_H_
