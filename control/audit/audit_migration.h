// Brings the audit log in a store to the format of this version.
#ifndef CHARTLY_CONTROL_AUDIT_AUDIT_MIGRATION_H_
#define CHARTLY_CONTROL_AUDIT_AUDIT_MIGRATION_H_

#include "absl/status/status.h"
#include "common/state/state_store.h"

namespace chartly::audit {

// A log of the first version, a chain of hashes, is checked from its first event and gets the tree over its events,
// which stay as they are. Begun anew if it was interrupted. DataLoss (AUDIT_CHAIN_BROKEN) naming the first event that
// does not fit: nothing is changed then. FailedPrecondition (AUDIT_FORMAT) if a later version wrote the log.
absl::Status MigrateAuditLog(StateStore& store);

}  // namespace chartly::audit

#endif  // CHARTLY_CONTROL_AUDIT_AUDIT_MIGRATION_H_
