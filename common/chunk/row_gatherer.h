// Collects rows of several sets of columns into one set, in a given order: the output side of a merge. Works column by
// column. Not thread-safe.
#ifndef CHARTLY_COMMON_CHUNK_ROW_GATHERER_H_
#define CHARTLY_COMMON_CHUNK_ROW_GATHERER_H_

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <tuple>
#include <vector>

#include "absl/types/span.h"
#include "common/chunk/column_data.h"

namespace chartly {

// Row `row` of source number `source`.
struct RowRef {
  uint32_t source = 0;
  uint32_t row = 0;
};

class RowGatherer {
 public:
  RowGatherer();
  ~RowGatherer();
  RowGatherer(const RowGatherer&) = delete;
  RowGatherer& operator=(const RowGatherer&) = delete;

  // Appends the rows in order. The sources are only read during the call. A column that a source lacks is null in its
  // rows. Requires: rows() stays at or below kMaxChunkRows.
  void Append(absl::Span<const ColumnSet* const> sources, absl::Span<const RowRef> order);
  // The same until there are `max_rows` rows, or about `max_bytes` bytes of them; returns how many it took.
  size_t AppendUpTo(uint32_t max_rows, size_t max_bytes, absl::Span<const ColumnSet* const> sources,
                    absl::Span<const RowRef> order);

  uint32_t rows() const { return rows_; }
  // About the bytes that the rows take.
  size_t bytes() const;
  // What was collected, as a set in order; columns that are null in all rows are left out. Starts anew.
  ColumnSet Take();
  // Takes the memory of a set that Take gave and nobody needs any more for what is collected next: first touching fresh
  // memory costs as much as filling it.
  void Reuse(ColumnSet set);

 private:
  class Column;
  // Rows of a source that follow each other.
  struct Stretch {
    uint32_t source = 0;
    uint32_t row = 0;
    uint32_t count = 0;
  };
  using Name = std::tuple<Role, std::string, ValueType>;
  // Tells each column where it is in the sources.
  void Bind(absl::Span<const ColumnSet* const> sources);
  Column& PlaceOf(const ColumnData& data, size_t sources);
  // The order as stretches.
  void FindStretches(absl::Span<const RowRef> order);
  std::map<Name, std::unique_ptr<Column>> columns_;
  std::map<Name, ColumnData> memory_;  // of columns to come
  std::vector<Stretch> stretches_;
  uint32_t rows_ = 0;
};

}  // namespace chartly

#endif  // CHARTLY_COMMON_CHUNK_ROW_GATHERER_H_
