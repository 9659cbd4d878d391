#include "common/crypto/checkpoint.h"

#include <string>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/str_replace.h"
#include "common/status/status.h"
#include "test/support/test.h"

namespace chartly {
namespace {

PrivateKey KeyOf(char seed) { return PrivateKey::FromSeed(std::string(PrivateKey::kSeedBytes, seed)).value(); }

Checkpoint Sample() { return {"log.example/audit", 42, MerkleLeafHash("x")}; }

}  // namespace

TEST_CASE("a checkpoint is three lines and a signature") {
  const NoteSigner signer{"log.example/audit", KeyOf('a')};
  const NoteKey key("log.example/audit", signer.key.public_key());
  const std::string note = SignNote(CheckpointText(Sample()), {signer});
  CHECK(note.substr(0, 25) ==
        "log.example/audit\n42\n" + absl::Base64Escape(BytesOf(MerkleLeafHash("x"))).substr(0, 4));
  auto opened = OpenCheckpoint(note, {key});
  REQUIRE_OK(opened);
  CHECK(opened->origin == "log.example/audit");
  CHECK(opened->size == 42);
  CHECK(opened->root == MerkleLeafHash("x"));
}

TEST_CASE("a note of the reference implementation opens, and its key reads as published") {
  // The example that stands in the documentation of the format.
  const std::string key = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
  const std::string note =
      "If you think cryptography is the answer to your problem,\n"
      "then you don't know what your problem is.\n"
      "\n"
      "\u2014 PeterNeumann "
      "x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n";
  auto parsed = NoteKey::Parse(key);
  REQUIRE_OK(parsed);
  CHECK(parsed->Text() == key);
  CHECK_OK(OpenNote(note, {*parsed}));
  CHECK(Reason(OpenNote(absl::StrReplaceAll(note, {{"answer", "Answer"}}), {*parsed}).status()) == "SIGNATURE_INVALID");
}

TEST_CASE("a note signed by two keys opens with either and with no third") {
  const std::vector<NoteSigner> signers = {{"log", KeyOf('a')}, {"log", KeyOf('b')}};
  const std::string note = SignNote("text\n", signers);
  CHECK_OK(OpenNote(note, {NoteKey("log", KeyOf('a').public_key())}));
  CHECK_OK(OpenNote(note, {NoteKey("log", KeyOf('b').public_key())}));
  CHECK(Reason(OpenNote(note, {NoteKey("log", KeyOf('c').public_key())}).status()) == "NOTE_KEY_UNKNOWN");
  CHECK(Reason(OpenNote(note, {NoteKey("other", KeyOf('a').public_key())}).status()) == "NOTE_KEY_UNKNOWN");
}

TEST_CASE("every changed bit of a signed checkpoint is noticed") {
  const NoteKey key("log.example/audit", KeyOf('a').public_key());
  const std::string note = SignNote(CheckpointText(Sample()), {{"log.example/audit", KeyOf('a')}});
  for (size_t bit = 0; bit < note.size() * 8; ++bit) {
    std::string changed = note;
    changed[bit / 8] = static_cast<char>(changed[bit / 8] ^ (1 << (bit % 8)));
    INFO(bit);
    CHECK_FALSE(OpenCheckpoint(changed, {key}).ok());
  }
  for (size_t size = 0; size < note.size(); ++size) CHECK_FALSE(OpenCheckpoint(note.substr(0, size), {key}).ok());
}

TEST_CASE("what is no checkpoint says what is wrong") {
  const std::string root = absl::Base64Escape(std::string(32, 'x'));
  CHECK_OK(ParseCheckpoint("o\n1\n" + root + "\n"));
  CHECK_OK(ParseCheckpoint("o\n1\n" + root + "\nmore\n"));
  for (const std::string& text : {std::string("o\n1\n"), "\n1\n" + root + "\n", "o\n01\n" + root + "\n",
                                  "o\n-1\n" + root + "\n", std::string("o\n1\nx\n"), std::string()}) {
    CHECK_FALSE(ParseCheckpoint(text).ok());
  }
  CHECK(Reason(NoteKey::Parse("log+00000000+" + absl::Base64Escape("\x01" + std::string(32, 'x'))).status()) ==
        "NOTE_KEY_INVALID");
  CHECK(Reason(NoteKey::Parse("log").status()) == "NOTE_KEY_INVALID");
}

TEST_CASE("a file of notes comes apart into notes") {
  const NoteSigner signer{"log", KeyOf('a')};
  const std::string first = SignNote("one\n", {signer, {"log", KeyOf('b')}});
  const std::string second = SignNote("two\n", {signer});
  auto notes = SplitNotes(first + second + "\n" + first);
  REQUIRE_OK(notes);
  CHECK(*notes == std::vector<std::string>{first, second, first});
  CHECK(SplitNotes("")->empty());
  CHECK(Reason(SplitNotes(first + "half\n").status()) == "NOTE_INVALID");
}

}  // namespace chartly
