// Records as the aggregator gives them, a batch as it came or a sealed chunk, as columns: only those asked for are
// decoded, each once. Not thread-safe; the bytes must outlive it.
#ifndef CHARTLY_CONTROL_REPORTER_RECORD_ROWS_H_
#define CHARTLY_CONTROL_REPORTER_RECORD_ROWS_H_

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/batch/batch.h"
#include "common/chunk/chunk.h"
#include "control/reporter/batch_source.h"

namespace chartly::reporter {

// Memory of decoded columns, which goes from one piece to the next: touching fresh pages costs as much as decoding.
// Not thread-safe.
class ColumnPool {
 public:
  struct GiveBack {
    ColumnPool* pool = nullptr;
    void operator()(ColumnData* column) const { pool->free_.emplace_back(column); }
  };
  using Lease = std::unique_ptr<ColumnData, GiveBack>;
  // A column of any content, best one that held values of that type before, which comes back when the lease ends. The
  // pool must outlive it.
  Lease Take(ValueType type);
  ChunkScratch& scratch() { return scratch_; }

 private:
  std::vector<std::unique_ptr<ColumnData>> free_;
  ChunkScratch scratch_;
};

class RecordRows {
 public:
  // DataLoss (BATCH_CORRUPT, CHUNK_CORRUPT) if the bytes are damaged, or the bitmap is short. The pool must outlive the
  // rows.
  static absl::StatusOr<RecordRows> Parse(const RecordPiece& piece, ColumnPool& pool);

  uint32_t rows() const { return batch_.has_value() ? batch_->rows() : reader_->rows(); }
  // Whether IsCurrent holds for every row.
  bool all_current() const { return current_.empty(); }
  bool IsCurrent(uint32_t row) const {
    return current_.empty() || (static_cast<uint8_t>(current_[row / 8]) >> (row % 8) & 1) != 0;
  }
  // Each field, once for each of its types.
  void ForEachField(absl::FunctionRef<void(Role role, const std::string& name)> visit) const;
  // The columns of a field, one a type; valid while the rows live. A damaged column is left out, which status() tells.
  std::vector<const ColumnData*> Find(Role role, absl::string_view name) const;
  const absl::Status& status() const { return status_; }

 private:
  explicit RecordRows(ColumnPool& pool) : pool_(&pool) {}
  ColumnPool* pool_;
  std::optional<Batch> batch_;
  std::optional<ChunkReader> reader_;
  absl::string_view current_;
  mutable std::map<size_t, ColumnPool::Lease> decoded_;  // by index of the column
  mutable absl::Status status_;
};

// Distinct entries of a text column with a dictionary; 0 if it has none.
inline uint32_t EntriesOf(const ColumnData& column) {
  return column.codes.empty() ? 0 : static_cast<uint32_t>(column.text_ends.size());
}

}  // namespace chartly::reporter

#endif  // CHARTLY_CONTROL_REPORTER_RECORD_ROWS_H_
