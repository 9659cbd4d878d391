// Every way to change an exported log is found against the last checkpoint that was kept elsewhere.
#include <algorithm>
#include <filesystem>
#include <random>

#include "absl/strings/numbers.h"
#include "common/audit/audit_entry.h"
#include "common/audit/audit_lines.h"
#include "common/crypto/key_file.h"
#include "control/audit/audit_fixture_test.h"

namespace chartly::audit {
namespace {

using Lines = std::vector<std::string>;

// What an attack must lead to: the first wrong entry is between these.
struct Expected {
  int64_t first = 1;
  int64_t last = 1;
};

// The header of the file is line 0, entry n line n.
class Attacker {
 public:
  Attacker(AuditFixture& fixture, uint32_t seed) : random_(seed) {
    fixture.Fill(30);
    older_ = fixture.Export();
    fixture.Fill(20);
    REQUIRE_OK(fixture.keeper->Rotate(EventOf(kRotateAction)));
    fixture.Fill(10);
    AuditUpkeep upkeep(*fixture.store, *fixture.log, fixture.clock, absl::ZeroDuration());
    v1::EraseAuditPersonRequest person;
    person.set_actor("person-4");
    REQUIRE_OK(upkeep.Erase(person, EventOf(kEraseAction)));
    fixture.Fill(15);
    whole_ = fixture.Export();
    checkpoint_ = ParseAuditHeaderLine(whole_[0])->checkpoint();
    const auto file = *std::filesystem::directory_iterator(fixture.dir.File("keys"));
    key_ = std::make_unique<PrivateKey>(ReadPrivateKey(file.path()).value());
  }

  const Lines& whole() const { return whole_; }
  const std::string& checkpoint() const { return checkpoint_; }
  int64_t size() const { return static_cast<int64_t>(whole_.size()) - 1; }

  // One change of the kind; the file it leaves, and what must be found.
  std::pair<Lines, Expected> Attack(int kind) {
    switch (kind) {
      case 0:
        return ChangeByte();
      case 1:
        return Edit(false);
      case 2:
        return Edit(true);
      case 3:
        return Rewrite();
      case 4:
        return Delete();
      case 5:
        return Swap();
      case 6:
        return Truncate();
      case 7:
        return {older_, {static_cast<int64_t>(older_.size()), size()}};
      case 8:
        return Duplicate();
      case 9:
        return Insert();
      case 10:
        return TakePerson();
      default:
        return RegrowFromOlder();
    }
  }
  static constexpr int kKinds = 12;

 private:
  int64_t Between(int64_t low, int64_t high) { return std::uniform_int_distribution<int64_t>(low, high)(random_); }
  static v1::AuditEvent EventAt(const Lines& lines, int64_t seq) {
    return ParseAuditEventLine(lines[static_cast<size_t>(seq)]).value();
  }

  // Makes all hashes from `seq` on anew, and signs the end with the stolen key.
  Lines Rehash(const Lines& lines, int64_t seq) {
    MerkleFrontier tree;
    Lines made = {lines[0]};
    for (int64_t at = 1; at < static_cast<int64_t>(lines.size()); ++at) {
      v1::AuditEvent event = EventAt(lines, at);
      if (at >= seq) {
        event.set_seq(at);
        event.set_prev_hash(at == 1 ? "" : HexOf(tree.Root()));
        event.set_hash(AuditHash(event));
      }
      tree.Append(AuditLeaf(event));
      made.push_back(AuditEventLine(event));
    }
    v1::AuditExportHeader header = ParseAuditHeaderLine(lines[0]).value();
    const Checkpoint end{header.origin(), tree.size(), tree.Root()};
    header.set_checkpoint(SignNote(CheckpointText(end), {{header.origin(), *key_}}));
    made[0] = AuditHeaderLine(header);
    return made;
  }

  v1::AuditEvent Changed(int64_t seq) {
    v1::AuditEvent event = EventAt(whole_, seq);
    switch (Between(0, 4)) {
      case 0:
        event.set_subject(absl::StrCat("profiles/", random_()));
        break;
      case 1:
        event.set_outcome("PERMISSION_DENIED");
        break;
      case 2:
        event.set_actor(absl::StrCat("mallory", random_()));
        event.set_actor_salt("00");
        event.set_actor_digest(PersonDigest("00", event.actor()));
        break;
      case 3:
        event.mutable_time()->set_seconds(event.time().seconds() + Between(1, 100000));
        break;
      default:
        event.set_request_id(absl::StrCat("r-", random_()));
    }
    return event;
  }

  std::pair<Lines, Expected> ChangeByte() {
    Lines lines = whole_;
    const int64_t at = Between(0, size());
    std::string& line = lines[static_cast<size_t>(at)];
    char& c = line[static_cast<size_t>(Between(0, static_cast<int64_t>(line.size()) - 1))];
    const char before = c;
    while (c == before) c = static_cast<char>(Between(1, 255));
    return {lines, {at, at}};
  }

  std::pair<Lines, Expected> Edit(bool with_its_hash) {
    Lines lines = whole_;
    const int64_t seq = Between(1, size());
    v1::AuditEvent event = Changed(seq);
    if (with_its_hash) event.set_hash(AuditHash(event));
    lines[static_cast<size_t>(seq)] = AuditEventLine(event);
    // What follows shows the change, but for the last entry, whose change only the signed root shows.
    const bool last = with_its_hash && seq == size();
    return {lines, {last ? 1 : seq, seq}};
  }

  std::pair<Lines, Expected> Rewrite() {
    Lines lines = whole_;
    const int64_t seq = Between(1, size());
    lines[static_cast<size_t>(seq)] = AuditEventLine(Changed(seq));
    return {Rehash(lines, seq), {1, size() + 1}};
  }

