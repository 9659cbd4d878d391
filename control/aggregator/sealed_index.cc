#include "control/aggregator/sealed_index.h"

#include <algorithm>
#include <optional>
#include <set>

#include "common/chunk/batch_columns.h"
#include "common/chunk/column_ids.h"
#include "common/chunk/row_gatherer.h"
#include "common/chunk/sort_key.h"
#include "common/status/status.h"
#include "common/telemetry/metrics.h"
#include "control/aggregator/record_block.h"

namespace chartly::aggregator {
namespace {

// Rows whose filter blocks are fetched from memory together.
constexpr size_t kPrefetchRows = 32;

std::vector<uint32_t> MaybeThere(const Part& part, const RecordIds& ids, const std::vector<uint32_t>& rows) {
  if (part.filter == nullptr) return rows;
  std::vector<uint32_t> maybe;
  for (size_t begin = 0; begin < rows.size(); begin += kPrefetchRows) {
    size_t end = std::min(begin + kPrefetchRows, rows.size());
    for (size_t i = begin; i < end; ++i) part.filter->Prefetch(ids.keys[rows[i]]);
    for (size_t i = begin; i < end; ++i) {
      if (part.filter->MayContain(ids.keys[rows[i]])) maybe.push_back(rows[i]);
    }
  }
  return maybe;
}

// Rows of a batch that some filter did not rule out.
class Suspects {
 public:
  static absl::StatusOr<Suspects> Make(const PreparedBatch& batch, std::vector<uint32_t> rows) {
    ASSIGN_OR_RETURN(Batch parsed, Batch::Parse(batch.bytes));
    Suspects suspects;
    suspects.columns_ = std::make_unique<ColumnSet>(ColumnsOfBatch(parsed, 0, rows));
    suspects.rows_ = std::move(rows);
    suspects.key_.assign(batch.header.key().begin(), batch.header.key().end());
    suspects.encoder_ = std::make_unique<SortKeyEncoder>(*suspects.columns_, suspects.key_);
    return suspects;
  }
  std::string KeyOf(uint32_t row) const { return encoder_->Of(Place(row)); }
  // Whether all its key dims have values that may occur in the part.
  bool InRanges(const Part& part, uint32_t row) const {
    std::string bytes;
    for (const ColumnData& column : *columns_) {
      bool in_key = key_.empty() || std::find(key_.begin(), key_.end(), column.name) != key_.end();
      if (column.role != Role::kDim || !in_key || column.IsNull(Place(row))) continue;
      auto range = std::find_if(part.meta.ranges().begin(), part.meta.ranges().end(),
                                [&](const DimRange& one) { return one.name() == column.name; });
      if (range == part.meta.ranges().end()) return false;
      bytes.clear();
      AppendSortable(column.name, column.Get(Place(row)), bytes);
      if (bytes < range->min() || (!range->max().empty() && bytes > range->max())) return false;
    }
    return true;
  }

