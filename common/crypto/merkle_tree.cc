#include "common/crypto/merkle_tree.h"

#include <openssl/sha.h>

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "common/status/status.h"

namespace chartly {
namespace {

constexpr char kLeafPrefix = 0;
constexpr char kNodePrefix = 1;

MerkleHash Sha256Of(absl::string_view bytes) {
  MerkleHash hash;
  SHA256(reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size(), hash.data());
  return hash;
}

bool IsPowerOfTwo(uint64_t number) { return number != 0 && (number & (number - 1)) == 0; }

int LevelOf(uint64_t power_of_two) { return __builtin_ctzll(power_of_two); }

// The largest power of two below `size`: where RFC 9162 splits a tree. Requires: size > 1.
uint64_t SplitOf(uint64_t size) { return uint64_t{1} << (63 - __builtin_clzll(size - 1)); }

// The root of the entries from `begin` to `end`. Requires: begin is a multiple of the smallest power of two >= the
// size.
absl::StatusOr<MerkleHash> SubtreeRoot(uint64_t begin, uint64_t end, const MerkleNodeReader& read) {
  const uint64_t size = end - begin;
  if (IsPowerOfTwo(size)) return read({LevelOf(size), begin / size});
  const uint64_t split = begin + SplitOf(size);
  ASSIGN_OR_RETURN(MerkleHash left, SubtreeRoot(begin, split, read));
  ASSIGN_OR_RETURN(MerkleHash right, SubtreeRoot(split, end, read));
  return MerkleNodeHash(left, right);
}

absl::Status OutOfRange(absl::string_view message) {
  return Error(absl::StatusCode::kOutOfRange, "PROOF_OUT_OF_RANGE", message);
}

absl::Status Unproven(absl::string_view reason, absl::string_view message) {
  return Error(absl::StatusCode::kDataLoss, reason, message);
}

absl::Status NotIncluded(absl::string_view why) { return Unproven("INCLUSION_UNPROVEN", why); }
absl::Status NotConsistent(absl::string_view why) { return Unproven("CONSISTENCY_UNPROVEN", why); }

// Both roots that a consistency proof leads to, by RFC 9162, section 2.1.4.2.
struct ProvenRoots {
  MerkleHash first;
  MerkleHash second;
};

absl::StatusOr<ProvenRoots> FollowConsistency(uint64_t first, uint64_t second, const MerkleProof& proof) {
  uint64_t fn = first - 1;
  uint64_t sn = second - 1;
  while ((fn & 1) != 0) {
    fn >>= 1;
    sn >>= 1;
  }
  ProvenRoots roots{proof[0], proof[0]};
  for (size_t i = 1; i < proof.size(); ++i) {
    if (sn == 0) return NotConsistent("the proof is longer than it can be");
    if ((fn & 1) != 0 || fn == sn) {
      roots.first = MerkleNodeHash(proof[i], roots.first);
      roots.second = MerkleNodeHash(proof[i], roots.second);
      while (fn != 0 && (fn & 1) == 0) {
        fn >>= 1;
        sn >>= 1;
      }
    } else {
      roots.second = MerkleNodeHash(roots.second, proof[i]);
    }
    fn >>= 1;
    sn >>= 1;
  }
  if (sn != 0) return NotConsistent("the proof is shorter than it must be");
  return roots;
}

}  // namespace

MerkleHash MerkleLeafHash(absl::string_view entry) {
  return Sha256Of(absl::StrCat(absl::string_view(&kLeafPrefix, 1), entry));
}

MerkleHash MerkleNodeHash(const MerkleHash& left, const MerkleHash& right) {
  std::array<char, 65> bytes;
  bytes[0] = kNodePrefix;
  std::copy(left.begin(), left.end(), bytes.begin() + 1);
  std::copy(right.begin(), right.end(), bytes.begin() + 33);
  return Sha256Of({bytes.data(), bytes.size()});
}

MerkleHash EmptyMerkleRoot() { return Sha256Of(""); }

std::string BytesOf(const MerkleHash& hash) {
  return std::string(reinterpret_cast<const char*>(hash.data()), hash.size());
}

std::string HexOf(const MerkleHash& hash) { return absl::BytesToHexString(BytesOf(hash)); }

absl::StatusOr<MerkleHash> MerkleHashFromBytes(absl::string_view bytes) {
  MerkleHash hash;
  if (bytes.size() != hash.size()) {
    return Error(absl::StatusCode::kInvalidArgument, "HASH_INVALID",
                 absl::StrCat("a hash has ", hash.size(), " bytes, not ", bytes.size()));
  }
  std::copy(bytes.begin(), bytes.end(), hash.begin());
  return hash;
}

absl::StatusOr<MerkleHash> MerkleHashFromHex(absl::string_view hex) {
  const bool is_hex = hex.size() == 64 && std::all_of(hex.begin(), hex.end(), [](char c) {
                        return absl::ascii_isdigit(c) || (c >= 'a' && c <= 'f');
                      });
  if (is_hex) return MerkleHashFromBytes(absl::HexStringToBytes(hex));
  return Error(absl::StatusCode::kInvalidArgument, "HASH_INVALID", "a hash has 64 lower-case hex digits");
}

std::vector<MerkleNode> FrontierNodes(uint64_t size) {
  std::vector<MerkleNode> nodes;
  uint64_t begin = 0;
  for (int level = 63; level >= 0; --level) {
    const uint64_t leaves = uint64_t{1} << level;
    if ((size & leaves) == 0) continue;
    nodes.push_back({level, begin / leaves});
    begin += leaves;
  }
  return nodes;
}

absl::StatusOr<MerkleFrontier> MerkleFrontier::Of(uint64_t size, std::vector<MerkleHash> hashes) {
  if (hashes.size() != static_cast<size_t>(__builtin_popcountll(size))) {
    return Error(absl::StatusCode::kInvalidArgument, "FRONTIER_INVALID",
                 absl::StrCat("a log of ", size, " entries has not ", hashes.size(), " full subtrees"));
  }
  MerkleFrontier frontier;
  frontier.size_ = size;
  frontier.hashes_ = std::move(hashes);
  return frontier;
}

std::vector<std::pair<MerkleNode, MerkleHash>> MerkleFrontier::Append(const MerkleHash& leaf) {
  std::vector<std::pair<MerkleNode, MerkleHash>> completed = {{{0, size_}, leaf}};
  MerkleHash hash = leaf;
  int level = 0;
  // Each full subtree at the end joins with the one just completed, as carries do in adding one.
  for (uint64_t rest = size_; (rest & 1) != 0; rest >>= 1) {
    hash = MerkleNodeHash(hashes_.back(), hash);
    hashes_.pop_back();
    ++level;
    completed.push_back({{level, size_ >> level}, hash});
  }
  hashes_.push_back(hash);
  ++size_;
  return completed;
}

MerkleHash MerkleFrontier::Root() const {
  if (hashes_.empty()) return EmptyMerkleRoot();
  MerkleHash root = hashes_.back();
  for (auto hash = hashes_.rbegin() + 1; hash != hashes_.rend(); ++hash) root = MerkleNodeHash(*hash, root);
  return root;
}

absl::StatusOr<MerkleHash> MerkleRoot(uint64_t size, const MerkleNodeReader& read) {
  if (size == 0) return EmptyMerkleRoot();
  return SubtreeRoot(0, size, read);
}

absl::StatusOr<MerkleProof> InclusionProof(uint64_t index, uint64_t size, const MerkleNodeReader& read) {
  if (index >= size) {
    return OutOfRange(absl::StrCat("a log of ", size, " entries has no entry ", index, " (counted from 0)"));
  }
  MerkleProof proof;
  uint64_t begin = 0;
  uint64_t end = size;
  while (end - begin > 1) {
    const uint64_t split = begin + SplitOf(end - begin);
    const bool left = index < split;
    ASSIGN_OR_RETURN(MerkleHash other, left ? SubtreeRoot(split, end, read) : SubtreeRoot(begin, split, read));
    proof.push_back(other);
    (left ? end : begin) = split;
  }
  std::reverse(proof.begin(), proof.end());
  return proof;
}

absl::StatusOr<MerkleProof> ConsistencyProof(uint64_t first, uint64_t second, const MerkleNodeReader& read) {
  if (first == 0 || first > second) {
    return OutOfRange(absl::StrCat("a log of ", second, " entries cannot be proven to continue one of ", first));
  }
  MerkleProof proof;
  uint64_t begin = 0;
  uint64_t end = second;
  // Down to the subtree that ends where the first log ends; on the way, what stands beside it.
  while (first != end) {
    const uint64_t split = begin + SplitOf(end - begin);
    const bool left = first <= split;
    ASSIGN_OR_RETURN(MerkleHash other, left ? SubtreeRoot(split, end, read) : SubtreeRoot(begin, split, read));
    proof.push_back(other);
    (left ? end : begin) = split;
  }
  // Whoever checks the proof has the root of the first log already if that is one whole subtree.
  if (begin != 0) {
    ASSIGN_OR_RETURN(MerkleHash last, SubtreeRoot(begin, end, read));
    proof.push_back(last);
  }
  std::reverse(proof.begin(), proof.end());
  return proof;
}

absl::Status VerifyInclusion(const MerkleHash& leaf, uint64_t index, uint64_t size, const MerkleProof& proof,
                             const MerkleHash& root) {
  if (index >= size) return NotIncluded("the log has no such entry");
  uint64_t fn = index;
  uint64_t sn = size - 1;
  MerkleHash hash = leaf;
  for (const MerkleHash& other : proof) {
    if (sn == 0) return NotIncluded("the proof is longer than it can be");
    if ((fn & 1) != 0 || fn == sn) {
      hash = MerkleNodeHash(other, hash);
      while (fn != 0 && (fn & 1) == 0) {
        fn >>= 1;
        sn >>= 1;
      }
    } else {
      hash = MerkleNodeHash(hash, other);
    }
    fn >>= 1;
    sn >>= 1;
  }
  if (sn != 0) return NotIncluded("the proof is shorter than it must be");
  return hash == root ? absl::OkStatus() : NotIncluded("the proof leads to another root");
}

absl::Status VerifyConsistency(uint64_t first, const MerkleHash& first_root, uint64_t second,
                               const MerkleHash& second_root, const MerkleProof& proof) {
  if (first > second) return NotConsistent("the later log is shorter than the earlier one");
  if (first == 0 || first == second) {
    if (!proof.empty()) return NotConsistent("the proof is longer than it can be");
    if (first == second && first_root != second_root) return NotConsistent("two logs of one size differ");
    return first == 0 && first_root != EmptyMerkleRoot() ? NotConsistent("the empty log has another root")
                                                         : absl::OkStatus();
  }
  if (proof.empty()) return NotConsistent("the proof is shorter than it must be");
  MerkleProof whole = proof;
  if (IsPowerOfTwo(first)) whole.insert(whole.begin(), first_root);
  ASSIGN_OR_RETURN(ProvenRoots roots, FollowConsistency(first, second, whole));
  if (roots.first != first_root) return NotConsistent("the proof does not begin with the earlier root");
  if (roots.second != second_root) return NotConsistent("the proof does not lead to the later root");
  return absl::OkStatus();
}

}  // namespace chartly
