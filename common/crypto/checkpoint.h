// The checkpoint of a log (C2SP tlog-checkpoint): which log, how many entries, which root. It is the text of a signed
// note. Pure functions; thread-safe.
#ifndef CHARTLY_COMMON_CRYPTO_CHECKPOINT_H_
#define CHARTLY_COMMON_CRYPTO_CHECKPOINT_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/crypto/merkle_tree.h"
#include "common/crypto/signed_note.h"

namespace chartly {

struct Checkpoint {
  std::string origin;
  uint64_t size = 0;
  MerkleHash root = EmptyMerkleRoot();
};

// Three lines: origin, size, root in base64.
std::string CheckpointText(const Checkpoint& checkpoint);
// InvalidArgument (CHECKPOINT_INVALID) unless the text begins with those three lines, each written in the one right
// way.
absl::StatusOr<Checkpoint> ParseCheckpoint(absl::string_view text);
// The checkpoint of a note that one of the keys signed (OpenNote).
absl::StatusOr<Checkpoint> OpenCheckpoint(absl::string_view note, const std::vector<NoteKey>& keys);

}  // namespace chartly

#endif  // CHARTLY_COMMON_CRYPTO_CHECKPOINT_H_
