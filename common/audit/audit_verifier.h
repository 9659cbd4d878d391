// Checks an exported audit log without the control plane: every entry, the tree over them, the keys, and the
// checkpoints that were kept elsewhere.
//
// One verifier checks one file; not thread-safe. Memory does not grow with the log, but for a few bytes for each event
// whose person was erased.
#ifndef CHARTLY_COMMON_AUDIT_AUDIT_VERIFIER_H_
#define CHARTLY_COMMON_AUDIT_AUDIT_VERIFIER_H_

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "chartly/v1/audit.pb.h"
#include "common/crypto/checkpoint.h"
#include "common/crypto/merkle_tree.h"

namespace chartly {

struct AuditTrust {
  // Signed notes of checkpoints that were kept elsewhere.
  std::vector<std::string> checkpoints;
  // Keys of the log that are known from elsewhere; without one, those of the file are taken for true.
  std::vector<PublicKey> keys;
};

struct AuditVerdict {
  std::string origin;
  int64_t first_seq = 1;
  int64_t size = 0;
  MerkleHash root = EmptyMerkleRoot();
  int64_t erased = 0;                   // events whose person was erased
  std::vector<int64_t> checkpoints;     // sizes of those given that the log was compared with
  std::vector<int64_t> not_comparable;  // sizes of those that lie before the first event
};

class AuditVerifier {
 public:
  explicit AuditVerifier(AuditTrust trust) : trust_(std::move(trust)) {}

  // Takes the next line, without its end. DataLoss (AUDIT_TAMPERED) names the first entry that is wrong (detail seq;
  // with detail last_seq, one of those from seq to it), and why; errors of keys and notes as OpenCheckpoint gives them.
  absl::Status TakeLine(absl::string_view line);
  // Call it after the last line.
  absl::StatusOr<AuditVerdict> Finish();

 private:
  absl::Status TakeHeader(absl::string_view line);
  absl::Status TakeEvent(absl::string_view line);
  absl::Status ExpectCheckpoint(const Checkpoint& checkpoint);
  absl::Status CheckPlace(const v1::AuditEvent& event) const;
  absl::Status CheckLink(const v1::AuditEvent& event) const;
  absl::Status CheckOwnActions(const v1::AuditEvent& event);
  absl::Status CheckRoot();
  absl::Status CheckErasures() const;
  int64_t next_seq() const { return static_cast<int64_t>(frontier_.size()) + 1; }

  const AuditTrust trust_;
  bool has_header_ = false;
  v1::AuditExportHeader header_;
  Checkpoint end_;                           // what the file says of itself
  std::map<uint64_t, MerkleHash> expected_;  // roots by size
  uint64_t last_known_size_ = 0;             // the largest size so far whose root was right
  MerkleFrontier frontier_;
  std::string last_hash_;                     // of the event before
  std::map<int64_t, std::string> announced_;  // verifier by seq of its announcement
  std::vector<int64_t> erased_;               // seqs whose person is gone
  std::vector<int64_t> permitted_;            // seqs that events of erasure name
  int64_t retained_ = 0;                      // entries through this one left by retention
  AuditVerdict verdict_;
};

// "1-3,7" and back. The list is sorted and has no number twice. InvalidArgument (SEQ_LIST_INVALID) for any other text.
std::string WriteSeqList(const std::vector<int64_t>& seqs);
absl::StatusOr<std::vector<int64_t>> ReadSeqList(absl::string_view text);

}  // namespace chartly

#endif  // CHARTLY_COMMON_AUDIT_AUDIT_VERIFIER_H_
