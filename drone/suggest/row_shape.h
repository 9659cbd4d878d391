// Finds the rows of a payload whose profile is not written yet: format, selector, shape, and the paths of its fields.
// Internal to this folder. Pure, thread-safe.
#ifndef CHARTLY_DRONE_SUGGEST_ROW_SHAPE_H_
#define CHARTLY_DRONE_SUGGEST_ROW_SHAPE_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/profile/profile.h"

namespace chartly::drone {

// One way to read a payload.
struct RowShapeGuess {
  SourceConfig source;             // format, shape, records and csv are set
  std::vector<std::string> paths;  // of the fields of a row, in order of appearance
  int64_t rows = 0;                // as counted while looking, for the choice between guesses
  double confidence = 0;           // 0 to 1
  std::string why;                 // for people
};

// The likeliest one. InvalidArgument (PAYLOAD_NO_ROWS, PAYLOAD_NOT_JSON, ...) if nothing in it looks like rows.
absl::StatusOr<RowShapeGuess> GuessRowShape(absl::string_view payload, absl::string_view content_type,
                                            absl::string_view uri);

// Of one format each. `text` is UTF-8.
absl::StatusOr<RowShapeGuess> GuessJson(absl::string_view text);
absl::StatusOr<RowShapeGuess> GuessNdjson(absl::string_view text);
absl::StatusOr<RowShapeGuess> GuessTable(absl::string_view text, char delimiter);
absl::StatusOr<RowShapeGuess> GuessXml(absl::string_view text);

// "a.b" and "c d" give a.b["c d"].
std::string AppendStep(absl::string_view path, absl::string_view key);

}  // namespace chartly::drone

#endif  // CHARTLY_DRONE_SUGGEST_ROW_SHAPE_H_
