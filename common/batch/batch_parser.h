// Reads the columns of an unpacked body. Every length, offset, index and value is checked here once, so that
// BatchColumn may read without checks.
#ifndef CHARTLY_COMMON_BATCH_BATCH_PARSER_H_
#define CHARTLY_COMMON_BATCH_BATCH_PARSER_H_

#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/batch/batch.h"

namespace chartly {

class BatchParser {
 public:
  // Checks what can be checked before the body is unpacked: counts, order of columns, their places in the body.
  static absl::Status CheckHeader(const BatchHeader& header, uint32_t body_bytes);
  // The columns; they point into `header` and `body`. Requires: CheckHeader was OK.
  static absl::StatusOr<std::vector<BatchColumn>> ReadColumns(const BatchHeader& header, absl::string_view body);

 private:
  static absl::StatusOr<BatchColumn> ReadColumn(const storage::v1::Column& description, uint32_t rows,
                                                absl::string_view bytes);
  static absl::Status ReadNulls(uint32_t nulls, absl::string_view& bytes, BatchColumn& column);
  static absl::Status ReadIndexes(absl::string_view& bytes, BatchColumn& column);
  static absl::Status ReadTexts(uint32_t count, absl::string_view bytes, BatchColumn& column);
  static absl::Status ReadFixed(const storage::v1::Column& description, uint32_t count, absl::string_view bytes,
                                BatchColumn& column);
  static absl::Status CheckValues(uint32_t count, const BatchColumn& column);
};

}  // namespace chartly

#endif  // CHARTLY_COMMON_BATCH_BATCH_PARSER_H_
