#include "common/crypto/merkle_tree.h"

#include <map>
#include <string>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "common/status/status.h"
#include "test/support/test.h"

namespace chartly {
namespace {

// The definitions of RFC 9162, section 2.1, word for word, over all leaves: slow and plain.
using Leaves = std::vector<MerkleHash>;

size_t Split(size_t size) {
  size_t k = 1;
  while (k * 2 < size) k *= 2;
  return k;
}

Leaves Part(const Leaves& leaves, size_t begin, size_t end) {
  return Leaves(leaves.begin() + static_cast<ptrdiff_t>(begin), leaves.begin() + static_cast<ptrdiff_t>(end));
}

MerkleHash ReferenceRoot(const Leaves& leaves) {
  if (leaves.empty()) return EmptyMerkleRoot();
  if (leaves.size() == 1) return leaves[0];
  const size_t k = Split(leaves.size());
  return MerkleNodeHash(ReferenceRoot(Part(leaves, 0, k)), ReferenceRoot(Part(leaves, k, leaves.size())));
}

MerkleProof ReferencePath(size_t m, const Leaves& leaves) {
  if (leaves.size() == 1) return {};
  const size_t k = Split(leaves.size());
  const bool left = m < k;
  MerkleProof path = left ? ReferencePath(m, Part(leaves, 0, k)) : ReferencePath(m - k, Part(leaves, k, leaves.size()));
  path.push_back(ReferenceRoot(left ? Part(leaves, k, leaves.size()) : Part(leaves, 0, k)));
  return path;
}

MerkleProof ReferenceSubproof(size_t m, const Leaves& leaves, bool known) {
  if (m == leaves.size()) return known ? MerkleProof{} : MerkleProof{ReferenceRoot(leaves)};
  const size_t k = Split(leaves.size());
  MerkleProof proof;
  if (m <= k) {
    proof = ReferenceSubproof(m, Part(leaves, 0, k), known);
    proof.push_back(ReferenceRoot(Part(leaves, k, leaves.size())));
  } else {
    proof = ReferenceSubproof(m - k, Part(leaves, k, leaves.size()), false);
    proof.push_back(ReferenceRoot(Part(leaves, 0, k)));
  }
  return proof;
}

// A log that keeps every full subtree, as the store does.
struct Log {
  MerkleFrontier frontier;
  std::map<MerkleNode, MerkleHash> nodes;
  Leaves leaves;

