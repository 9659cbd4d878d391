#include "common/crypto/signed_note.h"

#include <openssl/sha.h>

#include <algorithm>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "common/status/status.h"

namespace chartly {
namespace {

constexpr char kDash[] = "\u2014 ";
constexpr char kEd25519 = 1;
constexpr size_t kHintBytes = 4;
constexpr size_t kMaxNoteBytes = size_t{64} << 10;

absl::Status InvalidNote(absl::string_view why) {
  return Error(absl::StatusCode::kInvalidArgument, "NOTE_INVALID", absl::StrCat("this is no signed note: ", why));
}

absl::Status InvalidKey(absl::string_view why) {
  return Error(absl::StatusCode::kInvalidArgument, "NOTE_KEY_INVALID",
               absl::StrCat("this is no key of a signed note (NAME+DIGITS+BASE64): ", why));
}

std::string KeyBytes(const PublicKey& key) { return absl::StrCat(std::string(1, kEd25519), key.bytes()); }

std::string HintOf(absl::string_view name, const PublicKey& key) {
  const std::string input = absl::StrCat(name, "\n", KeyBytes(key));
  unsigned char digest[SHA256_DIGEST_LENGTH];
  SHA256(reinterpret_cast<const unsigned char*>(input.data()), input.size(), digest);
  return std::string(reinterpret_cast<const char*>(digest), kHintBytes);
}

struct Signature {
  std::string name;
  std::string hint;
  std::string bytes;
};

struct Parts {
  std::string text;
  std::vector<Signature> signatures;
};

absl::StatusOr<Signature> ParseSignature(absl::string_view line) {
  if (!absl::ConsumePrefix(&line, kDash))
    return InvalidNote("a line after the blank one does not begin as a signature");
  const std::pair<absl::string_view, absl::string_view> words = absl::StrSplit(line, absl::MaxSplits(' ', 1));
  std::string bytes;
  // The text must be the one way to write these bytes: else a note could be changed without anyone noticing.
  if (words.first.empty() || !absl::Base64Unescape(words.second, &bytes) || bytes.size() <= kHintBytes ||
      absl::Base64Escape(bytes) != words.second) {
    return InvalidNote("a signature cannot be read");
  }
  return Signature{std::string(words.first), bytes.substr(0, kHintBytes), bytes.substr(kHintBytes)};
}

absl::StatusOr<Parts> ParseNote(absl::string_view note) {
  if (note.size() > kMaxNoteBytes) return InvalidNote("it is too long");
  const size_t blank = note.rfind("\n\n");
  if (blank == note.npos || blank == 0) return InvalidNote("no blank line is between text and signatures");
  Parts parts;
  parts.text = std::string(note.substr(0, blank + 1));
  absl::string_view rest = note.substr(blank + 2);
  if (!absl::ConsumeSuffix(&rest, "\n")) return InvalidNote("it does not end in a line end");
  for (absl::string_view line : absl::StrSplit(rest, '\n')) {
    ASSIGN_OR_RETURN(Signature signature, ParseSignature(line));
    parts.signatures.push_back(std::move(signature));
  }
  return parts;
}

}  // namespace

NoteKey::NoteKey(std::string name, PublicKey key)
    : name_(std::move(name)), key_(std::move(key)), hint_(HintOf(name_, key_)) {}

absl::StatusOr<NoteKey> NoteKey::Parse(absl::string_view text) {
  const std::vector<absl::string_view> words = absl::StrSplit(text, absl::MaxSplits('+', 2));
  std::string bytes;
  if (words.size() != 3 || words[0].empty() || !absl::Base64Unescape(words[2], &bytes) || bytes.empty() ||
      bytes[0] != kEd25519) {
    return InvalidKey("it holds no key of Ed25519");
  }
  ASSIGN_OR_RETURN(PublicKey key, PublicKey::FromBytes(absl::string_view(bytes).substr(1)));
  NoteKey parsed(std::string(words[0]), std::move(key));
  if (parsed.Text() != text) return InvalidKey("its digits do not belong to its name and key");
  return parsed;
}

std::string NoteKey::Text() const {
  return absl::StrCat(name_, "+", absl::BytesToHexString(hint_), "+", absl::Base64Escape(KeyBytes(key_)));
}

std::string SignNote(absl::string_view text, const std::vector<NoteSigner>& signers) {
  std::string note = absl::StrCat(text, "\n");
  for (const NoteSigner& signer : signers) {
    const std::string hint = HintOf(signer.name, signer.key.public_key());
    absl::StrAppend(&note, kDash, signer.name, " ", absl::Base64Escape(absl::StrCat(hint, signer.key.Sign(text))),
                    "\n");
  }
  return note;
}

absl::StatusOr<std::string> OpenNote(absl::string_view note, const std::vector<NoteKey>& keys) {
  ASSIGN_OR_RETURN(Parts parts, ParseNote(note));
  bool known = false;
  for (const Signature& signature : parts.signatures) {
    for (const NoteKey& key : keys) {
      if (key.name() != signature.name || key.hint() != signature.hint) continue;
      RETURN_IF_ERROR(key.key().Verify(parts.text, signature.bytes));
      known = true;
    }
  }
  if (known) return std::move(parts.text);
  return Error(absl::StatusCode::kUnauthenticated, "NOTE_KEY_UNKNOWN",
               "none of the trusted keys signed this note; give the key of whoever signed it");
}

absl::StatusOr<std::string> TextOfNote(absl::string_view note) {
  ASSIGN_OR_RETURN(Parts parts, ParseNote(note));
  return std::move(parts.text);
}

absl::StatusOr<std::vector<std::string>> SplitNotes(absl::string_view file) {
  std::vector<std::string> notes;
  std::string note;
  bool signed_already = false;
  for (absl::string_view line : absl::StrSplit(file, '\n')) {
    const bool signature = absl::StartsWith(line, kDash);
    if (signed_already && !signature) {
      notes.push_back(std::exchange(note, ""));
      signed_already = false;
    }
    if (line.empty() && note.empty()) continue;
    absl::StrAppend(&note, line, "\n");
    signed_already = signature;
  }
  if (!note.empty()) return InvalidNote("the file ends in the middle of one");
  for (const std::string& each : notes) RETURN_IF_ERROR(ParseNote(each).status());
  return notes;
}

}  // namespace chartly
