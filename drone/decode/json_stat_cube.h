// The dimensions and cells of a JSON-stat dataset. Views of the document live as long as it does. Not thread-safe.
#ifndef CHARTLY_DRONE_DECODE_JSON_STAT_CUBE_H_
#define CHARTLY_DRONE_DECODE_JSON_STAT_CUBE_H_

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/normalize/row.h"
#include "drone/decode/json_document.h"

namespace chartly::drone {

struct JsonStatDimension {
  std::string id;
  std::vector<std::string> categories;  // ids, in the order of the cells
  std::vector<std::string> labels;      // as many
};

// Values of cells in order, from an array of all, an object of some by number, or one text for all.
class JsonStatCells {
 public:
  // `value` may be JsonDocument::kNone. InvalidArgument (PAYLOAD_NOT_JSON_STAT) if an array has not `count` elements,
  // or a number is wrong.
  static absl::StatusOr<JsonStatCells> Open(const JsonDocument& document, size_t value, size_t count,
                                            absl::string_view name);
  // The field of the next cell, valid until the next call; null where there is none.
  Field Next();

 private:
  explicit JsonStatCells(const JsonDocument& document) : document_(&document) {}

  const JsonDocument* document_;
  size_t element_ = JsonDocument::kNone;             // array: what comes next
  size_t for_all_ = JsonDocument::kNone;             // one text
  std::vector<std::pair<size_t, size_t>> numbered_;  // object: cell and token, sorted
  size_t position_ = 0;
  size_t cell_ = 0;
  std::string scratch_;
};

struct JsonStatCube {
  std::vector<JsonStatDimension> dimensions;
  size_t cells = 0;
  size_t value = JsonDocument::kNone;  // tokens
  size_t status = JsonDocument::kNone;
};

// InvalidArgument (PAYLOAD_NOT_JSON_STAT) if the dataset is none; ResourceExhausted (PAYLOAD_TOO_LARGE) past
// kMaxJsonStatCells.
absl::StatusOr<JsonStatCube> ReadJsonStatCube(const JsonDocument& document, size_t dataset);

}  // namespace chartly::drone

#endif  // CHARTLY_DRONE_DECODE_JSON_STAT_CUBE_H_