  explicit Log(size_t size, const std::string& word = "entry ") {
    for (size_t i = 0; i < size; ++i) Append(absl::StrCat(word, i));
  }
  void Append(const std::string& entry) {
    leaves.push_back(MerkleLeafHash(entry));
    for (auto& [node, hash] : frontier.Append(leaves.back())) CHECK(nodes.emplace(node, hash).second);
  }
  MerkleNodeReader reader() const {
    return [this](const MerkleNode& node) -> absl::StatusOr<MerkleHash> {
      auto found = nodes.find(node);
      if (found == nodes.end()) return absl::NotFoundError("no such node");
      return found->second;
    };
  }
};

void FlipBit(MerkleHash& hash, size_t bit) { hash[bit / 8] = static_cast<uint8_t>(hash[bit / 8] ^ (1 << (bit % 8))); }

}  // namespace

TEST_CASE("roots are those of the transparency log everyone tests with") {
  // Seven of the eight entries that the tests of certificate transparency share, and the roots published for them.
  const std::vector<std::string> entries = {
      "", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"};
  const std::vector<std::string> roots = {"6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
                                          "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
                                          "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
                                          "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
                                          "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
                                          "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
                                          "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
                                          "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"};
  CHECK(HexOf(EmptyMerkleRoot()) == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  MerkleFrontier frontier;
  for (size_t i = 0; i < entries.size(); ++i) {
    frontier.Append(MerkleLeafHash(absl::HexStringToBytes(entries[i])));
    CHECK(HexOf(frontier.Root()) == roots[i]);
  }
}

TEST_CASE("roots and proofs are those of the definition, for every size to 70") {
  const Log log(70);
  for (size_t size = 1; size <= log.leaves.size(); ++size) {
    const Leaves leaves = Part(log.leaves, 0, size);
    const MerkleHash root = ReferenceRoot(leaves);
    CHECK(MerkleRoot(size, log.reader()).value() == root);
    for (size_t index = 0; index < size; ++index) {
      auto proof = InclusionProof(index, size, log.reader());
      REQUIRE_OK(proof);
      CHECK(*proof == ReferencePath(index, leaves));
      CHECK(VerifyInclusion(leaves[index], index, size, *proof, root).ok());
    }
    for (size_t first = 1; first <= size; ++first) {
      auto proof = ConsistencyProof(first, size, log.reader());
      REQUIRE_OK(proof);
      CHECK(*proof == ReferenceSubproof(first, leaves, true));
      CHECK(VerifyConsistency(first, ReferenceRoot(Part(leaves, 0, first)), size, root, *proof).ok());
    }
  }
}

TEST_CASE("a frontier goes on from what was kept of it") {
  const Log log(45);
  for (uint64_t size = 0; size <= 45; ++size) {
    std::vector<MerkleHash> hashes;
    for (const MerkleNode& node : FrontierNodes(size)) hashes.push_back(log.nodes.at(node));
    auto frontier = MerkleFrontier::Of(size, hashes);
    REQUIRE_OK(frontier);
    for (uint64_t i = size; i < 45; ++i) frontier->Append(log.leaves[i]);
    CHECK(frontier->Root() == log.frontier.Root());
  }
  CHECK(Reason(MerkleFrontier::Of(3, {EmptyMerkleRoot()}).status()) == "FRONTIER_INVALID");
}

TEST_CASE("no changed proof, leaf, root or place proves inclusion") {
  const Log log(21);
  const MerkleHash root = log.frontier.Root();
  for (uint64_t index = 0; index < 21; ++index) {
    const MerkleProof proof = InclusionProof(index, 21, log.reader()).value();
    const MerkleHash& leaf = log.leaves[index];
    for (size_t i = 0; i < proof.size(); ++i) {
      MerkleProof changed = proof;
      FlipBit(changed[i], (index * 37 + i * 11) % 256);
      CHECK(Reason(VerifyInclusion(leaf, index, 21, changed, root)) == "INCLUSION_UNPROVEN");
      MerkleProof shorter = proof;
      shorter.erase(shorter.begin() + static_cast<ptrdiff_t>(i));
      CHECK_FALSE(VerifyInclusion(leaf, index, 21, shorter, root).ok());
    }
    MerkleProof longer = proof;
    longer.push_back(root);
    CHECK_FALSE(VerifyInclusion(leaf, index, 21, longer, root).ok());
    for (uint64_t other = 0; other < 22; ++other) {
      if (other != index) CHECK_FALSE(VerifyInclusion(leaf, other, 21, proof, root).ok());
    }
    CHECK_FALSE(VerifyInclusion(log.leaves[(index + 1) % 21], index, 21, proof, root).ok());
    CHECK_FALSE(VerifyInclusion(leaf, index, 21, proof, leaf).ok());
  }
}

TEST_CASE("a log that was changed, cut or begun anew is not consistent with what it was") {
  const Log log(33);
  Log forked(33);
  for (uint64_t first = 1; first <= 33; ++first) {
    const MerkleHash first_root = MerkleRoot(first, log.reader()).value();
    for (uint64_t second = first; second <= 33; ++second) {
      const MerkleHash second_root = MerkleRoot(second, log.reader()).value();
      MerkleProof proof = ConsistencyProof(first, second, log.reader()).value();
      MerkleHash other = first_root;
      FlipBit(other, first % 256);
      CHECK(Reason(VerifyConsistency(first, other, second, second_root, proof)) == "CONSISTENCY_UNPROVEN");
      for (size_t i = 0; i < proof.size(); ++i) {
        MerkleProof changed = proof;
        FlipBit(changed[i], i);
        CHECK_FALSE(VerifyConsistency(first, first_root, second, second_root, changed).ok());
      }
      proof.push_back(first_root);
      CHECK_FALSE(VerifyConsistency(first, first_root, second, second_root, proof).ok());
    }
    CHECK_FALSE(VerifyConsistency(33, log.frontier.Root(), first - 1, first_root, {}).ok());
  }
  Log changed(5, "entry ");
  changed.Append("another");
  for (size_t i = 6; i < 33; ++i) changed.Append(absl::StrCat("entry ", i));
  for (uint64_t first = 6; first < 33; ++first) {
    const MerkleProof proof = ConsistencyProof(first, 33, changed.reader()).value();
    const MerkleHash seen = MerkleRoot(first, log.reader()).value();
    CHECK_FALSE(VerifyConsistency(first, seen, 33, changed.frontier.Root(), proof).ok());
  }
}

TEST_CASE("a proof of what the log does not have is refused") {
  const Log log(4);
  CHECK(Reason(InclusionProof(4, 4, log.reader()).status()) == "PROOF_OUT_OF_RANGE");
  CHECK(Reason(ConsistencyProof(0, 4, log.reader()).status()) == "PROOF_OUT_OF_RANGE");
  CHECK(Reason(ConsistencyProof(5, 4, log.reader()).status()) == "PROOF_OUT_OF_RANGE");
  CHECK_OK(VerifyConsistency(0, EmptyMerkleRoot(), 4, log.frontier.Root(), {}));
}

TEST_CASE("a hash is 32 bytes or 64 lower-case hex digits") {
  const MerkleHash hash = MerkleLeafHash("x");
  CHECK(MerkleHashFromHex(HexOf(hash)).value() == hash);
  CHECK(MerkleHashFromBytes(BytesOf(hash)).value() == hash);
  CHECK(Reason(MerkleHashFromHex(std::string(64, 'F')).status()) == "HASH_INVALID");
  CHECK(Reason(MerkleHashFromHex("00").status()) == "HASH_INVALID");
  CHECK(Reason(MerkleHashFromBytes("00").status()) == "HASH_INVALID");
}

}  // namespace chartly
