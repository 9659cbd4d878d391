// One column in memory, decoded: typed vectors that loops read directly. What goes into a sealed chunk and comes out of
// it. A field whose values have two types has two columns, and in each row at most one of them is not null.
//
// Plain data, reusable: decoding into one that was used before keeps its memory. A const ColumnData may be read from
// several threads.
#ifndef CHARTLY_COMMON_CHUNK_COLUMN_DATA_H_
#define CHARTLY_COMMON_CHUNK_COLUMN_DATA_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/numeric/int128.h"
#include "absl/strings/string_view.h"
#include "common/batch/batch.h"
#include "common/value/value.h"

namespace chartly {

inline constexpr uint32_t kMaxChunkRows = 65536;

// Integer columns that say where a row comes from. Role kSystem: batch number and row of that batch. Role kSource: page
// and row of the payload, as in batches.
inline constexpr char kBatchColumn[] = "batch";
inline constexpr char kRowColumn[] = "row";
inline constexpr char kPageColumn[] = "page";

struct ColumnData {
  Role role = Role::kDim;
  std::string name;
  ValueType type = ValueType::kNull;
  uint32_t rows = 0;

  // Bit i % 64 of word i / 64 is 1 if row i is null; unused bits are 0. Empty if no row is null. A null row holds 0 or
  // an empty text in the vectors below, or any code.
  std::vector<uint64_t> nulls;

  // One a row, for integers, unscaled decimals, booleans (0 or 1), timestamps (microseconds) and dates (days).
  std::vector<int64_t> integers;
  // One a row, instead of `integers`, for decimals of which one does not fit into 64 bits.
  std::vector<absl::int128> wide;
  // One a row, for floats.
  std::vector<double> floats;
  // Decimals: the scale of all, or one a row if they differ.
  uint8_t scale = 0;
  std::vector<uint8_t> scales;
  // Timestamps: the offset of the source in minutes, of all or one a row if they differ.
  int16_t offset_minutes = 0;
  std::vector<int16_t> offsets_minutes;
  // Texts: entry i lies in the heap between text_ends[i - 1] (0 for the first) and text_ends[i]. One entry a row, or
  // with `codes` distinct entries in order of bytes and the number of its entry a row.
  std::vector<uint32_t> text_ends;
  std::string heap;
  std::vector<uint32_t> codes;

  bool IsNull(uint32_t row) const { return !nulls.empty() && (nulls[row / 64] >> (row % 64) & 1) != 0; }
  uint32_t NullCount() const;
  // Requires: not null, for the accessors below.
  absl::string_view Text(uint32_t row) const { return Entry(codes.empty() ? row : codes[row]); }
  absl::string_view Entry(uint32_t index) const {
    const uint32_t begin = index == 0 ? 0 : text_ends[index - 1];
    return absl::string_view(heap.data() + begin, text_ends[index] - begin);
  }
  Decimal DecimalAt(uint32_t row) const {
    const uint8_t digits = scales.empty() ? scale : scales[row];
    return {wide.empty() ? absl::int128(integers[row]) : wide[row], digits};
  }
  Timestamp TimestampAt(uint32_t row) const {
    return {integers[row], offsets_minutes.empty() ? offset_minutes : offsets_minutes[row]};
  }
  // The nearest double. Requires: a number column.
  double AsDouble(uint32_t row) const;
  // The value, null if it is.
  Value Get(uint32_t row) const;

  // Bytes of memory that it holds.
  size_t MemoryBytes() const;
  // Forgets the rows, not the memory.
  void Clear();
  // The same before values of that type are written: those that the type mostly has, one a row, keep their length and
  // hold anything, since it takes as long to make them zero as to write them.
  void ClearFor(ValueType type);
};

// Columns of the same number of rows, in order of (role, name, type), each triple once.
using ColumnSet = std::vector<ColumnData>;

// Replace a scale or an offset a row by the one of all rows if those that are not null do not differ.
void UniteScales(ColumnData& column);
void UniteOffsets(ColumnData& column);

bool ColumnOrder(const ColumnData& a, const ColumnData& b);
// The column of that role, name and type; nullptr if there is none.
const ColumnData* FindColumn(const ColumnSet& columns, Role role, absl::string_view name, ValueType type);
// The value of that field in a row, whichever column holds it; null if none does.
Value GetValue(const ColumnSet& columns, Role role, absl::string_view name, uint32_t row);
// Rows of the columns; 0 if there are none.
uint32_t RowsOf(const ColumnSet& columns);

// InvalidArgument (COLUMN_INVALID) if a vector has the wrong length, a code or end points outside, a scale is past 38
// or the order of the set is wrong; then nothing may read it. For what is built by hand; what this folder makes is
// right.
absl::Status CheckColumns(const ColumnSet& columns);

}  // namespace chartly

#endif  // CHARTLY_COMMON_CHUNK_COLUMN_DATA_H_
