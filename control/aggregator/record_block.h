// Records with their columns, wherever they lie: in a batch as it arrived or in a sealed chunk. What questions,
// look-ups and merges read.
#ifndef CHARTLY_CONTROL_AGGREGATOR_RECORD_BLOCK_H_
#define CHARTLY_CONTROL_AGGREGATOR_RECORD_BLOCK_H_

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "common/batch/record_id.h"
#include "common/chunk/chunk.h"
#include "common/chunk/column_data.h"
#include "control/aggregator/chunk_metas.h"
#include "control/aggregator/dedupe_index.h"
#include "control/aggregator/record_store.h"

namespace chartly::aggregator {

// Not thread-safe, for it decodes columns and looks descriptions of batches up when they are asked for.
class RecordBlock {
 public:
  // What all its rows have in common.
  struct Source {
    std::string profile_id;
    std::vector<std::string> key;  // the dims that identify a record; all if empty
    // Of a sealed chunk, whose rows are in order of the key: the batches that are read.
    bool sealed = false;
    uint64_t first_batch = 0;
    uint64_t last_batch = 0;
  };

  // A sealed chunk of which only the system columns are decoded so far.
  struct Chunk {
    std::shared_ptr<const std::string> bytes;
    std::shared_ptr<const ChunkReader> reader;
    ColumnSet system;
  };

  // `columns` with the system columns; `rows`: those of them that are meant. `metas` must outlive the block.
  RecordBlock(Source source, ColumnSet columns, RowSet rows, ChunkMetas& metas);
  RecordBlock(Source source, Chunk chunk, RowSet rows, ChunkMetas& metas);
  RecordBlock(RecordBlock&&) = default;

  const Source& source() const { return source_; }
  // Decodes what is not decoded yet; before that only rows, locations and descriptions may be asked for. DataLoss if
  // the chunk is damaged.
  absl::Status Load() const;
  bool loaded() const { return chunk_.reader == nullptr || !columns_.empty(); }
  // What the last Load or Decode failed with.
  const absl::Status& status() const { return status_; }
  const ColumnSet& columns() const { return columns_; }
  // Only the columns of these fields, of a block that is not loaded.
  absl::StatusOr<ColumnSet> Decode(const std::vector<std::pair<Role, std::string>>& fields) const;
  // Whether some row may have the field.
  bool HasField(Role role, const std::string& name) const;
  // Of a sealed chunk; else empty.
  absl::string_view chunk_bytes() const { return chunk_.bytes == nullptr ? absl::string_view() : *chunk_.bytes; }
  const RowSet& rows() const { return rows_; }
  // Leaves the rows before this one out.
  void KeepFrom(uint32_t row);
  // Rows in the columns.
  uint32_t size() const { return static_cast<uint32_t>(batches_->size()); }

  // The batch and row that row number `row` has for ever.
  RowLocation Location(uint32_t row) const {
    return MakeLocation(static_cast<uint64_t>((*batches_)[row]), static_cast<uint32_t>((*numbers_)[row]));
  }
  // The batch that the row came in. Valid until the next call.
  const ChunkMeta& Meta(uint32_t row) const { return metas_.Of(static_cast<uint64_t>((*batches_)[row])); }
  // One-based page and row of the payload; 0 if that is not known.
  uint32_t SourcePage(uint32_t row) const { return NumberIn(source_pages_, row); }
  uint32_t SourceRow(uint32_t row) const { return NumberIn(source_rows_, row); }
  // Ids of all its rows; of some, in their order.
  RecordIds Ids() const;
  RecordIds Ids(const std::vector<uint32_t>& rows) const;

 private:
  static uint32_t NumberIn(const ColumnData* column, uint32_t row) {
    return column == nullptr || column->IsNull(row) ? 0 : static_cast<uint32_t>(column->integers[row]);
  }
  Source source_;
  void FindSources() const;

  Chunk chunk_;
  mutable ColumnSet columns_;
  mutable absl::Status status_;
  RowSet rows_;
  ChunkMetas& metas_;
  const std::vector<int64_t>* batches_;
  const std::vector<int64_t>* numbers_;
  mutable const ColumnData* source_pages_ = nullptr;
  mutable const ColumnData* source_rows_ = nullptr;
};

// Whether it is one that records have: dims, measures and attrs.
inline bool IsField(Role role) { return role == Role::kDim || role == Role::kMeasure || role == Role::kAttr; }
// The columns of a field, one a type.
std::vector<const ColumnData*> FindField(const ColumnSet& columns, Role role, absl::string_view name);
// The integers of a system column. Requires: it is in the set.
const std::vector<int64_t>& SystemColumn(const ColumnSet& columns, absl::string_view name);
// Requires: the columns have system columns.
RowLocation LocationOf(const ColumnSet& columns, uint32_t row);

// The bytes of a sealed chunk, whose footer is checked. DataLoss if it is damaged; then the caller sets it aside.
absl::StatusOr<std::string> ReadSealedBytes(const RecordReader& store, const Part& part, uint32_t index);
// A sealed chunk with its system columns. DataLoss if it is damaged; then the caller sets it aside.
absl::StatusOr<RecordBlock::Chunk> OpenSealedChunk(const RecordReader& store, const Part& part, uint32_t index);
// All rows of a sealed chunk. DataLoss if it is damaged; then the caller sets it aside.
absl::StatusOr<ColumnSet> ReadSealedColumns(const RecordReader& store, const Part& part, uint32_t index);
// Only its key dims.
absl::StatusOr<ColumnSet> ReadSealedKeys(const RecordReader& store, const Part& part, uint32_t index);
// The same as the first, but no columns if no row of the chunk is of that batch.
absl::StatusOr<ColumnSet> ReadSealedRows(const RecordReader& store, const Part& part, uint32_t index, uint64_t batch);

}  // namespace chartly::aggregator

#endif  // CHARTLY_CONTROL_AGGREGATOR_RECORD_BLOCK_H_
