// A sealed chunk: up to kMaxChunkRows rows of one profile as one value, column by column, each column encoded and
// compressed by itself in the way that suits its values. docs/formats/chunk.md gives the layout.
//
// SealChunk makes one, ChunkReader reads one. All is lossless to the bit: decimals keep their scale, floats every bit,
// timestamps their offset. The same columns give the same bytes on every machine with the same zstd release.
#ifndef CHARTLY_COMMON_CHUNK_CHUNK_H_
#define CHARTLY_COMMON_CHUNK_CHUNK_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/chunk/chunk_scratch.h"
#include "common/chunk/column_data.h"
#include "common/chunk/exact_sum.h"

namespace chartly {

// Bound of the decoded texts of one column of a chunk, in bytes.
inline constexpr size_t kMaxColumnHeapBytes = size_t{128} << 20;
// Texts in footers are cut at that many bytes.
inline constexpr size_t kMaxStatsTextBytes = 64;

// What the footer says of the values of a column.
struct ColumnStats {
  uint32_t nulls = 0;
  // Smallest and largest in the order of CompareValues, null if there are no values. Of a text only the first
  // kMaxStatsTextBytes, and then `max_cut` says that longer texts follow it.
  Value min;
  Value max;
  bool max_cut = false;
  // Exact sum of integers or decimals, at the largest scale of the column; nothing if it does not fit into 128 bits.
  std::optional<Decimal> sum;
  // Exact sum of floats; nothing if a partial sum is not finite.
  std::optional<ExactSum> float_sum;

  // Whether a value from `low` to `high` (both included) may be in the column; null as a bound is none.
  bool MayHold(const Value& low, const Value& high) const;
};

struct ChunkColumn {
  Role role = Role::kDim;
  std::string name;
  ValueType type = ValueType::kNull;
  uint32_t encoded_bytes = 0;
  ColumnStats stats;
};

struct ChunkOptions {
  // Names of the key dims in the order of the profile's key (sorted; all dims if empty): goes into the footer, with the
  // keys of the first and last row as SortKeyEncoder gives them.
  std::vector<std::string> key;
};

// The bytes of a chunk. Rows stay in their order, which the caller has sorted. InvalidArgument (COLUMN_INVALID) if the
// columns do not pass CheckColumns, ResourceExhausted (CHUNK_TOO_LARGE) if there are too many rows or a column has more
// text than kMaxColumnHeapBytes: the caller must seal fewer rows.
absl::StatusOr<std::string> SealChunk(const ColumnSet& columns, const ChunkOptions& options);

// Reads a chunk; the bytes must outlive it. A const reader may be used from several threads, each with its own scratch.
class ChunkReader {
 public:
  // Reads and checks the footer, not the columns. DataLoss (CHUNK_CORRUPT) if anything is off.
  static absl::StatusOr<ChunkReader> Open(absl::string_view bytes);

  uint32_t rows() const { return rows_; }
  const std::vector<ChunkColumn>& columns() const { return columns_; }
  const std::vector<std::string>& key() const { return key_; }
  // Keys of the first and of the last row; empty if there are no rows.
  const std::string& first_key() const { return first_key_; }
  const std::string& last_key() const { return last_key_; }
  // Index of the column of that role, name and type.
  std::optional<size_t> Find(Role role, absl::string_view name, ValueType type) const;
  // Indexes of the columns of that field, one a type.
  std::vector<size_t> Find(Role role, absl::string_view name) const;

  // Decodes one column; its checksum is checked. DataLoss (CHUNK_CORRUPT) if anything is off, and then `out` is empty.
  // Never reads out of bounds and takes at most kMaxColumnHeapBytes and a few MiB, whatever the bytes are.
  absl::Status Decode(size_t column, ColumnData& out, ChunkScratch& scratch) const;
  // The columns of these indexes in their order.
  absl::StatusOr<ColumnSet> Decode(const std::vector<size_t>& columns) const;
  absl::StatusOr<ColumnSet> DecodeAll() const;

 private:
  friend class FooterReader;
  struct Place {
    uint32_t offset = 0;
    uint32_t checksum = 0;
  };
  absl::Status DecodeSource(absl::string_view bytes, ColumnData& out, ChunkScratch& scratch) const;
  absl::string_view bytes_;
  uint32_t rows_ = 0;
  std::vector<ChunkColumn> columns_;
  std::vector<Place> places_;
  std::vector<std::string> key_;
  std::string first_key_;
  std::string last_key_;
};

}  // namespace chartly

#endif  // CHARTLY_COMMON_CHUNK_CHUNK_H_
