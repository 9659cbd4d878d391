#include "control/aggregator/part_merge.h"

#include <algorithm>
#include <memory>
#include <optional>
#include <thread>
#include <utility>

#include "common/chunk/batch_columns.h"
#include "common/chunk/column_ids.h"
#include "common/chunk/row_order.h"
#include "common/chunk/sort_key.h"
#include "common/status/status.h"
#include "common/telemetry/metrics.h"
#include "control/aggregator/chunk_maker.h"
#include "control/aggregator/chunk_metas.h"
#include "control/aggregator/part_writer.h"
#include "control/aggregator/record_block.h"
#include "control/aggregator/turns.h"

namespace chartly::aggregator {
namespace {

constexpr size_t kRowsAStep = 65536;

absl::Status Stopped() { return absl::CancelledError("the store is stopping"); }

std::vector<std::string> KeyOf(const PartMeta& meta) { return {meta.key().begin(), meta.key().end()}; }

// Walks through a part in order.
class PartCursor {
 public:
  PartCursor(const RecordReader& view, PartPtr part) : view_(view), part_(std::move(part)), key_(KeyOf(part_->meta)) {}

  bool done() const { return next_chunk_ > static_cast<uint32_t>(part_->meta.chunks_size()); }
  // Whether all rows of the chunk under way were taken; then its columns are read no more, and Load comes next.
  bool spent() const { return row_ >= RowsOf(columns_); }
  const ColumnSet& columns() const { return columns_; }
  uint32_t row() const { return row_; }
  bool Before(const PartCursor& other) const { return Before(sort_key_, location_, other); }
  // How many rows of the chunk, from this one on, come before the row of the other (all, if there is none), at most
  // `most`. Looks at few of them. Requires: this row does.
  uint32_t CountBefore(const PartCursor* other, uint32_t most) {
    // Deleted rows are passed over one by one.
    if (part_->meta.deleted_size() > 0) return 1;
    const uint32_t end = std::min(RowsOf(columns_) - row_, most) + row_;
    if (other == nullptr) return end - row_;
    uint32_t before = row_;
    uint32_t step = 1;
    for (; step < end - before && RowBefore(before + step, *other); step *= 2) before += step;
    uint32_t behind = before + std::min(step, end - before);
    while (behind - before > 1) {
      const uint32_t middle = before + (behind - before) / 2;
      (RowBefore(middle, *other) ? before : behind) = middle;
    }
    return before + 1 - row_;
  }
  const PartPtr& part() const { return part_; }
  uint32_t chunk() const { return next_chunk_ - 1; }

  // The next chunk, or the end.
  absl::Status Load() {
    encoder_.reset();
    columns_.clear();
    row_ = 0;
    if (next_chunk_++ == static_cast<uint32_t>(part_->meta.chunks_size())) return absl::OkStatus();
    ASSIGN_OR_RETURN(columns_, ReadSealedColumns(view_, *part_, chunk()));
    encoder_.emplace(columns_, key_);
    batches_ = &SystemColumn(columns_, kBatchColumn);
    numbers_ = &SystemColumn(columns_, kRowColumn);
    Look();
    return absl::OkStatus();
  }
  void Skip(uint32_t rows) {
    row_ += rows;
    Look();
  }

 private:
  // At the next row that is not deleted, if the chunk has one.
  void Look() {
    const PartMeta& meta = part_->meta;
    if (meta.deleted_size() > 0) {
      while (!spent() && IsDeleted(meta, LocationChunk(Location(row_)))) ++row_;
    }
    if (spent()) return;
    sort_key_.clear();
    encoder_->Append(row_, sort_key_);
    location_ = Location(row_);
  }
  RowLocation Location(uint32_t row) const {
    return MakeLocation(static_cast<uint64_t>((*batches_)[row]), static_cast<uint32_t>((*numbers_)[row]));
  }
  static bool Before(const std::string& key, RowLocation location, const PartCursor& other) {
    const int order = key.compare(other.sort_key_);
    return order != 0 ? order < 0 : location < other.location_;
  }
  bool RowBefore(uint32_t row, const PartCursor& other) {
    probe_.clear();
    encoder_->Append(row, probe_);
    return Before(probe_, Location(row), other);
  }

