// What a report works on between its steps: columns of equal length. A key column says what a row is about and holds
// codes of a dictionary; a measure column holds values.
//
// Plain value types; copies of a key column share its dictionary.
#ifndef CHARTLY_CONTROL_REPORTER_TABLE_H_
#define CHARTLY_CONTROL_REPORTER_TABLE_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "control/reporter/big_vector.h"
#include "control/reporter/dictionary.h"
#include "control/reporter/row_runs.h"
#include "control/reporter/value_column.h"

namespace chartly::reporter {

struct Column {
  std::string name;
  bool is_key = false;
  DictionaryPtr dictionary;   // of a key
  BigVector<uint32_t> codes;  // of a key
  ValueColumn values;         // of a measure

  size_t size() const { return is_key ? codes.size() : values.size(); }
  Value Get(size_t row) const;
  bool IsNull(size_t row) const { return is_key ? codes[row] == kNullCode : values.IsNull(row); }
  // The column with the rows named, in that order; kNoRow gives null.
  Column Gather(absl::Span<const uint32_t> rows) const;
  Column Gather(const RowRuns& rows) const;
  // About how many bytes its rows take.
  int64_t bytes() const { return static_cast<int64_t>(size()) * (is_key ? 4 : ValueColumn::kBytesPerValue); }

  static Column Key(std::string name, DictionaryPtr dictionary, BigVector<uint32_t> codes);
  static Column Measure(std::string name, ValueColumn values);
  // A key column of values as they come.
  static Column KeyOf(std::string name, const std::vector<Value>& values);
};

struct Table {
  std::vector<Column> columns;
  size_t rows = 0;

  // The column of that name; nullptr if there is none. A name with "dims.", "measures." or "attrs." before it is found
  // without it, too.
  const Column* Find(absl::string_view name) const;
  // InvalidArgument (REPORT_UNKNOWN_FIELD) with the names there are.
  absl::StatusOr<const Column*> Require(absl::string_view name) const;
  // Adds a column; one of the same name is replaced in its place.
  void Put(Column column);
  Table Gather(absl::Span<const uint32_t> rows_wanted) const;
  int64_t bytes() const;
};

// Puts the rows of tables with the same columns behind each other. Not thread-safe.
class TableStack {
 public:
  // Requires: the columns of the first table, in their order.
  void Add(const Table& table);
  // All rows, in the order in which they came. The stack is then empty.
  Table Finish();
  // About how many bytes it takes.
  int64_t bytes() const;

 private:
  Table stacked_;                                // codes of keys are provisional
  std::vector<DictionaryBuilder> dictionaries_;  // by column; of keys
};

// The name without "dims.", "measures." or "attrs.".
std::string BareName(absl::string_view name);
// `wanted`, or with _2, _3 ... behind it if the table has that name.
std::string FreeName(const Table& table, const std::string& wanted);

}  // namespace chartly::reporter

#endif  // CHARTLY_CONTROL_REPORTER_TABLE_H_
