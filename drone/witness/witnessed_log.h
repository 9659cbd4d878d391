// What a drone remembers of the audit log of its control plane: the checkpoint it saw last, on its own disk, where
// whoever holds the control plane cannot change it. A log that does not continue it is a fork.
//
// Not thread-safe.
#ifndef CHARTLY_DRONE_WITNESS_WITNESSED_LOG_H_
#define CHARTLY_DRONE_WITNESS_WITNESSED_LOG_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "chartly/v1/audit.pb.h"
#include "common/crypto/checkpoint.h"
#include "common/crypto/signed_note.h"

namespace chartly::drone {

class WitnessedLog {
 public:
  // Reads what the folder holds, or begins with nothing. `trusted` are keys of the log that are known from elsewhere;
  // without one, the first keys that are seen are trusted from then on. DataLoss (WITNESS_DAMAGED) if the folder cannot
  // be read as what it should hold.
  static absl::StatusOr<WitnessedLog> Open(const std::string& folder, const std::vector<PublicKey>& trusted);

  // Entries of the log that was seen last; 0 at first.
  int64_t size() const { return static_cast<int64_t>(last_.size); }
  // Remembers the checkpoint, durably, if its signature is good and it is proven to continue the last one. Else nothing
  // changes: DataLoss AUDIT_FORK if it cannot be a continuation (kept beside, as evidence; every later call returns the
  // same), AUDIT_PROOF_WRONG if the proof is not one; Unauthenticated if nobody trusted signed it.
  absl::Status Take(const v1::AuditCheckpoint& answer);
  // OK, or the fork that was found.
  const absl::Status& fork() const { return fork_; }

 private:
  WitnessedLog(std::string folder, std::vector<PublicKey> trusted)
      : folder_(std::move(folder)), trusted_(std::move(trusted)) {}
  absl::Status Load();
  absl::Status CheckContinues(const Checkpoint& next, const v1::AuditCheckpoint& answer) const;
  absl::Status Remember(const v1::AuditCheckpoint& answer, const Checkpoint& next, const NoteKey& newest);
  absl::Status Fork(const v1::AuditCheckpoint& answer, absl::string_view why);
  std::string File(const char* name) const;

  std::string folder_;
  std::vector<PublicKey> trusted_;
  Checkpoint last_;  // of size 0 and without a name: none was seen
  absl::Status fork_;
};

}  // namespace chartly::drone

#endif  // CHARTLY_DRONE_WITNESS_WITNESSED_LOG_H_