 private:
  uint32_t Place(uint32_t row) const {
    return static_cast<uint32_t>(std::lower_bound(rows_.begin(), rows_.end(), row) - rows_.begin());
  }
  std::vector<uint32_t> rows_;  // in order
  std::unique_ptr<ColumnSet> columns_;
  std::vector<std::string> key_;
  std::unique_ptr<SortKeyEncoder> encoder_;
};

}  // namespace

size_t SealedIndex::parts() const {
  size_t count = 0;
  for (const auto& [profile_id, parts] : parts_) count += parts.size();
  return count;
}

size_t SealedIndex::filter_bytes() const {
  size_t bytes = 0;
  for (const auto& [profile_id, parts] : parts_) {
    for (const PartPtr& part : parts) {
      bytes += part->filter == nullptr ? 0 : part->filter->bytes();
      bytes += part->ids == nullptr ? 0 : part->ids->bytes();
    }
  }
  return bytes;
}

bool SealedIndex::MayHaveKeysOf(const PreparedBatch& batch) const {
  auto parts = parts_.find(batch.header.profile_id());
  return parts != parts_.end() && std::any_of(parts->second.begin(), parts->second.end(), [&](const PartPtr& part) {
           return MayShareKeys(batch.ranges, part->meta);
         });
}

absl::Status SealedIndex::Find(std::vector<SealedQuestion>& questions) {
  observed_us_.clear();
  std::map<std::string, std::vector<SealedQuestion*>> by_profile;
  for (SealedQuestion& question : questions) {
    if (!question.rows.empty()) by_profile[question.batch->header.profile_id()].push_back(&question);
  }
  for (const auto& [profile_id, asked] : by_profile) {
    auto parts = parts_.find(profile_id);
    if (parts != parts_.end()) RETURN_IF_ERROR(FindInParts(parts->second, asked));
  }
  return absl::OkStatus();
}

absl::Status SealedIndex::FindInParts(const PartList& parts, const std::vector<SealedQuestion*>& questions) {
  // By part, then question: rows that its filter did not rule out.
  std::vector<std::vector<std::vector<uint32_t>>> maybe(parts.size());
  std::vector<std::set<uint32_t>> suspected(questions.size());
  for (size_t p = 0; p < parts.size(); ++p) {
    for (size_t q = 0; q < questions.size(); ++q) {
      std::vector<uint32_t>& rows = maybe[p].emplace_back();
      const PreparedBatch& batch = *questions[q]->batch;
      if (!MayShareKeys(batch.ranges, parts[p]->meta)) continue;
      rows = MaybeThere(*parts[p], batch.ids, questions[q]->rows);
      suspected[q].insert(rows.begin(), rows.end());
    }
  }
  std::vector<std::optional<Suspects>> suspects(questions.size());
  for (size_t q = 0; q < questions.size(); ++q) {
    if (suspected[q].empty()) continue;
    ASSIGN_OR_RETURN(suspects[q], Suspects::Make(*questions[q]->batch, {suspected[q].begin(), suspected[q].end()}));
  }
  for (size_t p = 0; p < parts.size(); ++p) {
    std::vector<Wanted> wanted;
    for (size_t q = 0; q < questions.size(); ++q) {
      for (uint32_t row : maybe[p][q]) {
        if (suspects[q]->InRanges(*parts[p], row)) wanted.push_back({suspects[q]->KeyOf(row), questions[q], row});
      }
    }
    if (wanted.empty()) continue;
    std::stable_sort(wanted.begin(), wanted.end(), [](const Wanted& a, const Wanted& b) { return a.key < b.key; });
    Count("chartly_dedupe_lookups_total", static_cast<double>(wanted.size()));
    RETURN_IF_ERROR(FindInPart(*parts[p], wanted));
  }
  return absl::OkStatus();
}

absl::Status SealedIndex::FindInPart(const Part& part, const std::vector<Wanted>& wanted) {
  const std::vector<std::string> key(part.meta.key().begin(), part.meta.key().end());
  const auto chunks = static_cast<uint32_t>(part.meta.chunks_size());
  auto first_key = [&](uint32_t chunk) -> const std::string& {
    return part.meta.chunks(static_cast<int>(chunk)).first_key();
  };
  size_t next = 0;
  // Wanted rows and chunks are both in order. A key may go on over the border of two chunks.
  for (uint32_t index = 0; index < chunks && next < wanted.size(); ++index) {
    const bool last = index + 1 == chunks;
    auto belongs = [&](size_t i) { return last || wanted[i].key <= first_key(index + 1); };
    while (next < wanted.size() && wanted[next].key < first_key(index)) ++next;  // before the first row of the part
    if (next == wanted.size() || !belongs(next)) continue;
    ASSIGN_OR_RETURN(std::shared_ptr<const Chunk> chunk, Get(part, index, false));
    size_t end = next;
    while (end < wanted.size() && belongs(end)) ++end;
    if (chunk != nullptr) {
      absl::Span<const Wanted> sought = absl::MakeConstSpan(wanted).subspan(next, end - next);
      Matches matches = FindRows(*chunk, key, sought);
      if (!matches.empty()) {
        ASSIGN_OR_RETURN(chunk, Get(part, index, true));
        if (chunk != nullptr) RETURN_IF_ERROR(Take(part, *chunk, matches));
      }
    }
    // Those with the very key that the next chunk begins with are looked for there, too.
    while (next < end && (last || wanted[next].key < first_key(index + 1))) ++next;
  }
  return absl::OkStatus();
}

SealedIndex::Matches SealedIndex::FindRows(const Chunk& chunk, const std::vector<std::string>& key,
                                           absl::Span<const Wanted> wanted) {
  SortKeyEncoder encoder(chunk.columns, key);
  const uint32_t rows = chunk.rows;
  std::string at;
  auto compare = [&](uint32_t row, const std::string& sought) {
    at.clear();
    encoder.Append(row, at);
    return at.compare(sought);
  };
  Matches matches;
  uint32_t from = 0;
  for (const Wanted& one : wanted) {
    uint32_t low = from;
    for (uint32_t high = rows; low < high;) {
      uint32_t middle = low + (high - low) / 2;
      if (compare(middle, one.key) < 0) {
        low = middle + 1;
      } else {
        high = middle;
      }
    }
    from = low;
    for (uint32_t row = low; row < rows && compare(row, one.key) == 0; ++row) matches.emplace_back(row, &one);
  }
  return matches;
}

absl::Status SealedIndex::Take(const Part& part, const Chunk& chunk, const Matches& matches) {
  std::vector<RowRef> order;
  for (const auto& [row, wanted] : matches) order.push_back({0, row});
  RowGatherer gatherer;
  const ColumnSet* source = &chunk.columns;
  for (size_t begin = 0; begin < order.size(); begin += kMaxChunkRows) {
    size_t count = std::min<size_t>(kMaxChunkRows, order.size() - begin);
    gatherer.Append({&source, 1}, absl::MakeConstSpan(order).subspan(begin, count));
    ColumnSet rows = gatherer.Take();
    const std::vector<std::string> key(part.meta.key().begin(), part.meta.key().end());
    RecordIds sealed = ComputeRecordIds(rows, part.meta.profile_id(), key);
    for (size_t i = 0; i < count; ++i) {
      const Wanted& wanted = *matches[begin + i].second;
      const RecordIds& ids = wanted.question->batch->ids;
      if (sealed.keys[i] != ids.keys[wanted.row]) continue;
      SealedVersion version{sealed.ids[i], 0, LocationOf(rows, static_cast<uint32_t>(i)), 0};
      if (IsDeleted(part.meta, LocationChunk(version.location))) continue;
      ASSIGN_OR_RETURN(version.observed_us, ObservedUs(LocationChunk(version.location)));
      bool same = version.id == ids.ids[wanted.row];
      auto [known, added] = wanted.question->found.try_emplace(wanted.row, version);
      SealedVersion& newest = known->second;
      bool newer = std::pair(newest.observed_us, newest.location) < std::pair(version.observed_us, version.location);
      RowLocation same_before = newest.same;
      if (newer) newest = version;
      newest.same = same && (same_before == 0 || version.location < same_before) ? version.location : same_before;
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<std::shared_ptr<const SealedIndex::Chunk>> SealedIndex::Get(const Part& part, uint32_t index,
                                                                           bool whole) {
  ChunkName name(part.meta.id(), index);
  auto known = cache_.find(name);
  bool hit = known != cache_.end() && (known->second.chunk->whole || !whole);
  Count("chartly_store_chunk_cache_total", 1, hit ? "hit" : "miss");
  if (hit) {
    used_.splice(used_.begin(), used_, known->second.used);
    return known->second.chunk;
  }
  absl::StatusOr<ColumnSet> columns =
      whole ? ReadSealedColumns(store_, part, index) : ReadSealedKeys(store_, part, index);
  if (absl::IsDataLoss(columns.status())) {
    store_.SetAside(part.meta.id(), index, columns.status());
    return std::shared_ptr<const Chunk>();
  }
  RETURN_IF_ERROR(columns.status());
  auto chunk = std::make_shared<Chunk>();
  chunk->columns = *std::move(columns);
  chunk->whole = whole;
  chunk->rows = part.meta.chunks(static_cast<int>(index)).rows();
  for (const ColumnData& column : chunk->columns) chunk->bytes += column.MemoryBytes() + sizeof(ColumnData);
  Keep(name, chunk);
  return std::shared_ptr<const Chunk>(std::move(chunk));
}

void SealedIndex::Keep(const ChunkName& name, std::shared_ptr<const Chunk> chunk) {
  auto forget = [this](const ChunkName& gone) {
    auto known = cache_.find(gone);
    if (known == cache_.end()) return;
    cached_bytes_ -= known->second.chunk->bytes;
    used_.erase(known->second.used);
    cache_.erase(known);
  };
  forget(name);
  used_.push_front(name);
  cached_bytes_ += chunk->bytes;
  cache_[name] = {std::move(chunk), used_.begin()};
  while (cached_bytes_ > cache_bytes_ && used_.size() > 1) forget(ChunkName(used_.back()));
}

absl::StatusOr<int64_t> SealedIndex::ObservedUs(uint64_t batch) {
  auto [known, added] = observed_us_.try_emplace(batch, 0);
  if (!added) return known->second;
  ASSIGN_OR_RETURN(ChunkMeta meta, store_.Meta(batch));
  observed_us_[batch] = meta.observed_us();
  return meta.observed_us();
}

}  // namespace chartly::aggregator
