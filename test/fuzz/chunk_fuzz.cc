// A sealed chunk with any content. The first bytes choose the type and the rows of a column, whose bytes the rest is:
// no input would get past the checksums. What can be read must be sound, and the same after sealing it anew.
#include <bit>

#include "common/chunk/chunk.h"
#include "common/chunk/column_codec.h"
#include "common/chunk/text_entries.h"
#include "test/fuzz/decode_twice.h"

namespace chartly {
namespace {

// A NaN of a float column has no value to compare, but bits.
bool Same(const ColumnData& a, const ColumnData& b, uint32_t row) {
  if (a.IsNull(row) || b.IsNull(row)) return a.IsNull(row) == b.IsNull(row);
  if (a.type == ValueType::kFloat) {
    return std::bit_cast<uint64_t>(a.floats[row]) == std::bit_cast<uint64_t>(b.floats[row]);
  }
  return a.Get(row) == b.Get(row);
}

// One text a row: only the order of entries is not checked when they are read, since nothing can go wrong without it.
ColumnData WithoutCodes(ColumnData column) {
  if (!column.codes.empty()) ExpandEntries(column);
  return column;
}

void CheckColumn(const ColumnData& column) {
  const ColumnData ordered = WithoutCodes(column);
  FUZZ_CHECK(CheckColumns({ordered}).ok());
  absl::StatusOr<std::string> chunk = SealChunk({ordered}, {});
  if (!chunk.ok()) return;
  absl::StatusOr<ColumnSet> again = ChunkReader::Open(*chunk)->DecodeAll();
  FUZZ_CHECK(again.ok());
  for (uint32_t row = 0; row < column.rows; ++row) FUZZ_CHECK(Same(column, again->front(), row));
}

}  // namespace

FUZZ_TARGET(chunk) {
  absl::StatusOr<ChunkReader> reader = ChunkReader::Open(input);
  if (reader.ok()) reader->DecodeAll().IgnoreError();
  ColumnData column;
  column.name = "c";
  column.type = static_cast<ValueType>(1 + fuzz::TakeChoice(input, 7));
  column.rows = 1 + static_cast<uint32_t>(fuzz::TakeChoice(input, 256));
  if (fuzz::TakeChoice(input, 2) == 1) column.rows *= 20;
  const bool has_nulls = fuzz::TakeChoice(input, 2) == 1;
  const auto nulls = has_nulls ? static_cast<uint32_t>(fuzz::TakeChoice(input, 256)) : 0;
  ChunkScratch scratch;
  if (nulls <= column.rows && DecodeColumn(input, nulls, column, scratch)) CheckColumn(column);
}

}  // namespace chartly
