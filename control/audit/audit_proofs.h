// What the audit log proves to whoever asks: checkpoints with their keys, inclusion, consistency.
//
// Pure functions over log and keeper; thread-safe.
#ifndef CHARTLY_CONTROL_AUDIT_AUDIT_PROOFS_H_
#define CHARTLY_CONTROL_AUDIT_AUDIT_PROOFS_H_

#include <cstdint>

#include "absl/status/statusor.h"
#include "chartly/v1/audit.pb.h"
#include "control/audit/audit_log.h"
#include "control/audit/checkpoint_keeper.h"

namespace chartly::audit {

// The newest checkpoint (with `fresh`: of the log as it is now) and, unless `since_size` is 0, the proof that the log
// of that size is its beginning. OutOfRange (PROOF_OUT_OF_RANGE) if the log is shorter.
absl::StatusOr<v1::AuditCheckpoint> ProveCheckpoint(const AuditLog& log, CheckpointKeeper& keeper, int64_t since_size,
                                                    bool fresh);
absl::StatusOr<v1::AuditProof> ProveInclusion(const AuditLog& log, CheckpointKeeper& keeper, int64_t seq);
absl::StatusOr<v1::AuditConsistency> ProveConsistency(const AuditLog& log, CheckpointKeeper& keeper, int64_t first_size,
                                                      int64_t second_size);

}  // namespace chartly::audit

#endif  // CHARTLY_CONTROL_AUDIT_AUDIT_PROOFS_H_
