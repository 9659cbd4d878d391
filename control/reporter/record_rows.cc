#include "control/reporter/record_rows.h"

#include <algorithm>
#include <utility>

#include "common/chunk/batch_columns.h"
#include "common/status/status.h"

namespace chartly::reporter {

ColumnPool::Lease ColumnPool::Take(ValueType type) {
  if (free_.empty()) return Lease(new ColumnData, GiveBack{this});
  const auto alike = std::find_if(free_.begin(), free_.end(), [type](const auto& data) { return data->type == type; });
  if (alike != free_.end()) std::swap(*alike, free_.back());
  Lease lease(free_.back().release(), GiveBack{this});
  free_.pop_back();
  return lease;
}

absl::StatusOr<RecordRows> RecordRows::Parse(const RecordPiece& piece, ColumnPool& pool) {
  RecordRows rows(pool);
  if (piece.chunk.empty()) {
    ASSIGN_OR_RETURN(rows.batch_, Batch::Parse(piece.batch));
  } else {
    ASSIGN_OR_RETURN(rows.reader_, ChunkReader::Open(piece.chunk));
  }
  rows.current_ = piece.current;
  if (piece.current.empty() || piece.current.size() >= (rows.rows() + 7) / 8) return rows;
  return Error(absl::StatusCode::kDataLoss, "BATCH_CORRUPT", "the bitmap of current rows is shorter than the batch");
}

void RecordRows::ForEachField(absl::FunctionRef<void(Role role, const std::string& name)> visit) const {
  if (batch_.has_value()) {
    for (const BatchColumn& column : batch_->columns()) visit(column.role(), column.name());
    return;
  }
  for (const ChunkColumn& column : reader_->columns()) {
    if (column.role != Role::kSource && column.role != Role::kSystem) visit(column.role, column.name);
  }
}

std::vector<const ColumnData*> RecordRows::Find(Role role, absl::string_view name) const {
  std::vector<const ColumnData*> found;
  if (batch_.has_value()) {
    for (const BatchColumn* column : batch_->Find(role, name)) {
      ColumnPool::Lease& data = decoded_[static_cast<size_t>(column - batch_->columns().data())];
      if (data == nullptr) {
        data = pool_->Take(column->type());
        *data = ColumnOfBatch(*column, batch_->rows());
      }
      found.push_back(data.get());
    }
    return found;
  }
  for (size_t index : reader_->Find(role, name)) {
    ColumnPool::Lease& data = decoded_[index];
    if (data == nullptr) {
      ColumnPool::Lease fresh = pool_->Take(reader_->columns()[index].type);
      absl::Status decoded = reader_->Decode(index, *fresh, pool_->scratch());
      if (!decoded.ok()) status_ = decoded;
      if (!decoded.ok()) continue;
      data = std::move(fresh);
    }
    found.push_back(data.get());
  }
  return found;
}

}  // namespace chartly::reporter
