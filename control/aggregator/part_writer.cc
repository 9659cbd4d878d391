#include "control/aggregator/part_writer.h"

#include <algorithm>

#include "common/chunk/chunk.h"
#include "common/chunk/column_ids.h"
#include "common/chunk/sort_key.h"
#include "common/status/status.h"
#include "common/telemetry/metrics.h"

namespace chartly::aggregator {
namespace {

// A chunk of large rows is cut early, so that reading one stays within bounds.
constexpr size_t kMaxChunkBytes = size_t{32} << 20;

// Takes another range of the same dim in.
void Widen(const DimRange& range, std::map<std::string, DimRange>& ranges) {
  auto [known, added] = ranges.try_emplace(range.name(), range);
  if (added) return;
  DimRange& wide = known->second;
  if (range.min() < wide.min()) wide.set_min(range.min());
  if (wide.max().empty() || range.max().empty()) {
    wide.clear_max();
  } else if (range.max() > wide.max()) {
    wide.set_max(range.max());
  }
}

}  // namespace

PartWriter::PartWriter(RecordStore& store, PartMeta meta, uint64_t rows, uint32_t chunk_rows, bool with_ids)
    : store_(store), chunk_rows_(std::min(chunk_rows, kMaxChunkRows)) {
  part_.meta = std::move(meta);
  part_.meta.set_id(store.NewPartId());
  part_.meta.set_rows(0);
  part_.meta.clear_chunks();
  part_.meta.clear_deleted();
  part_.meta.set_deleted_rows(0);
  filter_ = std::make_shared<PartFilter>(rows);
  if (with_ids) ids_ = std::make_shared<IdFilters>();
  key_.assign(part_.meta.key().begin(), part_.meta.key().end());
}

absl::Status PartWriter::Append(absl::Span<const ColumnSet* const> sources, absl::Span<const RowRef> rows,
                                absl::Span<const RecordIds* const> ids) {
  ids_known_ = !ids.empty();
  while (!rows.empty()) {
    const size_t taken = gatherer_.AppendUpTo(chunk_rows_, kMaxChunkBytes, sources, rows);
    if (ids_known_) TakeIds(rows.first(taken), ids);
    rows.remove_prefix(taken);
    if (gatherer_.rows() < chunk_rows_ && gatherer_.bytes() < kMaxChunkBytes) continue;
    RETURN_IF_ERROR(WriteChunk());
  }
  return absl::OkStatus();
}

void PartWriter::TakeIds(absl::Span<const RowRef> rows, absl::Span<const RecordIds* const> ids) {
  std::vector<Hash128> keys;
  keys.reserve(rows.size());
  for (const RowRef& at : rows) keys.push_back(ids[at.source]->keys[at.row]);
  filter_->Add(keys);
  if (ids_ == nullptr) return;
  for (const RowRef& at : rows) chunk_ids_.push_back(ids[at.source]->ids[at.row]);
}

void PartWriter::FillFilters(const ColumnSet& columns) {
  if (ids_known_) {
    if (ids_ != nullptr) ids_->AddChunk(chunk_ids_);
    chunk_ids_.clear();
    return;
  }
  RecordIds ids;
  if (ids_ != nullptr) {
    ids = ComputeRecordIds(columns, part_.meta.profile_id(), key_);
    ids_->AddChunk(ids.ids);
  } else {
    ids.keys = ComputeRecordKeys(columns, part_.meta.profile_id(), key_);
  }
  filter_->Add(ids.keys);
}

absl::Status PartWriter::WriteChunk() {
  ColumnSet columns = gatherer_.Take();
  uint32_t rows = RowsOf(columns);
  ASSIGN_OR_RETURN(std::string bytes, SealChunk(columns, {key_}));
  FillFilters(columns);
  ASSIGN_OR_RETURN(ChunkReader reader, ChunkReader::Open(bytes));
  std::map<std::string, DimRange> ranges;
  for (const ChunkColumn& column : reader.columns()) AddRange(column, ranges);
  auto index = static_cast<uint32_t>(part_.meta.chunks_size());
  storage::v1::SealedChunkMeta& chunk = *part_.meta.add_chunks();
  chunk.set_first_key(reader.first_key());
  chunk.set_rows(rows);
  chunk.set_size_bytes(static_cast<int64_t>(bytes.size()));
  for (auto& [name, range] : ranges) {
    Widen(range, ranges_);
    *chunk.add_ranges() = std::move(range);
  }
  part_.meta.set_rows(part_.meta.rows() + rows);
  gatherer_.Reuse(std::move(columns));
  Count("chartly_store_sealed_bytes_total", static_cast<double>(bytes.size()));
  return store_.WriteSealedChunk(id(), index, std::move(bytes));
}

void PartWriter::AddRange(const ChunkColumn& column, std::map<std::string, DimRange>& ranges) const {
  bool in_key = key_.empty() || std::find(key_.begin(), key_.end(), column.name) != key_.end();
  if (column.role != Role::kDim || !in_key || column.stats.min.is_null()) return;
  DimRange range;
  range.set_name(column.name);
  AppendSortable(column.name, column.stats.min, *range.mutable_min());
  if (!column.stats.max_cut) AppendSortable(column.name, column.stats.max, *range.mutable_max());
  Widen(range, ranges);
}

absl::StatusOr<Part> PartWriter::Finish() {
  if (gatherer_.rows() > 0) RETURN_IF_ERROR(WriteChunk());
  part_.meta.clear_ranges();
  for (auto& [name, range] : ranges_) *part_.meta.add_ranges() = std::move(range);
  part_.filter = std::move(filter_);
  part_.ids = std::move(ids_);
  return std::move(part_);
}

}  // namespace chartly::aggregator
