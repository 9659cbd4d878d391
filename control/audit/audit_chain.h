// The chain of the audit log (docs/formats/audit.md): each event carries the hash of the one before and a hash over
// itself, so that an event cannot be changed, taken out or put in without breaking every later hash.
//
// Pure functions; thread-safe.
#ifndef CHARTLY_CONTROL_AUDIT_AUDIT_CHAIN_H_
#define CHARTLY_CONTROL_AUDIT_AUDIT_CHAIN_H_

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "chartly/v1/audit.pb.h"
#include "common/state/state_store.h"

namespace chartly::audit {

// Events lie in the state store under this prefix and their seq as 16 hex digits.
inline constexpr char kEventPrefix[] = "event/";
std::string EventKey(int64_t seq);

// Reads one stored event; DataLoss (AUDIT_DAMAGED) if it is none.
absl::StatusOr<v1::AuditEvent> DecodeEvent(const StateEntry& entry);

// Lower-case hex SHA-256 over prev_hash and the other fields; `hash` itself is not part of it.
std::string HashOf(const v1::AuditEvent& event);

struct ChainEnd {
  int64_t seq = 0;   // 0: the log is empty
  std::string hash;  // of the last event
};

// Walks the whole log from the first event and returns its end. DataLoss (AUDIT_CHAIN_BROKEN) naming the first event
// that does not fit. Events cut off at the end show only by comparing the end with one noted earlier.
absl::StatusOr<ChainEnd> VerifyChain(const StateStore& store);

}  // namespace chartly::audit

#endif  // CHARTLY_CONTROL_AUDIT_AUDIT_CHAIN_H_
