// The audit log as one file that can be checked without the control plane (docs/formats/audit.md).
#ifndef CHARTLY_CONTROL_AUDIT_AUDIT_EXPORT_H_
#define CHARTLY_CONTROL_AUDIT_AUDIT_EXPORT_H_

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "chartly/v1/audit.pb.h"
#include "common/state/state_store.h"
#include "control/audit/checkpoint_keeper.h"

namespace chartly::audit {

// Signs the log as it is now and hands its file to `write` in pieces of some hundred KiB, until that says false.
// DataLoss (AUDIT_DAMAGED) if an event is missing: the file is then not whole.
absl::Status WriteAuditLog(const StateStore& store, const AuditLog& log, CheckpointKeeper& keeper,
                           absl::FunctionRef<bool(const v1::ExportAuditLogResponse& piece)> write);

}  // namespace chartly::audit

#endif  // CHARTLY_CONTROL_AUDIT_AUDIT_EXPORT_H_
