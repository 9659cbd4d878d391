// Signed notes (C2SP signed-note): a text, a blank line, and lines of signatures, each with the name of its key.
//
// Pure functions and plain values; thread-safe.
#ifndef CHARTLY_COMMON_CRYPTO_SIGNED_NOTE_H_
#define CHARTLY_COMMON_CRYPTO_SIGNED_NOTE_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/crypto/signing_key.h"

namespace chartly {

// Who signed a note, as those who check it write it: NAME+8 HEX DIGITS+BASE64.
class NoteKey {
 public:
  NoteKey(std::string name, PublicKey key);
  // InvalidArgument (NOTE_KEY_INVALID) if the text is none, or its digits do not belong to its name and key.
  static absl::StatusOr<NoteKey> Parse(absl::string_view text);

  const std::string& name() const { return name_; }
  const PublicKey& key() const { return key_; }
  // Four bytes that tell keys of one name apart.
  const std::string& hint() const { return hint_; }
  std::string Text() const;
  bool operator==(const NoteKey& other) const { return name_ == other.name_ && key_ == other.key_; }

 private:
  std::string name_;
  PublicKey key_;
  std::string hint_;
};

struct NoteSigner {
  std::string name;
  PrivateKey key;
};

// Requires: the text ends in a line end and has no blank line.
std::string SignNote(absl::string_view text, const std::vector<NoteSigner>& signers);

// The text of a note that at least one of the keys signed. InvalidArgument (NOTE_INVALID) if it is no note;
// Unauthenticated: NOTE_KEY_UNKNOWN if none of the keys signed it, SIGNATURE_INVALID if a signature of one of them is
// wrong. Signatures of other keys are passed over.
absl::StatusOr<std::string> OpenNote(absl::string_view note, const std::vector<NoteKey>& keys);

// The text of a note, whoever signed it. InvalidArgument (NOTE_INVALID) if it is no note.
absl::StatusOr<std::string> TextOfNote(absl::string_view note);

// The notes of a file that holds one after the other. InvalidArgument (NOTE_INVALID) if something else is between them.
absl::StatusOr<std::vector<std::string>> SplitNotes(absl::string_view file);

}  // namespace chartly

#endif  // CHARTLY_COMMON_CRYPTO_SIGNED_NOTE_H_
