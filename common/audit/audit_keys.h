// The keys of an audit log: the first, and those that followed, each announced by a note that the key before it signed.
//
// Pure functions; thread-safe.
#ifndef CHARTLY_COMMON_AUDIT_AUDIT_KEYS_H_
#define CHARTLY_COMMON_AUDIT_AUDIT_KEYS_H_

#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "chartly/v1/audit.pb.h"
#include "common/crypto/signed_note.h"
#include "common/crypto/signing_key.h"

namespace chartly {

// The next key of the log, which the event `seq` announces.
v1::AuditKey AnnounceAuditKey(const NoteSigner& current, const PublicKey& next, int64_t seq);

// The keys of the log as checks of notes take them, all of whose announcements hold. DataLoss (AUDIT_KEYS_BROKEN) if
// one does not.
absl::StatusOr<std::vector<NoteKey>> ReadAuditKeys(absl::string_view origin, const std::vector<v1::AuditKey>& keys);

// Of those, the ones that follow from a trusted key: itself and what came after it. Unauthenticated
// (AUDIT_KEY_UNTRUSTED) if none is trusted. Without a trusted key all of them.
absl::StatusOr<std::vector<NoteKey>> TrustedAuditKeys(const std::vector<NoteKey>& keys,
                                                      const std::vector<PublicKey>& trusted);

}  // namespace chartly

#endif  // CHARTLY_COMMON_AUDIT_AUDIT_KEYS_H_
