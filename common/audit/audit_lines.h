// The lines of an exported log (docs/formats/audit.md): JSON, written in one way only, so that a line that was changed
// in any byte reads differently or not at all.
//
// Pure functions; thread-safe.
#ifndef CHARTLY_COMMON_AUDIT_AUDIT_LINES_H_
#define CHARTLY_COMMON_AUDIT_AUDIT_LINES_H_

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "chartly/v1/audit.pb.h"

namespace chartly {

inline constexpr char kAuditExportFormat[] = "chartly-audit-export-2";

// Without a line end.
std::string AuditHeaderLine(const v1::AuditExportHeader& header);
std::string AuditEventLine(const v1::AuditEvent& event);

// DataLoss (AUDIT_LINE_INVALID) unless the line is exactly what the functions above write.
absl::StatusOr<v1::AuditExportHeader> ParseAuditHeaderLine(absl::string_view line);
absl::StatusOr<v1::AuditEvent> ParseAuditEventLine(absl::string_view line);

}  // namespace chartly

#endif  // CHARTLY_COMMON_AUDIT_AUDIT_LINES_H_
