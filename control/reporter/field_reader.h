// One named field of one piece of records, whatever types its columns have. Not thread-safe; the rows must outlive the
// reader.
#ifndef CHARTLY_CONTROL_REPORTER_FIELD_READER_H_
#define CHARTLY_CONTROL_REPORTER_FIELD_READER_H_

#include <cstdint>
#include <vector>

#include "absl/strings/string_view.h"
#include "control/reporter/dictionary.h"
#include "control/reporter/record_rows.h"
#include "control/reporter/value_column.h"

namespace chartly::reporter {

class FieldReader {
 public:
  FieldReader(const RecordRows& rows, Role role, absl::string_view name);
  bool IsNull(uint32_t row) const;
  // Null if no column has a value in that row.
  Value Get(uint32_t row) const;
  // Appends the code of the value. An entry of a dictionary is looked up once a piece, not once a row.
  void AppendCode(uint32_t row, DictionaryBuilder& builder, std::vector<uint32_t>& codes);
  // Appends the value, and returns what ValueColumn::Add does.
  int64_t AppendValue(uint32_t row, ValueColumn& values) const;
  // The only column if there is one and it has a dictionary; else nullptr.
  const FieldColumn* OnlyDictionary() const;

 private:
  static constexpr uint32_t kUnknown = kNullCode - 1;
  struct Source {
    FieldColumn column;
    std::vector<uint32_t> entries;  // codes of its dictionary; kUnknown: not looked up yet
  };
  std::vector<Source> sources_;
};

}  // namespace chartly::reporter

#endif  // CHARTLY_CONTROL_REPORTER_FIELD_READER_H_
