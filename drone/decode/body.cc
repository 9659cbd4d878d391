#include "drone/decode/body.h"

#include "absl/strings/str_cat.h"
#include "common/status/status.h"

namespace chartly::drone {

absl::StatusOr<std::string> ReadAll(Body& body, size_t max_bytes) {
  std::string text;
  while (true) {
    ASSIGN_OR_RETURN(absl::string_view piece, body.Read());
    if (piece.empty()) return text;
    if (piece.size() > max_bytes - text.size()) {
      return Error(absl::StatusCode::kResourceExhausted, "PAYLOAD_TOO_LARGE",
                   absl::StrCat("a payload of this format is read as a whole and may have at most ", max_bytes,
                                " bytes; ask for smaller pages, or for a format that is read row by row"));
    }
    text.append(piece.data(), piece.size());
  }
}

}  // namespace chartly::drone
