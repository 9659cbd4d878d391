// An audit event as an entry of the log (docs/formats/audit.md): the bytes that are hashed, and the digests that stand
// in them for what may name a person.
//
// Pure functions; thread-safe.
#ifndef CHARTLY_COMMON_AUDIT_AUDIT_ENTRY_H_
#define CHARTLY_COMMON_AUDIT_AUDIT_ENTRY_H_

#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "chartly/v1/audit.pb.h"
#include "common/crypto/merkle_tree.h"

namespace chartly {

// Of events that are made today. Events of the first version, which hashed the event before and the actor itself, have
// form 0 and stay as they are.
inline constexpr int kAuditForm = 2;

// What the log itself does; the verifier looks for these.
inline constexpr char kRotateAction[] = "AuditService.RotateAuditKey";
inline constexpr char kEraseAction[] = "AuditService.EraseAuditPerson";
inline constexpr char kRetentionAction[] = "AuditLog.Retention";

// Lower-case hex SHA-256 over salt (as hex) and text; empty for an empty text.
std::string PersonDigest(absl::string_view salt, absl::string_view text);

// The bytes of the entry: each field with its length before it, so that no two events give the same.
std::string CanonicalForm(const v1::AuditEvent& event);

MerkleHash AuditLeaf(const v1::AuditEvent& event);

// What `hash` of the event must be: that of the leaf, in hex; of form 0, the SHA-256 of its bytes.
std::string AuditHash(const v1::AuditEvent& event);

// Whether the person of the event was erased.
bool IsErased(const v1::AuditEvent& event);

// DataLoss (AUDIT_EVENT_CHANGED), saying what, unless `hash` and the digests are those of the event.
absl::Status CheckAuditEvent(const v1::AuditEvent& event);

}  // namespace chartly

#endif  // CHARTLY_COMMON_AUDIT_AUDIT_ENTRY_H_