  const RecordReader& view_;
  const PartPtr part_;
  const std::vector<std::string> key_;
  uint32_t next_chunk_ = 0;
  ColumnSet columns_;
  std::optional<SortKeyEncoder> encoder_;
  const std::vector<int64_t>* batches_ = nullptr;  // of the columns
  const std::vector<int64_t>* numbers_ = nullptr;
  uint32_t row_ = 0;
  std::string probe_;
  std::string sort_key_;
  RowLocation location_ = 0;
};

}  // namespace

// Batches in memory.
struct PartMerge::Sources {
  std::vector<std::string> key;
  std::vector<uint64_t> batches;
  std::vector<RowSet> stored;
  std::vector<ColumnSet> columns;
  std::vector<std::shared_ptr<const RecordIds>> ids;
  std::map<uint64_t, ChunkMeta> metas;  // that lack an origin
  uint64_t rows = 0;
  size_t bytes = 0;
};

// Of neighbouring batches with the same key, as many as belong into a part and fit into memory.
absl::Status PartMerge::Load(const RecordReader& view, const std::string& profile_id, Sources& sources) const {
  return view.ScanUnsealed(profile_id, 0, [&](uint64_t id, const ChunkMeta& meta) -> absl::StatusOr<bool> {
    if (stop_()) return Stopped();
    bool full = sources.rows + meta.stored() > options_.seal_rows || sources.bytes >= options_.seal_bytes;
    if (!sources.batches.empty() && full) return false;
    absl::StatusOr<std::string> bytes = view.ChunkBatch(id);
    absl::StatusOr<Batch> batch = bytes.ok() ? Batch::Parse(*bytes) : bytes.status();
    // A damaged batch has no place in a part; what is behind it makes another one.
    if (!batch.ok()) return sources.batches.empty();
    std::vector<std::string> key(batch->header().key().begin(), batch->header().key().end());
    if (sources.batches.empty()) sources.key = key;
    if (key != sources.key) return false;
    sources.batches.push_back(id);
    sources.stored.push_back(StoredRows(meta));
    sources.columns.push_back(ColumnsOfBatch(*batch, id));
    sources.ids.push_back(IdsOf(*batch, id));
    sources.rows += meta.stored();
    for (const ColumnData& column : sources.columns.back()) sources.bytes += column.MemoryBytes() + sizeof(ColumnData);
    if (meta.has_origin()) return true;
    SetOrigin(batch->header(), sources.metas[id] = meta);
    return true;
  });
}

// Those with which it was decided what is new, if they are still there.
std::shared_ptr<const RecordIds> PartMerge::IdsOf(const Batch& batch, uint64_t id) const {
  const UnsealedBatches::BatchPtr known = unsealed_ == nullptr ? nullptr : unsealed_->Find(id);
  if (known != nullptr && known->ids()->ids.size() == batch.rows()) return known->ids();
  return std::make_shared<const RecordIds>(ComputeRecordIds(batch));
}

absl::StatusOr<Part> PartMerge::WriteSorted(const std::string& profile_id, const Sources& sources) {
  std::vector<RowRef> rows;
  rows.reserve(sources.rows);
  for (uint32_t source = 0; source < sources.batches.size(); ++source) {
    sources.stored[source].ForEach(0, [&](uint32_t row) {
      rows.push_back({source, row});
      return true;
    });
  }
  OrderRows(sources.columns, sources.key, rows);
  if (stop_()) return Stopped();
  PartMeta meta;
  meta.set_profile_id(profile_id);
  meta.set_first_batch(sources.batches.front());
  meta.set_last_batch(sources.batches.back());
  *meta.mutable_key() = {sources.key.begin(), sources.key.end()};
  const bool with_ids = HasRoomForIds(rows.size());
  PartWriter writer(store_, std::move(meta), rows.size(), with_ids);
  RETURN_IF_ERROR(WriteChunks(sources, rows, with_ids, writer));
  return writer.Finish();
}

// Several threads make chunks, each of rows of its own, and write them in their turns.
absl::Status PartMerge::WriteChunks(const Sources& sources, absl::Span<const RowRef> rows, bool with_ids,
                                    PartWriter& writer) {
  std::vector<const ColumnSet*> columns;
  std::vector<const RecordIds*> ids;
  for (const ColumnSet& set : sources.columns) columns.push_back(&set);
  for (const auto& of_batch : sources.ids) ids.push_back(of_batch.get());
  const size_t slice_rows = options_.chunk_rows;
  const size_t slices = (rows.size() + slice_rows - 1) / slice_rows;
  Turns turns(slices);
  const PartMeta part = writer.meta();  // which changes with each chunk
  auto work = [&] {
    ChunkMaker maker(part, options_.chunk_rows, with_ids);
    std::vector<MadeChunk> made;
    auto keep = [&made](MadeChunk chunk) {
      made.push_back(std::move(chunk));
      return absl::OkStatus();
    };
    while (std::optional<size_t> slice = turns.Take()) {
      absl::Status status = stop_() ? Stopped() : absl::OkStatus();
      if (status.ok()) status = maker.Append(columns, rows.subspan(*slice * slice_rows, slice_rows), ids, keep);
      if (status.ok()) status = maker.Finish(keep);
      if (!turns.Await(*slice)) return;
      for (MadeChunk& chunk : made) {
        if (status.ok()) status = writer.Add(std::move(chunk));
      }
      made.clear();
      turns.End(status);
    }
  };
  std::vector<std::thread> others;
  for (size_t i = 1; i < std::min<size_t>(slices, options_.seal_threads); ++i) {
    others.emplace_back([&work, tenant = MetricTenant::Current()] {
      const MetricTenant metrics(tenant);
      work();
    });
  }
  work();
  for (std::thread& other : others) other.join();
  return turns.status();
}

absl::StatusOr<Sealed> PartMerge::SealBatches(const std::string& profile_id) {
  std::unique_ptr<RecordReader> view = store_.View();
  Sources sources;
  RETURN_IF_ERROR(Load(*view, profile_id, sources));
  Sealed sealed;
  sealed.profile_id = profile_id;
  if (sources.batches.empty()) return sealed;
  ASSIGN_OR_RETURN(Part part, WriteSorted(profile_id, sources));
  sealed.rows = part.meta.rows();
  sealed.batches = sources.batches;
  Seal seal;
  seal.part = std::move(part);
  seal.batches = std::move(sources.batches);
  seal.metas = std::move(sources.metas);
  RETURN_IF_ERROR(Install(std::move(seal)));
  return sealed;
}

// What was written for nothing goes at once.
absl::Status PartMerge::Install(Seal seal) {
  const uint64_t id = seal.part.meta.id();
  absl::Status sealed = store_.SealPart(std::move(seal));
  if (absl::IsAborted(sealed)) RETURN_IF_ERROR(store_.RemovePart(id));
  return sealed;
}

int PartMerge::Tier(uint64_t rows) const {
  int tier = 0;
  for (uint64_t size = options_.seal_rows / 2; size <= rows; size *= static_cast<uint64_t>(options_.width)) ++tier;
  return tier;
}

absl::StatusOr<PartList> PartMerge::Choose(const std::string& profile_id, const std::set<uint64_t>& damaged) const {
  PartList parts = store_.Parts(profile_id);
  auto with_deleted = std::find_if(parts.begin(), parts.end(), [&](const PartPtr& part) {
    return part->meta.deleted_size() > 0 && damaged.count(part->meta.id()) == 0;
  });
  if (with_deleted != parts.end()) return PartList{*with_deleted};
  auto width = static_cast<size_t>(options_.width);
  for (size_t begin = 0; begin + width <= parts.size(); ++begin) {
    PartList chosen(parts.begin() + static_cast<ptrdiff_t>(begin),
                    parts.begin() + static_cast<ptrdiff_t>(begin + width));
    int tier = Tier(chosen[0]->meta.rows());
    uint64_t rows = 0;
    bool alike = true;
    for (const PartPtr& part : chosen) {
      rows += part->meta.rows();
      alike = alike && Tier(part->meta.rows()) == tier && KeyOf(part->meta) == KeyOf(chosen[0]->meta);
    }
    if (!alike || rows > options_.part_rows) continue;
    // A damaged batch that could not be sealed may lie between them.
    bool between = false;
    uint64_t last = chosen.back()->meta.last_batch();
    RETURN_IF_ERROR(store_.ScanUnsealed(profile_id, chosen[0]->meta.first_batch(),
                                        [&](uint64_t id, const ChunkMeta&) -> absl::StatusOr<bool> {
                                          between = id < last;
                                          return false;
                                        }));
    if (!between) return chosen;
  }
  return PartList();
}

absl::StatusOr<Part> PartMerge::WriteMerged(const RecordReader& view, const PartList& parts) {
  PartMeta meta = parts.front()->meta;
  meta.set_last_batch(parts.back()->meta.last_batch());
  uint64_t rows = 0;
  std::vector<std::unique_ptr<PartCursor>> cursors;
  std::vector<const ColumnSet*> columns;
  for (const PartPtr& part : parts) {
    rows += part->meta.rows() - part->meta.deleted_rows();
    cursors.push_back(std::make_unique<PartCursor>(view, part));
    columns.push_back(&cursors.back()->columns());
  }
  const bool with_ids = HasRoomForIds(rows, parts);
  PartWriter writer(store_, std::move(meta), rows, with_ids);
  ChunkMaker maker(writer.meta(), options_.chunk_rows, with_ids);
  auto write = [&writer](MadeChunk chunk) { return writer.Add(std::move(chunk)); };
  std::vector<RowRef> order;
  // Rows refer to the chunks under way, so they are written before one of these goes.
  auto load_spent = [&]() -> absl::Status {
    if (stop_()) return Stopped();
    RETURN_IF_ERROR(maker.Append(columns, order, {}, write));
    order.clear();
    for (auto& cursor : cursors) {
      while (!cursor->done() && cursor->spent()) {
        absl::Status loaded = cursor->Load();
        if (absl::IsDataLoss(loaded)) store_.SetAside(cursor->part()->meta.id(), cursor->chunk(), loaded);
        RETURN_IF_ERROR(loaded);
      }
    }
    return absl::OkStatus();
  };
  RETURN_IF_ERROR(load_spent());
  for (;;) {
    constexpr uint32_t kNone = UINT32_MAX;
    uint32_t least = kNone;
    uint32_t next = kNone;  // the least of the others
    for (uint32_t i = 0; i < cursors.size(); ++i) {
      if (cursors[i]->done()) continue;
      if (least == kNone || cursors[i]->Before(*cursors[least])) {
        next = std::exchange(least, i);
      } else if (next == kNone || cursors[i]->Before(*cursors[next])) {
        next = i;
      }
    }
    if (least == kNone) break;
    PartCursor& cursor = *cursors[least];
    const uint32_t count = cursor.CountBefore(next == kNone ? nullptr : cursors[next].get(),
                                              static_cast<uint32_t>(kRowsAStep - order.size()));
    for (uint32_t i = 0; i < count; ++i) order.push_back({least, cursor.row() + i});
    cursor.Skip(count);
    if (cursor.spent() || order.size() >= kRowsAStep) RETURN_IF_ERROR(load_spent());
  }
  RETURN_IF_ERROR(maker.Finish(write));
  return writer.Finish();
}

absl::StatusOr<std::shared_ptr<const PartFilter>> PartMerge::MakeFilter(const Part& part) {
  std::unique_ptr<RecordReader> view = store_.View();
  auto filter = std::make_shared<PartFilter>(part.meta.rows());
  for (uint32_t index = 0; index < static_cast<uint32_t>(part.meta.chunks_size()); ++index) {
    if (stop_()) return Stopped();
    absl::StatusOr<ColumnSet> columns = ReadSealedKeys(*view, part, index);
    // Records without dims have a key, too.
    if (columns.ok() && columns->empty()) columns = ReadSealedColumns(*view, part, index);
    if (absl::IsDataLoss(columns.status())) {
      store_.SetAside(part.meta.id(), index, columns.status());
      continue;
    }
    RETURN_IF_ERROR(columns.status());
    filter->Add(ComputeRecordKeys(*columns, part.meta.profile_id(), KeyOf(part.meta)));
  }
  return std::shared_ptr<const PartFilter>(std::move(filter));
}

absl::StatusOr<std::shared_ptr<const IdFilters>> PartMerge::MakeIds(const Part& part) {
  std::unique_ptr<RecordReader> view = store_.View();
  auto ids = std::make_shared<IdFilters>();
  for (uint32_t index = 0; index < static_cast<uint32_t>(part.meta.chunks_size()); ++index) {
    if (stop_()) return Stopped();
    absl::StatusOr<ColumnSet> columns = ReadSealedColumns(*view, part, index);
    if (absl::IsDataLoss(columns.status())) {
      store_.SetAside(part.meta.id(), index, columns.status());
      ids->AddUnknownChunk();
      continue;
    }
    RETURN_IF_ERROR(columns.status());
    ids->AddChunk(IdFilters::OfChunk(ComputeRecordIds(*columns, part.meta.profile_id(), KeyOf(part.meta)).ids));
  }
  return std::shared_ptr<const IdFilters>(std::move(ids));
}

bool PartMerge::HasRoomForIds(uint64_t rows, const PartList& replaced) const {
  size_t bytes = IdFilters::BytesFor(rows);
  for (const auto& [profile_id, parts] : store_.AllParts()) {
    for (const PartPtr& part : parts) bytes += part->ids == nullptr ? 0 : part->ids->bytes();
  }
  for (const PartPtr& part : replaced) bytes -= part->ids == nullptr ? 0 : part->ids->bytes();
  return bytes <= options_.id_bytes;
}

absl::StatusOr<Sealed> PartMerge::MergeParts(const PartList& parts) {
  std::unique_ptr<RecordReader> view = store_.View();
  ASSIGN_OR_RETURN(Part part, WriteMerged(*view, parts));
  Sealed sealed;
  sealed.profile_id = part.meta.profile_id();
  Seal seal;
  for (const PartPtr& old : parts) {
    sealed.parts.push_back(old->meta.id());
    seal.deleted_rows += old->meta.deleted_rows();
  }
  seal.part = std::move(part);
  seal.parts = sealed.parts;
  RETURN_IF_ERROR(Install(std::move(seal)));
  return sealed;
}

}  // namespace chartly::aggregator