  std::pair<Lines, Expected> Delete() {
    Lines lines = whole_;
    const int64_t first = Between(1, size());
    const int64_t last = std::min(size(), first + Between(0, 3));
    lines.erase(lines.begin() + first, lines.begin() + last + 1);
    return {lines, {first, first}};
  }

  std::pair<Lines, Expected> Swap() {
    Lines lines = whole_;
    const int64_t a = Between(1, size() - 1);
    const int64_t b = Between(a + 1, size());
    std::swap(lines[static_cast<size_t>(a)], lines[static_cast<size_t>(b)]);
    return {lines, {a, a}};
  }

  std::pair<Lines, Expected> Truncate() {
    Lines lines = whole_;
    const int64_t left = Between(0, size() - 1);
    lines.resize(static_cast<size_t>(left) + 1);
    return {lines, {left + 1, left + 1}};
  }

  std::pair<Lines, Expected> Duplicate() {
    Lines lines = whole_;
    const int64_t seq = Between(1, size());
    lines.insert(lines.begin() + seq, lines[static_cast<size_t>(seq)]);
    return {lines, {seq + 1, size() + 1}};
  }

  std::pair<Lines, Expected> Insert() {
    Lines lines = whole_;
    const int64_t seq = Between(1, size());
    lines.insert(lines.begin() + seq, AuditEventLine(Changed(seq)));
    return {Rehash(lines, seq), {1, size() + 1}};
  }

  std::pair<Lines, Expected> TakePerson() {
    Lines lines = whole_;
    int64_t seq = Between(1, size());
    while (EventAt(whole_, seq).actor().empty()) seq = Between(1, size());
    v1::AuditEvent event = EventAt(whole_, seq);
    event.clear_actor();
    event.clear_actor_salt();
    lines[static_cast<size_t>(seq)] = AuditEventLine(event);
    return {lines, {seq, seq}};
  }

  // The log is set back and other things are done since, signed with the right key.
  std::pair<Lines, Expected> RegrowFromOlder() {
    Lines lines = older_;
    lines[0] = whole_[0];
    const int64_t from = static_cast<int64_t>(lines.size());
    while (static_cast<int64_t>(lines.size()) <= size() + Between(0, 1)) {
      lines.push_back(AuditEventLine(Changed(Between(1, size()))));
    }
    return {Rehash(lines, from), {1, size() + 2}};
  }

  std::mt19937 random_;
  Lines older_;
  Lines whole_;
  std::string checkpoint_;
  std::unique_ptr<PrivateKey> key_;
};

}  // namespace

TEST_CASE("2,000 random changes of a log are all found against its last checkpoint") {
  AuditFixture fixture;
  const PublicKey trusted = fixture.Key();
  Attacker attacker(fixture, 20261121);
  const AuditTrust trust{{attacker.checkpoint()}, {trusted}};
  REQUIRE_OK(Verify(attacker.whole(), trust));
  for (int i = 0; i < 2000; ++i) {
    const int kind = i % Attacker::kKinds;
    const auto [lines, expected] = attacker.Attack(kind);
    INFO("change " << i << " of kind " << kind);
    absl::Status status = Verify(lines, trust).status();
    INFO(status.ToString());
    REQUIRE_FALSE(status.ok());
    if (Reason(status) != "AUDIT_TAMPERED") {
      // A file whose own keys or checkpoint do not fit is refused before its first entry: after a changed first line,
      // and where the kept checkpoint is signed by a key that the older file does not know yet.
      CHECK((expected.first == 0 || kind == 7));
      continue;
    }
    int64_t first = 0;
    int64_t last = 0;
    REQUIRE((absl::SimpleAtoi(Details(status)["seq"], &first) && absl::SimpleAtoi(Details(status)["last_seq"], &last)));
    // The entry that is wrong is in what is reported; where one entry is reported, it is that one.
    CHECK(first <= expected.last);
    CHECK(last >= expected.first);
    if (expected.first == expected.last) CHECK(first == expected.first);
  }
}

TEST_CASE("with more checkpoints, what was written anew is found between two of them") {
  AuditFixture fixture;
  std::vector<std::string> notes;
  for (int i = 0; i < 6; ++i) {
    fixture.Fill(10);
    notes.push_back(fixture.keeper->SignNow()->note);
  }
  Lines lines = fixture.Export();
  MerkleFrontier tree;
  for (size_t seq = 1; seq < lines.size(); ++seq) {
    v1::AuditEvent event = ParseAuditEventLine(lines[seq]).value();
    if (seq == 34) event.set_subject("profiles/other");
    if (seq >= 34) {
      event.set_prev_hash(HexOf(tree.Root()));
      event.set_hash(AuditHash(event));
    }
    tree.Append(AuditLeaf(event));
    lines[seq] = AuditEventLine(event);
  }
  absl::Status status = Verify(lines, {notes, {}}).status();
  CHECK(Details(status)["seq"] == "31");
  CHECK(Details(status)["last_seq"] == "40");
}

TEST_CASE("a checkpoint of another log, and two of one size that differ, are told apart from a change") {
  AuditFixture fixture;
  fixture.Fill(4);
  const Lines lines = fixture.Export();
  AuditFixture other;
  other.Fill(4);
  const std::string foreign = other.keeper->SignNow()->note;
  CHECK(Reason(Verify(lines, {{foreign}, {}}).status()) == "NOTE_KEY_UNKNOWN");
  CHECK(testing::Says(Verify({}, {}).status(), "it is missing"));
}

}  // namespace chartly::audit
