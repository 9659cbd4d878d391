// One named field of one piece of records, whatever types its columns have, read a column at a time. Not thread-safe;
// the rows must outlive the reader.
#ifndef CHARTLY_CONTROL_REPORTER_FIELD_READER_H_
#define CHARTLY_CONTROL_REPORTER_FIELD_READER_H_

#include <cstdint>
#include <vector>

#include "absl/strings/string_view.h"
#include "control/reporter/dictionary.h"
#include "control/reporter/record_rows.h"
#include "control/reporter/value_column.h"

namespace chartly::reporter {

// Rows of a piece: a run of them, or those named.
struct PickedRows {
  uint32_t first = 0;  // of the run
  uint32_t count = 0;
  bool is_run = true;
  std::vector<uint32_t> rows;  // in rising order; empty if they are a run

  template <typename Visit>
  void ForEach(Visit&& visit) const {
    if (is_run) {
      for (uint32_t row = first; row < first + count; ++row) visit(row);
    } else {
      for (uint32_t row : rows) visit(row);
    }
  }
};

class FieldReader {
 public:
  FieldReader(const RecordRows& rows, Role role, absl::string_view name);
  bool IsNull(uint32_t row) const;
  // Whether no row is null.
  bool IsWhole() const;
  // Null if no column has a value in that row.
  Value Get(uint32_t row) const;
  // Appends the codes of the values of the rows. An entry of a dictionary is looked up once a piece, not once a row.
  void AppendCodes(const PickedRows& picked, DictionaryBuilder& builder, BigVector<uint32_t>& codes) const;
  // Appends the values of the rows, and returns what ValueColumn::Add does for all of them.
  int64_t AppendValues(const PickedRows& picked, ValueColumn& values) const;
  // The only column if there is one and it has a dictionary; else nullptr.
  const ColumnData* OnlyDictionary() const;
  // The columns of the field, one a type.
  const std::vector<const ColumnData*>& columns() const { return sources_; }

 private:
  std::vector<const ColumnData*> sources_;
};

}  // namespace chartly::reporter

#endif  // CHARTLY_CONTROL_REPORTER_FIELD_READER_H_
