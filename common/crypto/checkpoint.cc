#include "common/crypto/checkpoint.h"

#include "absl/strings/escaping.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "common/status/status.h"

namespace chartly {
namespace {

absl::Status InvalidCheckpoint(absl::string_view why) {
  return Error(absl::StatusCode::kInvalidArgument, "CHECKPOINT_INVALID", absl::StrCat("this is no checkpoint: ", why));
}

}  // namespace

std::string CheckpointText(const Checkpoint& checkpoint) {
  return absl::StrCat(checkpoint.origin, "\n", checkpoint.size, "\n", absl::Base64Escape(BytesOf(checkpoint.root)),
                      "\n");
}

absl::StatusOr<Checkpoint> ParseCheckpoint(absl::string_view text) {
  const std::vector<absl::string_view> lines = absl::StrSplit(text, '\n');
  if (lines.size() < 4 || lines[0].empty()) return InvalidCheckpoint("it needs a line each for origin, size and root");
  Checkpoint checkpoint;
  checkpoint.origin = std::string(lines[0]);
  if (!absl::SimpleAtoi(lines[1], &checkpoint.size) || absl::StrCat(checkpoint.size) != lines[1]) {
    return InvalidCheckpoint("its second line is not the number of entries");
  }
  std::string root;
  if (!absl::Base64Unescape(lines[2], &root) || absl::Base64Escape(root) != lines[2]) {
    return InvalidCheckpoint("its third line is not the base64 of a hash");
  }
  ASSIGN_OR_RETURN(checkpoint.root, MerkleHashFromBytes(root));
  return checkpoint;
}

absl::StatusOr<Checkpoint> OpenCheckpoint(absl::string_view note, const std::vector<NoteKey>& keys) {
  ASSIGN_OR_RETURN(std::string text, OpenNote(note, keys));
  return ParseCheckpoint(text);
}

}  // namespace chartly
