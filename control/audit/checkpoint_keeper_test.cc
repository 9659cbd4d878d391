#include "control/audit/checkpoint_keeper.h"

#include <filesystem>
#include <fstream>
#include <iterator>

#include "absl/time/clock.h"
#include "common/audit/audit_keys.h"
#include "common/webhook/webhook_signature.h"
#include "control/audit/audit_fixture_test.h"
#include "control/audit/audit_proofs.h"
#include "test/support/http_fixture.h"

namespace chartly::audit {
namespace {

std::vector<std::unique_ptr<CheckpointExport>> FileExport(const std::string& path) {
  std::vector<std::unique_ptr<CheckpointExport>> exports;
  auto opened = OpenCheckpointFile(path);
  REQUIRE_OK(opened);
  exports.push_back(*std::move(opened));
  return exports;
}

std::vector<std::string> NotesOf(const std::string& path) {
  std::ifstream file(path);
  auto notes = SplitNotes(std::string{std::istreambuf_iterator<char>(file), {}});
  return notes.ok() ? *notes : std::vector<std::string>{};
}

size_t FilesIn(const std::string& folder) {
  return static_cast<size_t>(std::distance(std::filesystem::directory_iterator(folder), {}));
}

MerkleProof ProofOf(const google::protobuf::RepeatedPtrField<std::string>& hashes) {
  MerkleProof proof;
  for (const std::string& hex : hashes) proof.push_back(MerkleHashFromHex(hex).value());
  return proof;
}

}  // namespace

TEST_CASE("a checkpoint is signed with the key of the log and opens with its public half") {
  AuditFixture fixture;
  fixture.Fill(3);
  auto made = fixture.keeper->SignNow();
  REQUIRE_OK(made);
  auto opened = OpenCheckpoint(made->note, {NoteKey("log.test/audit", fixture.Key())});
  REQUIRE_OK(opened);
  CHECK(opened->size == 3);
  CHECK(opened->root == fixture.log->Head().Root());
  CHECK(fixture.keeper->SignNow()->note == made->note);
}

TEST_CASE("news is signed within the interval, and what is left at the end") {
  AuditFixture fixture;
  const std::string path = fixture.dir.File("checkpoints");
  fixture.Close();
  fixture.Open(FileExport(path));
  fixture.keeper->Start();
  fixture.Fill(4);
  const auto last_size = [&] {
    const std::vector<std::string> notes = NotesOf(path);
    return notes.empty() ? 0 : ParseCheckpoint(*TextOfNote(notes.back()))->size;
  };
  CHECK(testing::Eventually([&] { return last_size() == 4; }));
  fixture.Append("last");
  fixture.keeper->Shutdown();
  CHECK(last_size() == 5);
}

TEST_CASE("checkpoints, keys and name are there again after a reopen") {
  AuditFixture fixture;
  fixture.Fill(2);
  const std::string note = fixture.keeper->SignNow()->note;
  const PublicKey key = fixture.Key();
  fixture.Close();
  fixture.Open();
  CHECK(fixture.keeper->Latest()->note == note);
  CHECK(fixture.Key() == key);
  CHECK(fixture.keeper->origin() == "log.test/audit");
}

TEST_CASE("a log whose private key is gone says so") {
  AuditFixture fixture;
  fixture.keeper.reset();
  std::filesystem::remove_all(fixture.dir.File("keys"));
  CheckpointOptions options;
  options.key_dir = fixture.dir.File("keys");
  CHECK(Reason(CheckpointKeeper::Open(*fixture.store, *fixture.log, options, {}).status()) == "AUDIT_KEY_MISSING");
}

TEST_CASE("a new key is announced in the log by the old one, which is then removed") {
  AuditFixture fixture;
  fixture.Fill(3);
  const PublicKey first = fixture.Key();
  auto rotated = fixture.keeper->Rotate(EventOf("AuditService.RotateAuditKey", "alice"));
  REQUIRE_OK(rotated);
  CHECK(rotated->seq() == 4);
  CHECK(fixture.log->Get(4)->detail() == rotated->verifier());
  CHECK_FALSE(fixture.Key() == first);
  CHECK(FilesIn(fixture.dir.File("keys")) == 1);
  // The checkpoint of the announcement opens with either key, later ones with the new key alone.
  const std::string between = fixture.keeper->Latest()->note;
  CHECK_OK(OpenCheckpoint(between, {NoteKey("log.test/audit", first)}));
  CHECK_OK(OpenCheckpoint(between, {NoteKey("log.test/audit", fixture.Key())}));
  fixture.Fill(1);
  const std::string later = fixture.keeper->SignNow()->note;
  CHECK_FALSE(OpenCheckpoint(later, {NoteKey("log.test/audit", first)}).ok());
  // Whoever trusts the first key trusts what it announced.
  REQUIRE_OK(fixture.keeper->Rotate(EventOf("AuditService.RotateAuditKey")));
  fixture.Fill(2);
  CHECK_OK(Verify(fixture.Export(), {{between, later}, {first}}));
  fixture.Close();
  fixture.Open();
  CHECK(fixture.keeper->keys().size() == 3);
  CHECK_OK(Verify(fixture.Export(), {{}, {first}}));
  // A key of somebody else is not believed, and a trusted key does not vouch for those before it.
  CHECK(Reason(Verify(fixture.Export(), {{}, {PrivateKey::Generate()->public_key()}}).status()) ==
        "AUDIT_KEY_UNTRUSTED");
  const PublicKey newest = fixture.Key();
  CHECK_FALSE(Verify(fixture.Export(), {{later}, {newest}}).ok());
}

TEST_CASE("proofs of the log lead to its signed checkpoint") {
  AuditFixture fixture;
  fixture.Fill(13);
  const uint64_t early_size = 13;
  const MerkleHash early = fixture.log->Head().Root();
  REQUIRE_OK(fixture.keeper->SignNow());
  fixture.Fill(20);
  for (int64_t seq : {1, 8, 13, 14, 33}) {
    auto proof = ProveInclusion(*fixture.log, *fixture.keeper, seq);
    REQUIRE_OK(proof);
    auto checkpoint = OpenCheckpoint(proof->checkpoint(), {NoteKey("log.test/audit", fixture.Key())});
    REQUIRE_OK(checkpoint);
    CHECK(HexOf(checkpoint->root) == proof->root());
    CHECK_OK(VerifyInclusion(MerkleHashFromHex(proof->event().hash()).value(),
                             static_cast<uint64_t>(proof->leaf_index()), checkpoint->size, ProofOf(proof->hashes()),
                             checkpoint->root));
  }
  auto since = ProveCheckpoint(*fixture.log, *fixture.keeper, early_size, true);
  REQUIRE_OK(since);
  CHECK(since->size() == 33);
  CHECK_OK(VerifyConsistency(early_size, early, 33, MerkleHashFromHex(since->root()).value(),
                             ProofOf(since->consistency())));
  auto between = ProveConsistency(*fixture.log, *fixture.keeper, 5, 20);
  REQUIRE_OK(between);
  CHECK_OK(VerifyConsistency(5, MerkleHashFromHex(between->first_root()).value(), 20,
                             MerkleHashFromHex(between->second_root()).value(), ProofOf(between->hashes())));
  CHECK(Reason(ProveConsistency(*fixture.log, *fixture.keeper, 5, 34).status()) == "PROOF_OUT_OF_RANGE");
  CHECK(Reason(ProveConsistency(*fixture.log, *fixture.keeper, 0, 3).status()) == "PROOF_OUT_OF_RANGE");
  CHECK(Reason(ProveConsistency(*fixture.log, *fixture.keeper, 2, -1).status()) == "PROOF_SIZE_INVALID");
  CHECK(Reason(ProveConsistency(*fixture.log, *fixture.keeper, -1, 2).status()) == "PROOF_SIZE_INVALID");
  CHECK(Reason(ProveCheckpoint(*fixture.log, *fixture.keeper, -1, false).status()) == "PROOF_SIZE_INVALID");
  CHECK(Reason(ProveInclusion(*fixture.log, *fixture.keeper, 34).status()) == "AUDIT_EVENT_NOT_FOUND");
}

TEST_CASE("a log that was set back does not pass for the one whose checkpoints went out") {
  AuditFixture fixture;
  const std::string path = fixture.dir.File("checkpoints");
  fixture.Close();
  fixture.Open(FileExport(path));
  fixture.Fill(3);
  REQUIRE_OK(fixture.keeper->SignNow());
  fixture.Close();
  std::filesystem::copy(fixture.dir.File("store"), fixture.dir.File("copy"), std::filesystem::copy_options::recursive);
  fixture.Open(FileExport(path));
  CHECK_OK(fixture.keeper->Health());
  fixture.Fill(3);
  REQUIRE_OK(fixture.keeper->SignNow());
  fixture.Close();
  std::filesystem::remove_all(fixture.dir.File("store"));
  std::filesystem::rename(fixture.dir.File("copy"), fixture.dir.File("store"));
  fixture.Open(FileExport(path));
  CHECK(Reason(fixture.keeper->Health()) == "AUDIT_LOG_SET_BACK");
}

TEST_CASE("a webhook gets the newest checkpoint, signed, until it takes it") {
  testing::HttpFixture server;
  server.Script("/hook", {{.status = 503}, {.status = 204}});
  testing::TempDir dir;
  std::filesystem::create_directories(dir.File("log"));
  std::ofstream(dir.File("log/key")) << std::string(32, 'k');
  std::filesystem::permissions(dir.File("log/key"), std::filesystem::perms::owner_all);
  const Secrets secrets(dir.path());
  auto http = net::MakeHttpClient(net::EgressPolicy::AllowAll());
  auto webhook = MakeCheckpointWebhook({server.Url("/hook"), {"log", "key"}}, *http, secrets);
  const SignedCheckpoint made{"log\n4\nroot\n", {"log", 4, EmptyMerkleRoot()}};
  REQUIRE_OK(webhook->Export(made));
  CHECK(testing::Eventually([&] { return server.Count("/hook") == 2 && webhook->Health().ok(); }));
  const testing::FixtureRequest request = server.requests().back();
  CHECK(request.body == made.note);
  CHECK_OK(VerifyWebhook({request.headers.at("webhook-id"), request.headers.at("webhook-timestamp"),
                          request.headers.at("webhook-signature")},
                         request.body, {WebhookKeyOf(std::string(32, 'k')).value()}, absl::Now(), absl::Minutes(5)));
}

TEST_CASE("a file of checkpoints that holds something else is refused") {
  testing::TempDir dir;
  std::ofstream(dir.File("f")) << "half of a note\n";
  CHECK(Reason(OpenCheckpointFile(dir.File("f")).status()) == "NOTE_INVALID");
  CHECK(Reason(OpenCheckpointFile(dir.File("no/such/folder")).status()) == "CHECKPOINT_FILE_FAILED");
}

}  // namespace chartly::audit
