#include "control/audit/audit_proofs.h"

#include "absl/strings/str_cat.h"
#include "common/crypto/merkle_tree.h"
#include "common/status/status.h"

namespace chartly::audit {
namespace {

absl::StatusOr<MerkleProof> Consistency(const AuditLog& log, int64_t first, int64_t second) {
  for (const int64_t size : {first, second}) {
    if (size >= 0) continue;
    return Error(absl::StatusCode::kInvalidArgument, "PROOF_SIZE_INVALID",
                 absl::StrCat("a log has no ", size, " entries"));
  }
  return ConsistencyProof(static_cast<uint64_t>(first), static_cast<uint64_t>(second), log.nodes());
}

}  // namespace

absl::StatusOr<v1::AuditCheckpoint> ProveCheckpoint(const AuditLog& log, CheckpointKeeper& keeper, int64_t since_size,
                                                    bool fresh) {
  ASSIGN_OR_RETURN(SignedCheckpoint made, fresh ? keeper.SignNow() : keeper.Latest());
  v1::AuditCheckpoint answer;
  answer.set_checkpoint(made.note);
  answer.set_size(static_cast<int64_t>(made.checkpoint.size));
  answer.set_root(HexOf(made.checkpoint.root));
  for (v1::AuditKey& key : keeper.keys()) *answer.add_keys() = std::move(key);
  if (since_size == 0) return answer;
  ASSIGN_OR_RETURN(MerkleProof proof, Consistency(log, since_size, answer.size()));
  for (const MerkleHash& hash : proof) answer.add_consistency(HexOf(hash));
  return answer;
}

absl::StatusOr<v1::AuditProof> ProveInclusion(const AuditLog& log, CheckpointKeeper& keeper, int64_t seq) {
  ASSIGN_OR_RETURN(v1::AuditEvent event, log.Get(seq));
  ASSIGN_OR_RETURN(SignedCheckpoint made, keeper.Latest());
  // An event of this second may not be signed yet.
  if (made.checkpoint.size < static_cast<uint64_t>(seq)) {
    ASSIGN_OR_RETURN(made, keeper.SignNow());
  }
  ASSIGN_OR_RETURN(MerkleProof proof,
                   InclusionProof(static_cast<uint64_t>(seq) - 1, made.checkpoint.size, log.nodes()));
  v1::AuditProof answer;
  *answer.mutable_event() = std::move(event);
  answer.set_leaf_index(seq - 1);
  answer.set_size(static_cast<int64_t>(made.checkpoint.size));
  answer.set_root(HexOf(made.checkpoint.root));
  for (const MerkleHash& hash : proof) answer.add_hashes(HexOf(hash));
  answer.set_checkpoint(made.note);
  return answer;
}

absl::StatusOr<v1::AuditConsistency> ProveConsistency(const AuditLog& log, CheckpointKeeper& keeper, int64_t first_size,
                                                      int64_t second_size) {
  ASSIGN_OR_RETURN(SignedCheckpoint newest, keeper.Latest());
  v1::AuditConsistency answer;
  answer.set_first_size(first_size);
  answer.set_second_size(second_size == 0 ? static_cast<int64_t>(newest.checkpoint.size) : second_size);
  if (answer.second_size() > static_cast<int64_t>(log.Head().size())) {
    return Error(absl::StatusCode::kOutOfRange, "PROOF_OUT_OF_RANGE",
                 absl::StrCat("the log has no ", answer.second_size(), " entries yet"));
  }
  ASSIGN_OR_RETURN(MerkleProof proof, Consistency(log, answer.first_size(), answer.second_size()));
  ASSIGN_OR_RETURN(MerkleHash first, MerkleRoot(static_cast<uint64_t>(answer.first_size()), log.nodes()));
  ASSIGN_OR_RETURN(MerkleHash second, MerkleRoot(static_cast<uint64_t>(answer.second_size()), log.nodes()));
  answer.set_first_root(HexOf(first));
  answer.set_second_root(HexOf(second));
  for (const MerkleHash& hash : proof) answer.add_hashes(HexOf(hash));
  return answer;
}

}  // namespace chartly::audit
