#include "control/aggregator/chunk_maker.h"

#include <algorithm>
#include <utility>

#include "common/chunk/column_ids.h"
#include "common/chunk/sort_key.h"
#include "common/status/status.h"

namespace chartly::aggregator {
namespace {

// A chunk of large rows is cut early, so that reading one stays within bounds.
constexpr size_t kMaxChunkBytes = size_t{32} << 20;

}  // namespace

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

ChunkMaker::ChunkMaker(const PartMeta& part, uint32_t chunk_rows, bool with_ids)
    : profile_id_(part.profile_id()),
      key_(part.key().begin(), part.key().end()),
      chunk_rows_(std::min(chunk_rows, kMaxChunkRows)),
      with_ids_(with_ids) {}

absl::Status ChunkMaker::Append(absl::Span<const ColumnSet* const> sources, absl::Span<const RowRef> rows,
                                absl::Span<const RecordIds* const> ids, Take take) {
  ids_known_ = !ids.empty();
  while (!rows.empty()) {
    const size_t taken = gatherer_.AppendUpTo(chunk_rows_, kMaxChunkBytes, sources, rows);
    if (ids_known_) TakeIds(rows.first(taken), ids);
    rows.remove_prefix(taken);
    if (gatherer_.rows() < chunk_rows_ && gatherer_.bytes() < kMaxChunkBytes) continue;
    RETURN_IF_ERROR(Finish(take));
  }
  return absl::OkStatus();
}

absl::Status ChunkMaker::Finish(Take take) {
  if (gatherer_.rows() == 0) return absl::OkStatus();
  ASSIGN_OR_RETURN(MadeChunk chunk, Make());
  return take(std::move(chunk));
}

void ChunkMaker::TakeIds(absl::Span<const RowRef> rows, absl::Span<const RecordIds* const> ids) {
  for (const RowRef& at : rows) keys_.push_back(ids[at.source]->keys[at.row]);
  if (!with_ids_) return;
  for (const RowRef& at : rows) ids_.push_back(ids[at.source]->ids[at.row]);
}

void ChunkMaker::FillIds(const ColumnSet& columns, MadeChunk& chunk) {
  RecordIds ids{std::exchange(ids_, {}), std::exchange(keys_, {})};
  if (!ids_known_ && with_ids_) ids = ComputeRecordIds(columns, profile_id_, key_);
  if (!ids_known_ && !with_ids_) ids.keys = ComputeRecordKeys(columns, profile_id_, key_);
  if (with_ids_) chunk.id_filter = IdFilters::OfChunk(ids.ids);
  chunk.keys = std::move(ids.keys);
}

absl::StatusOr<MadeChunk> ChunkMaker::Make() {
  MadeChunk chunk;
  ColumnSet columns = gatherer_.Take();
  ASSIGN_OR_RETURN(chunk.bytes, SealChunk(columns, {key_}));
  FillIds(columns, chunk);
  ASSIGN_OR_RETURN(ChunkReader reader, ChunkReader::Open(chunk.bytes));
  std::map<std::string, DimRange> ranges;
  for (const ChunkColumn& column : reader.columns()) AddRange(column, ranges);
  chunk.meta.set_first_key(reader.first_key());
  chunk.meta.set_rows(RowsOf(columns));
  chunk.meta.set_size_bytes(static_cast<int64_t>(chunk.bytes.size()));
  for (auto& [name, range] : ranges) *chunk.meta.add_ranges() = std::move(range);
  gatherer_.Reuse(std::move(columns));
  return chunk;
}

void ChunkMaker::AddRange(const ChunkColumn& column, std::map<std::string, DimRange>& ranges) const {
  const bool in_key = key_.empty() || std::find(key_.begin(), key_.end(), column.name) != key_.end();
  if (column.role != Role::kDim || !in_key || column.stats.min.is_null()) return;
  DimRange range;
  range.set_name(column.name);
  AppendSortable(column.name, column.stats.min, *range.mutable_min());
  if (!column.stats.max_cut) AppendSortable(column.name, column.stats.max, *range.mutable_max());
  Widen(range, ranges);
}

}  // namespace chartly::aggregator
