// Rows of an object of arrays: row i holds element i of each. Not thread-safe.
#ifndef CHARTLY_DRONE_DECODE_JSON_ZIP_H_
#define CHARTLY_DRONE_DECODE_JSON_ZIP_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "common/normalize/row.h"
#include "drone/decode/json_document.h"
#include "drone/decode/json_index.h"

namespace chartly::drone {

class JsonZip final : public Row {
 public:
  struct Column {
    std::string name;
    size_t array = JsonDocument::kNone;  // token; none: missing in every row
    const Field* outer = nullptr;        // or the field of every row
  };
  // Requires: `index` and the outer fields outlive this.
  JsonZip(const JsonIndex& index, std::vector<Column> columns);

  // InvalidArgument: PAYLOAD_NOT_ZIPPED (a column is no array, or has another length), PAYLOAD_NO_RECORDS (no array).
  absl::Status Check() const;
  // Moves to the next row; false at the end. Requires: Check() is OK.
  bool Next();

  Field Get(size_t slot) const override {
    return columns_[slot].outer != nullptr ? *columns_[slot].outer : fields_[slot];
  }
  std::string Raw() const override;

 private:
  const JsonDocument document_;
  const std::vector<Column> columns_;
  std::vector<size_t> at_;  // of each column the element that comes next
  std::vector<Field> fields_;
  std::vector<std::string> scratches_;
};

}  // namespace chartly::drone

#endif  // CHARTLY_DRONE_DECODE_JSON_ZIP_H_
