#include <string>

#include "cli/command_fixture_test.h"
#include "common/audit/audit_entry.h"
#include "common/audit/audit_lines.h"
#include "common/crypto/checkpoint.h"
#include "common/crypto/signed_note.h"

namespace chartly::cli {
namespace {

const char kOrigin[] = "log.test/audit";

PrivateKey KeyOf(char seed) { return PrivateKey::FromSeed(std::string(PrivateKey::kSeedBytes, seed)).value(); }

std::string LogOf(int entries) {
  std::string lines;
  MerkleFrontier tree;
  for (int seq = 1; seq <= entries; ++seq) {
    v1::AuditEvent event;
    event.set_form(kAuditForm);
    event.set_seq(seq);
    event.set_action("Service.Do");
    event.set_outcome("OK");
    event.set_prev_hash(seq == 1 ? "" : HexOf(tree.Root()));
    event.set_hash(AuditHash(event));
    tree.Append(AuditLeaf(event));
    lines += AuditEventLine(event) + "\n";
  }
  v1::AuditExportHeader header;
  header.set_format(kAuditExportFormat);
  header.set_origin(kOrigin);
  header.set_first_seq(1);
  header.set_checkpoint(SignNote(CheckpointText({kOrigin, tree.size(), tree.Root()}), {{kOrigin, KeyOf('a')}}));
  header.add_keys()->set_verifier(NoteKey(kOrigin, KeyOf('a').public_key()).Text());
  return AuditHeaderLine(header) + "\n" + lines;
}

std::string CheckpointOf(const std::string& log) {
  return ParseAuditHeaderLine(log.substr(0, log.find('\n')))->checkpoint();
}

std::string KeyText(char seed) { return NoteKey(kOrigin, KeyOf(seed).public_key()).Text() + "\n"; }

}  // namespace

TEST_CASE("audit verify says that a log is whole, and what it could not know") {
  testing::TempDir dir;
  const std::string log = WriteFile(dir.File("log"), LogOf(5));
  CommandResult result = Chartly({"audit", "verify", log});
  CHECK(result.code == kOk);
  CHECK(Contains(result.out, "entries 1 to 5"));
  CHECK(Contains(result.err, "without --checkpoint"));
  CHECK(Contains(result.err, "without --key"));
  const std::string kept = WriteFile(dir.File("kept"), CheckpointOf(LogOf(3)) + CheckpointOf(LogOf(5)));
  for (const std::string& key : {KeyText('a'), KeyOf('a').public_key().Pem()}) {
    result = Chartly({"audit", "verify", log, "--checkpoint", kept, "--key", WriteFile(dir.File("key"), key)});
    CHECK(result.code == kOk);
    CHECK(Contains(result.out, "compared with 2 checkpoints"));
    CHECK(result.err.empty());
  }
  result = Chartly({"audit", "verify", log, "--output", "json"});
  CHECK(Contains(result.out, "\"size\":5"));
}

TEST_CASE("audit verify names the entry that was changed and fails") {
  testing::TempDir dir;
  std::string text = LogOf(5);
  text.replace(text.find("Service.Do", text.find("\"seq\":3")), 10, "Service.Un");
  CommandResult result = Chartly({"audit", "verify", WriteFile(dir.File("log"), text)});
  CHECK(result.code == kFailed);
  CHECK(Contains(result.err, "entry 3"));
  CHECK(Contains(result.err, "does not match its hash"));
}

TEST_CASE("audit verify takes a folder, and refuses a key or checkpoint that does not fit") {
  testing::TempDir dir;
  WriteFile(dir.File("audit.ndjson"), LogOf(4));
  WriteFile(dir.File("checkpoints.txt"), CheckpointOf(LogOf(2)));
  WriteFile(dir.File("keys.txt"), KeyText('a'));
  CHECK(Chartly({"audit", "verify", dir.path()}).code == kOk);
  WriteFile(dir.File("checkpoints.txt"), CheckpointOf(LogOf(9)));
  CommandResult result = Chartly({"audit", "verify", dir.path()});
  CHECK(result.code == kFailed);
  CHECK(Contains(result.err, "5 to 9: they are missing"));
  WriteFile(dir.File("keys.txt"), KeyText('b'));
  result = Chartly({"audit", "verify", dir.path()});
  CHECK(result.code != kOk);
  CHECK(Contains(result.err, "that you trust"));
  result = Chartly({"audit", "verify", dir.File("none")});
  CHECK(result.code == kBadInput);
}

}  // namespace chartly::cli
