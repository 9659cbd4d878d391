// Keys of rows as bytes that sort as the values do: by the key dims in order of their names, each in the order of
// CompareValues. Two rows have the same bytes exactly if they have the same record key within a profile
// (docs/formats/record_id.md), whatever columns their chunks have: integer 5, decimal 5.00 and float 5.0 are one, and a
// null dim takes no part. One function for sorting rows, for the first keys of chunks, and for looking a row up.
// docs/formats/chunk.md gives the bytes.
#ifndef CHARTLY_COMMON_CHUNK_SORT_KEY_H_
#define CHARTLY_COMMON_CHUNK_SORT_KEY_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "common/chunk/column_data.h"
#include "common/value/value.h"

namespace chartly {

// Keys of the rows of one set of columns, which must outlive it. Not thread-safe.
class SortKeyEncoder {
 public:
  // `key`: names of the key dims; all dims if empty. Only these columns need be in the set.
  SortKeyEncoder(const ColumnSet& columns, absl::Span<const std::string> key);

  void Append(uint32_t row, std::string& out) const;
  std::string Of(uint32_t row) const;

 private:
  struct Column {
    const ColumnData* data = nullptr;
    std::string name;  // as it stands in the key
    // Name and value of each entry of a text column with codes, joined; empty if it is cheaper to make them row by row.
    std::string entries;
    std::vector<uint32_t> ends;
  };
  std::vector<Column> columns_;
};

// The bytes of one key dim. Those of the first dims of a key are a prefix of the keys of all rows that have them.
// Requires: not null.
void AppendSortable(absl::string_view name, const Value& value, std::string& out);

}  // namespace chartly

#endif  // CHARTLY_COMMON_CHUNK_SORT_KEY_H_
