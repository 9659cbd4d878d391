// The append-only log of what was done: events, and the Merkle tree over them, in one transaction each.
//
// Thread-safe. Appends that come together are made durable together. The store and the clock must outlive it.
#ifndef CHARTLY_CONTROL_AUDIT_AUDIT_LOG_H_
#define CHARTLY_CONTROL_AUDIT_AUDIT_LOG_H_

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "chartly/v1/audit.pb.h"
#include "common/clock/clock.h"
#include "common/crypto/merkle_tree.h"
#include "common/state/state_store.h"

namespace chartly::audit {

class AuditLog {
 public:
  // Longer fields of an event are cut to this many bytes and end in "...": a change is recorded whatever its name. The
  // detail may be longer.
  static constexpr size_t kMaxFieldBytes = 1024;
  static constexpr size_t kMaxDetailBytes = size_t{16} << 10;

  // Brings an older log to this format first (audit_migration.h).
  static absl::StatusOr<std::unique_ptr<AuditLog>> Open(StateStore& store, Clock& clock);

  // Returns the event with its seq, time and hashes, durable. `complete`, if given, is called with the event once its
  // seq is known: it may set more of it, and add to the transaction. InvalidArgument (AUDIT_EVENT_INVALID) without an
  // action; else what the store gives, and the event may or may not be in the log once that is opened again.
  using Complete = std::function<void(v1::AuditEvent& event, StateTransaction& transaction)>;
  absl::StatusOr<v1::AuditEvent> Append(const v1::AuditEvent& event, const Complete& complete = nullptr);

  // Newest first.
  absl::StatusOr<v1::ListAuditEventsResponse> List(const v1::ListAuditEventsRequest& request) const;
  // NotFound (AUDIT_EVENT_NOT_FOUND) if there is none, or its time was over.
  absl::StatusOr<v1::AuditEvent> Get(int64_t seq) const;
  // The end of the log as it is now: its size, its root, and what to append to.
  MerkleFrontier Head() const;
  MerkleNodeReader nodes() const { return nodes_; }
  // Called with the new size after each append. Requires: set before the first append; must not call back.
  void OnAppend(std::function<void(uint64_t size)> listener) { listener_ = std::move(listener); }
  // OK if the last append was made.
  absl::Status Health() const;

 private:
  struct Waiting {
    v1::AuditEvent event;
    const Complete* complete;
    std::optional<absl::Status> done;
  };

  AuditLog(StateStore& store, Clock& clock, MerkleFrontier head);
  absl::Status Commit(const std::vector<Waiting*>& group, MerkleFrontier& head);
  void Fill(Waiting& waiting, const MerkleFrontier& head, StateTransaction& transaction);
  void Lead() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  StateStore& store_;
  Clock& clock_;
  const MerkleNodeReader nodes_;
  std::function<void(uint64_t size)> listener_;
  mutable absl::Mutex mu_;
  std::deque<Waiting*> queue_ ABSL_GUARDED_BY(mu_);
  bool leading_ ABSL_GUARDED_BY(mu_) = false;  // a thread commits what waited
  MerkleFrontier head_ ABSL_GUARDED_BY(mu_);
  absl::Status health_ ABSL_GUARDED_BY(mu_);
};

}  // namespace chartly::audit

#endif  // CHARTLY_CONTROL_AUDIT_AUDIT_LOG_H_
