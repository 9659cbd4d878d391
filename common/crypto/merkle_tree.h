// The Merkle tree of RFC 9162, section 2.1: roots, proofs that an entry is in a log, and proofs that a log is the
// beginning of a later one.
//
// Pure functions and plain values; thread-safe as such. Every hash is SHA-256; leaves and inner nodes are hashed with
// different first bytes, so that no node can pass for an entry.
#ifndef CHARTLY_COMMON_CRYPTO_MERKLE_TREE_H_
#define CHARTLY_COMMON_CRYPTO_MERKLE_TREE_H_

#include <array>
#include <cstdint>
#include <functional>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace chartly {

using MerkleHash = std::array<uint8_t, 32>;
using MerkleProof = std::vector<MerkleHash>;

MerkleHash MerkleLeafHash(absl::string_view entry);
MerkleHash MerkleNodeHash(const MerkleHash& left, const MerkleHash& right);
// The root of a log without entries.
MerkleHash EmptyMerkleRoot();

// 32 bytes, 64 lower-case hex digits.
std::string BytesOf(const MerkleHash& hash);
std::string HexOf(const MerkleHash& hash);
// InvalidArgument (HASH_INVALID) unless it is 32 bytes, or 64 lower-case hex digits.
absl::StatusOr<MerkleHash> MerkleHashFromBytes(absl::string_view bytes);
absl::StatusOr<MerkleHash> MerkleHashFromHex(absl::string_view hex);

// A subtree that is full: the `index`-th of those with 2^level leaves.
struct MerkleNode {
  int level = 0;
  uint64_t index = 0;
  bool operator==(const MerkleNode& other) const { return level == other.level && index == other.index; }
  bool operator<(const MerkleNode& other) const { return std::tie(level, index) < std::tie(other.level, other.index); }
};

// The full subtrees that together are a log of `size` entries, largest first.
std::vector<MerkleNode> FrontierNodes(uint64_t size);

// The end of a log: as much as it takes to append to it and to know its root.
class MerkleFrontier {
 public:
  // Of an empty log.
  MerkleFrontier() = default;
  // `hashes` are those of FrontierNodes(size); InvalidArgument (FRONTIER_INVALID) if their number does not fit.
  static absl::StatusOr<MerkleFrontier> Of(uint64_t size, std::vector<MerkleHash> hashes);

  // Appends an entry and returns the subtrees that it completes, from its own leaf upwards.
  std::vector<std::pair<MerkleNode, MerkleHash>> Append(const MerkleHash& leaf);
  uint64_t size() const { return size_; }
  MerkleHash Root() const;
  const std::vector<MerkleHash>& hashes() const { return hashes_; }

 private:
  uint64_t size_ = 0;
  std::vector<MerkleHash> hashes_;
};

// Where the hashes of full subtrees are kept.
using MerkleNodeReader = std::function<absl::StatusOr<MerkleHash>(const MerkleNode& node)>;

// The root of the first `size` entries.
absl::StatusOr<MerkleHash> MerkleRoot(uint64_t size, const MerkleNodeReader& read);

// The proofs of RFC 9162, sections 2.1.3.1 and 2.1.4.1. OutOfRange (PROOF_OUT_OF_RANGE) unless index < size, and
// 0 < first <= second; else what reading gives.
absl::StatusOr<MerkleProof> InclusionProof(uint64_t index, uint64_t size, const MerkleNodeReader& read);
absl::StatusOr<MerkleProof> ConsistencyProof(uint64_t first, uint64_t second, const MerkleNodeReader& read);

// OK if the proof shows that the leaf is entry `index` of the log of this size and root; else DataLoss
// (INCLUSION_UNPROVEN).
absl::Status VerifyInclusion(const MerkleHash& leaf, uint64_t index, uint64_t size, const MerkleProof& proof,
                             const MerkleHash& root);
// OK if the proof shows that the first log is the beginning of the second (every log continues the empty one); else
// DataLoss (CONSISTENCY_UNPROVEN).
absl::Status VerifyConsistency(uint64_t first, const MerkleHash& first_root, uint64_t second,
                               const MerkleHash& second_root, const MerkleProof& proof);

}  // namespace chartly

#endif  // CHARTLY_COMMON_CRYPTO_MERKLE_TREE_H_
