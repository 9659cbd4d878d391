// Records as the aggregator gives them: a batch as it came, or a sealed chunk, of which only the columns asked for are
// decoded. Not thread-safe; the bytes must outlive it.
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

// One column of either. Cheap to copy; valid while its rows live.
class FieldColumn {
 public:
  explicit FieldColumn(const BatchColumn* column) : column_(column) {}
  explicit FieldColumn(const ColumnData* data) : data_(data) {}
  ValueType type() const { return data_ == nullptr ? column_->type() : data_->type; }
  bool IsNull(uint32_t row) const { return data_ == nullptr ? column_->IsNull(row) : data_->IsNull(row); }
  // The value; null if IsNull.
  Value Get(uint32_t row) const { return data_ == nullptr ? column_->Get(row) : data_->Get(row); }
  // Requires: a text that is not null.
  absl::string_view Text(uint32_t row) const { return data_ == nullptr ? column_->Text(row) : data_->Text(row); }
  // Requires: a number that is not null.
  double AsDouble(uint32_t row) const { return data_ == nullptr ? column_->AsDouble(row) : data_->AsDouble(row); }
  // Distinct entries, and the entry of a row; 0 entries if it has no dictionary.
  uint32_t entries() const;
  uint32_t EntryOf(uint32_t row) const { return data_ == nullptr ? column_->DictionaryIndex(row) : data_->codes[row]; }
  Value EntryValue(uint32_t entry) const {
    return data_ == nullptr ? column_->DictionaryValue(entry) : Value::Text(data_->Entry(entry));
  }

 private:
  const BatchColumn* column_ = nullptr;
  const ColumnData* data_ = nullptr;
};

class RecordRows {
 public:
  // DataLoss (BATCH_CORRUPT, CHUNK_CORRUPT) if the bytes are damaged, or the bitmap is short.
  static absl::StatusOr<RecordRows> Parse(const RecordPiece& piece);

  uint32_t rows() const { return batch_.has_value() ? batch_->rows() : reader_->rows(); }
  bool IsCurrent(uint32_t row) const {
    return current_.empty() || (static_cast<uint8_t>(current_[row / 8]) >> (row % 8) & 1) != 0;
  }
  // Each field, once for each of its types.
  void ForEachField(absl::FunctionRef<void(Role role, const std::string& name)> visit) const;
  // The columns of a field, one a type. A damaged column is left out, which status() tells.
  std::vector<FieldColumn> Find(Role role, absl::string_view name) const;
  const absl::Status& status() const { return status_; }

 private:
  RecordRows() = default;
  std::optional<Batch> batch_;
  std::optional<ChunkReader> reader_;
  absl::string_view current_;
  mutable std::map<size_t, std::unique_ptr<ColumnData>> decoded_;
  mutable absl::Status status_;
};

}  // namespace chartly::reporter

#endif  // CHARTLY_CONTROL_REPORTER_RECORD_ROWS_H_
