#include "drone/witness/witnessed_log.h"

#include <filesystem>
#include <map>

#include "absl/strings/str_cat.h"
#include "common/audit/audit_keys.h"
#include "common/crypto/merkle_tree.h"
#include "common/status/status.h"
#include "test/support/test.h"

namespace chartly::drone {
namespace {

PrivateKey KeyOf(char seed) { return PrivateKey::FromSeed(std::string(PrivateKey::kSeedBytes, seed)).value(); }

// A control plane that says what it likes.
struct ControlPlane {
  std::string origin = "log.test/audit";
  PrivateKey key = KeyOf('a');
  std::vector<v1::AuditKey> keys;
  MerkleFrontier tree;
  std::map<MerkleNode, MerkleHash> nodes;

  ControlPlane() {
    v1::AuditKey first;
    first.set_verifier(NoteKey(origin, key.public_key()).Text());
    keys = {first};
  }
  void Append(const std::string& entry) {
    for (auto& [node, hash] : tree.Append(MerkleLeafHash(entry))) nodes[node] = hash;
  }
  void Fill(int count, const std::string& word = "entry") {
    for (int i = 0; i < count; ++i) Append(absl::StrCat(word, tree.size()));
  }
  v1::AuditCheckpoint Answer(int64_t since) {
    v1::AuditCheckpoint answer;
    answer.set_checkpoint(SignNote(CheckpointText({origin, tree.size(), tree.Root()}), {{origin, key}}));
    for (const v1::AuditKey& each : keys) *answer.add_keys() = each;
    auto proof = ConsistencyProof(static_cast<uint64_t>(since), tree.size(),
                                  [this](const MerkleNode& node) { return nodes.at(node); });
    if (!proof.ok()) return answer;
    for (const MerkleHash& hash : *proof) answer.add_consistency(HexOf(hash));
    return answer;
  }
  void Rotate(char seed) {
    keys.push_back(AnnounceAuditKey({origin, key}, KeyOf(seed).public_key(), static_cast<int64_t>(tree.size())));
    key = KeyOf(seed);
  }
};

}  // namespace

TEST_CASE("a witness follows a log that grows, over restarts and new keys") {
  testing::TempDir dir;
  ControlPlane plane;
  for (int round = 0; round < 6; ++round) {
    auto log = WitnessedLog::Open(dir.File("w"), {});
    REQUIRE_OK(log);
    plane.Fill(3 + round);
    if (round == 3) plane.Rotate('b');
    REQUIRE_OK(log->Take(plane.Answer(log->size())));
    CHECK(log->size() == static_cast<int64_t>(plane.tree.size()));
    REQUIRE_OK(log->Take(plane.Answer(log->size())));
  }
}

TEST_CASE("a log that was set back is a fork, is refused for good, and both sides are kept") {
  testing::TempDir dir;
  ControlPlane plane;
  auto log = WitnessedLog::Open(dir.File("w"), {}).value();
  plane.Fill(9);
  REQUIRE_OK(log.Take(plane.Answer(0)));
  ControlPlane older;
  older.Fill(5);
  absl::Status fork = log.Take(older.Answer(9));
  CHECK(Reason(fork) == "AUDIT_FORK");
  CHECK(log.size() == 9);
  plane.Fill(1);
  CHECK(Reason(log.Take(plane.Answer(9))) == "AUDIT_FORK");
  auto reopened = WitnessedLog::Open(dir.File("w"), {});
  REQUIRE_OK(reopened);
  CHECK(Reason(reopened->fork()) == "AUDIT_FORK");
  CHECK(reopened->size() == 9);
  CHECK(std::filesystem::exists(dir.File("w/fork.txt")));
}

TEST_CASE("a log of the same size with another root is a fork") {
  testing::TempDir dir;
  ControlPlane plane;
  ControlPlane other;
  plane.Fill(7);
  other.Fill(7, "other");
  auto log = WitnessedLog::Open(dir.File("w"), {}).value();
  REQUIRE_OK(log.Take(plane.Answer(0)));
  CHECK(Reason(log.Take(other.Answer(7))) == "AUDIT_FORK");
}

TEST_CASE("a longer log with another past is not taken") {
  testing::TempDir dir;
  ControlPlane plane;
  ControlPlane other;
  plane.Fill(7);
  other.Fill(12, "other");
  auto log = WitnessedLog::Open(dir.File("w"), {}).value();
  REQUIRE_OK(log.Take(plane.Answer(0)));
  CHECK(Reason(log.Take(other.Answer(7))) == "AUDIT_PROOF_WRONG");
  v1::AuditCheckpoint unproven = other.Answer(7);
  unproven.clear_consistency();
  CHECK(Reason(log.Take(unproven)) == "AUDIT_PROOF_WRONG");
  CHECK(log.size() == 7);
  plane.Fill(2);
  CHECK_OK(log.Take(plane.Answer(7)));
}

TEST_CASE("another key is not believed, whether one was given or seen first") {
  testing::TempDir dir;
  ControlPlane plane;
  plane.Fill(2);
  auto pinned = WitnessedLog::Open(dir.File("p"), {KeyOf('z').public_key()}).value();
  CHECK(Reason(pinned.Take(plane.Answer(0))) == "AUDIT_KEY_UNTRUSTED");
  auto log = WitnessedLog::Open(dir.File("w"), {}).value();
  REQUIRE_OK(log.Take(plane.Answer(0)));
  ControlPlane thief;
  thief.key = KeyOf('t');
  thief.keys[0].set_verifier(NoteKey(thief.origin, thief.key.public_key()).Text());
  thief.Fill(5);
  CHECK(Reason(log.Take(thief.Answer(2))) == "AUDIT_KEY_UNTRUSTED");
  thief.keys = plane.keys;  // the right key by name, the signature of the wrong one
  CHECK(Reason(log.Take(thief.Answer(2))) == "NOTE_KEY_UNKNOWN");
}

}  // namespace chartly::drone
