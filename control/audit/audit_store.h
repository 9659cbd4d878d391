// How the audit log lies in its state store (docs/formats/audit.md): events, hashes of full subtrees, keys and
// checkpoints.
//
// Pure functions over the store; thread-safe.
#ifndef CHARTLY_CONTROL_AUDIT_AUDIT_STORE_H_
#define CHARTLY_CONTROL_AUDIT_AUDIT_STORE_H_

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "chartly/v1/audit.pb.h"
#include "common/crypto/merkle_tree.h"
#include "common/state/state_store.h"

namespace chartly::audit {

inline constexpr char kEventPrefix[] = "event/";
inline constexpr char kNodePrefix[] = "node/";
inline constexpr char kCheckpointPrefix[] = "checkpoint/";
inline constexpr char kKeyPrefix[] = "key/";
inline constexpr char kFormatKey[] = "meta/format";
inline constexpr char kOriginKey[] = "meta/origin";

// Prefix and number as 16 hex digits, so that numbers sort as keys.
std::string EventKey(int64_t seq);
std::string NodeKey(const MerkleNode& node);
std::string CheckpointKey(uint64_t size);
std::string AuditKeyKey(int64_t seq);

// Reads one stored event; DataLoss (AUDIT_DAMAGED) if it is none.
absl::StatusOr<v1::AuditEvent> DecodeEvent(const StateEntry& entry);

// Reads the hash of a full subtree; DataLoss (AUDIT_DAMAGED) if it is not there.
MerkleNodeReader NodesOf(const StateStore& store);

// The end of the log of `size` entries.
absl::StatusOr<MerkleFrontier> ReadFrontier(const StateStore& store, uint64_t size);

// Adds the hashes that an entry completed to a transaction.
void PutNodes(const std::vector<std::pair<MerkleNode, MerkleHash>>& completed, StateTransaction& transaction);

// Seqs of the first and last event; 0 and 0 if the log is empty.
struct EventRange {
  int64_t first = 0;
  int64_t last = 0;
};
absl::StatusOr<EventRange> ReadEventRange(const StateStore& store);

}  // namespace chartly::audit

#endif  // CHARTLY_CONTROL_AUDIT_AUDIT_STORE_H_
