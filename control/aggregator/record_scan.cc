#include "control/aggregator/record_scan.h"

#include <algorithm>
#include <limits>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/chunk/batch_columns.h"
#include "common/chunk/row_gatherer.h"
#include "common/chunk/sort_key.h"
#include "common/clock/proto_time.h"
#include "common/status/status.h"
#include "control/aggregator/kv_record_reads.h"

namespace chartly::aggregator {
namespace {

constexpr uint64_t kNoEnd = std::numeric_limits<uint64_t>::max();

std::vector<std::string> KeyOf(const Part& part) { return {part.meta.key().begin(), part.meta.key().end()}; }

// The part that took a batch in; null if none did.
PartPtr PartOf(const PartList& parts, uint64_t batch) {
  for (const PartPtr& part : parts) {
    if (part->meta.first_batch() <= batch && batch <= part->meta.last_batch()) return part;
  }
  return nullptr;
}

// The first row behind a place in the order of a part.
uint32_t FirstBehind(const ColumnSet& columns, const std::vector<std::string>& key, const ScanCursor& from) {
  SortKeyEncoder encoder(columns, key);
  uint32_t low = 0;
  for (uint32_t high = RowsOf(columns); low < high;) {
    uint32_t middle = low + (high - low) / 2;
    int order = encoder.Of(middle).compare(from.key());
    if (order < 0 || (order == 0 && LocationOf(columns, middle) <= from.location())) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low;
}

// The chunk in which the rows behind a key begin.
uint32_t FirstChunk(const Part& part, const std::string& key) {
  int index = 0;
  while (index + 1 < part.meta.chunks_size() && part.meta.chunks(index + 1).first_key() < key) ++index;
  return static_cast<uint32_t>(index);
}

absl::Status TokenInvalid() {
  return Error(absl::StatusCode::kInvalidArgument, "PAGE_TOKEN_INVALID",
               "page_token is not one that this list gave; leave it out to begin at the start");
}

}  // namespace

// Rows of batches: these, or all but these.
class RecordScan::RowChoice {
 public:
  RowChoice(bool these, RecordReader::RowsByBatch rows) : these_(these), rows_(std::move(rows)) {}
  bool nothing() const { return these_ && rows_.empty(); }
  bool everything() const { return !these_ && rows_.empty(); }
  bool Takes(uint64_t batch, uint32_t row) const {
    if (everything()) return true;
    auto known = rows_.find(batch);
    return (known != rows_.end() && known->second.Contains(row)) == these_;
  }

 private:
  bool these_;
  RecordReader::RowsByBatch rows_;
};

// The rows of a chunk that are chosen and not deleted, of batches from `first` to `last`.
RowSet RecordScan::Chosen(const PartMeta& part, const RecordBlock::Chunk& chunk, uint64_t first, uint64_t last,
                          const RowChoice& choice) {
  const std::vector<int64_t>& batches = SystemColumn(chunk.system, kBatchColumn);
  const std::vector<int64_t>& numbers = SystemColumn(chunk.system, kRowColumn);
  RowSet rows;
  for (uint32_t row = 0; row < batches.size(); ++row) {
    auto batch = static_cast<uint64_t>(batches[row]);
    if (batch < first || batch > last || IsDeleted(part, batch)) continue;
    if (choice.Takes(batch, static_cast<uint32_t>(numbers[row]))) rows.Add(row);
  }
  return rows;
}

// One profile, and who reads it.
struct RecordScan::Walk {
  const std::string& profile_id;
  const Gone& gone;
  const BlockVisitor& visit;
};

absl::StatusOr<uint64_t> AsOfBatch(const RecordStore& store, bool has_time, const google::protobuf::Timestamp& time) {
  if (has_time) return store.LastBatchAt(absl::ToUnixMicros(FromTimestamp(time)));
  return store.LastBatch();
}

ScanCursor CursorAt(const RecordBlock& block, uint32_t row) {
  ScanCursor cursor;
  cursor.set_location(block.Location(row));
  const RecordBlock::Source& source = block.source();
  if (!source.sealed) return cursor;
  cursor.set_sealed(true);
  cursor.set_first_batch(source.first_batch);
  cursor.set_last_batch(source.last_batch);
  cursor.set_key(SortKeyEncoder(block.columns(), source.key).Of(row));
  return cursor;
}

RecordScan::RecordScan(const RecordStore& store, RecordSelection selection)
    : store_(store),
      selection_(std::move(selection)),
      view_(store.View()),
      metas_(std::make_unique<ChunkMetas>(*view_)) {}

absl::StatusOr<RecordScan> RecordScan::Create(const RecordStore& store, RecordSelection selection) {
  if (selection.profile_id.empty() && selection.run_id.empty()) {
    return Error(absl::StatusCode::kInvalidArgument, "PROFILE_OR_RUN_REQUIRED",
                 "say which records: set profile_id, or run_id, or both");
  }
  return RecordScan(store, std::move(selection));
}

absl::StatusOr<bool> RecordScan::Visit(const Walk& walk, const RecordBlock& block) {
  if (block.rows().empty()) return true;
  if (walk.gone()) return absl::CancelledError("the caller has gone");
  ASSIGN_OR_RETURN(bool more, walk.visit(block));
  RETURN_IF_ERROR(metas_->status());
  return more;
}

absl::StatusOr<RecordScan::RowChoice> RecordScan::Choose(const std::string& profile_id, uint64_t first,
                                                         uint64_t last) const {
  RecordReader::RowsByBatch chosen;
  if (!selection_.run_id.empty()) {
    auto take = [&](uint64_t batch, const RowSet& rows) -> absl::StatusOr<bool> {
      if (batch > last) return false;
      chosen[batch] = rows;
      return true;
    };
    RETURN_IF_ERROR(view_->ScanRun(selection_.run_id, first, selection_.as_of, take));
    return RowChoice(true, std::move(chosen));
  }
  if (!selection_.all_versions) {
    ASSIGN_OR_RETURN(chosen, view_->Superseded(profile_id, first, last, selection_.as_of));
  }
  return RowChoice(false, std::move(chosen));
}

// The batches of a part from `first` on, behind a place among them.
absl::StatusOr<bool> RecordScan::VisitPart(const Walk& walk, const Part& part, uint64_t first, const ScanCursor* from) {
  const uint64_t last = from == nullptr ? part.meta.last_batch() : from->last_batch();
  ASSIGN_OR_RETURN(RowChoice choice, Choose(walk.profile_id, first, last));
  if (choice.nothing()) return true;
  const RecordBlock::Source source{walk.profile_id, KeyOf(part), true, first, last};
  const uint64_t newest = std::min(last, selection_.as_of);
  const uint32_t begin = from == nullptr ? 0 : FirstChunk(part, from->key());
  const bool every_row = from == nullptr && choice.everything() && part.meta.deleted().empty() &&
                         first <= part.meta.first_batch() && newest >= part.meta.last_batch();
  for (uint32_t index = begin; index < static_cast<uint32_t>(part.meta.chunks_size()); ++index) {
    if (may_match_ && !may_match_(part, index)) continue;
    if (walk.gone()) return absl::CancelledError("the caller has gone");
    auto set_aside = [&](const absl::Status& status) {
      if (absl::IsDataLoss(status)) store_.SetAside(part.meta.id(), index, status);
      return status;
    };
    const auto bytes = static_cast<size_t>(part.meta.chunks(static_cast<int>(index)).size_bytes());
    if (every_row && take_whole_ && bytes <= whole_bytes_max_) {
      absl::StatusOr<std::string> whole = ReadSealedBytes(*view_, part, index);
      if (!whole.ok()) return set_aside(whole.status());
      ASSIGN_OR_RETURN(bool more, take_whole_(*std::move(whole)));
      if (!more) return false;
      continue;
    }
    absl::StatusOr<RecordBlock::Chunk> chunk = OpenSealedChunk(*view_, part, index);
    if (!chunk.ok()) return set_aside(chunk.status());
    RowSet rows = Chosen(part.meta, *chunk, first, newest, choice);
    if (rows.empty()) continue;
    RecordBlock block(source, *std::move(chunk), std::move(rows), *metas_);
    // Rows of one key may lie in two chunks.
    const bool behind = from == nullptr || part.meta.chunks(static_cast<int>(index)).first_key() > from->key();
    if (loads_ || !behind) RETURN_IF_ERROR(set_aside(block.Load()));
    if (!behind) block.KeepFrom(FirstBehind(block.columns(), source.key, *from));
    absl::StatusOr<bool> more = Visit(walk, block);
    RETURN_IF_ERROR(set_aside(block.status()));
    if (!more.ok() || !*more) return more;
  }
  return true;
}

absl::StatusOr<bool> RecordScan::VisitUnsealed(const Walk& walk, uint64_t batch, RowSet rows) {
  if (unsealed_may_match_ && !unsealed_may_match_(batch)) return true;
  ASSIGN_OR_RETURN(std::string bytes, view_->ChunkBatch(batch));
  absl::StatusOr<Batch> parsed = Batch::Parse(bytes);
  if (!parsed.ok()) return Annotate(parsed.status(), absl::StrCat("batch ", batch));
  RecordBlock::Source source{walk.profile_id, {parsed->header().key().begin(), parsed->header().key().end()}};
  return Visit(walk, RecordBlock(std::move(source), ColumnsOfBatch(*parsed, batch), std::move(rows), *metas_));
}

absl::StatusOr<bool> RecordScan::VisitUnsealed(const Walk& walk, uint64_t first, uint64_t end) {
  bool more = true;
  auto take = [&](uint64_t batch, const RowSet& rows) -> absl::StatusOr<bool> {
    if (batch >= end) return false;
    ASSIGN_OR_RETURN(more, VisitUnsealed(walk, batch, rows));
    return more;
  };
  if (selection_.run_id.empty()) {
    RETURN_IF_ERROR(view_->ScanRows({walk.profile_id, first, selection_.as_of, selection_.all_versions},
                                    [&](uint64_t batch, const ChunkMeta&, const RowSet& rows) -> absl::StatusOr<bool> {
                                      return take(batch, rows);
                                    }));
    return more;
  }
  auto take_run = [&](uint64_t batch, const RowSet& rows) -> absl::StatusOr<bool> {
    if (batch >= end) return false;
    if (metas_->Of(batch).profile_id() == walk.profile_id) return take(batch, rows);
    return metas_->status().ok() ? absl::StatusOr<bool>(true) : metas_->status();
  };
  RETURN_IF_ERROR(view_->ScanRun(selection_.run_id, first, selection_.as_of, take_run));
  return more;
}

// Rows of one batch lie all over its part, so the part is read; but only the chunks that have some are decoded whole.
absl::StatusOr<ColumnSet> RecordScan::ReadSealedBatch(const Part& part, uint64_t batch) const {
  RowGatherer gatherer;
  for (uint32_t index = 0; index < static_cast<uint32_t>(part.meta.chunks_size()); ++index) {
    absl::StatusOr<ColumnSet> columns = ReadSealedRows(*view_, part, index, batch);
    if (absl::IsDataLoss(columns.status())) store_.SetAside(part.meta.id(), index, columns.status());
    RETURN_IF_ERROR(columns.status());
    if (columns->empty()) continue;
    const std::vector<int64_t>& batches = SystemColumn(*columns, kBatchColumn);
    std::vector<RowRef> order;
    for (uint32_t row = 0; row < batches.size(); ++row) {
      if (static_cast<uint64_t>(batches[row]) == batch) order.push_back({0, row});
    }
    const ColumnSet* source = &*columns;
    gatherer.Append({&source, 1}, order);
  }
  ColumnSet by_key = gatherer.Take();
  if (by_key.empty()) return StoreDamaged(absl::StrCat("batch ", batch, " (its rows are missing)"));
  const std::vector<int64_t>& numbers = SystemColumn(by_key, kRowColumn);
  std::vector<RowRef> order;
  for (uint32_t row = 0; row < numbers.size(); ++row) order.push_back({0, row});
  std::sort(order.begin(), order.end(),
            [&](const RowRef& a, const RowRef& b) { return numbers[a.row] < numbers[b.row]; });
  const ColumnSet* source = &by_key;
  gatherer.Append({&source, 1}, order);
  return gatherer.Take();
}

absl::StatusOr<bool> RecordScan::VisitRest(const Walk& walk, RowLocation last) {
  const uint64_t batch = LocationChunk(last);
  const uint32_t first = LocationRow(last) + 1;
  ASSIGN_OR_RETURN(bool is_there, view_->HasBatch(batch));
  if (!is_there) return true;  // deleted since the page before
  ASSIGN_OR_RETURN(ChunkMeta meta, view_->Meta(batch));
  ASSIGN_OR_RETURN(RowChoice choice, Choose(walk.profile_id, batch, batch));
  RowSet rows;
  PartPtr part = PartOf(view_->Parts(walk.profile_id), batch);
  if (part == nullptr) {
    StoredRows(meta).ForEach(first, [&](uint32_t row) {
      if (choice.Takes(batch, row)) rows.Add(row);
      return true;
    });
    return rows.empty() ? true : VisitUnsealed(walk, batch, std::move(rows));
  }
  ASSIGN_OR_RETURN(ColumnSet columns, ReadSealedBatch(*part, batch));
  const std::vector<int64_t>& numbers = SystemColumn(columns, kRowColumn);
  for (uint32_t row = 0; row < numbers.size(); ++row) {
    auto number = static_cast<uint32_t>(numbers[row]);
    if (number >= first && choice.Takes(batch, number)) rows.Add(row);
  }
  RecordBlock::Source source{walk.profile_id, KeyOf(*part)};
  return Visit(walk, RecordBlock(std::move(source), std::move(columns), std::move(rows), *metas_));
}

absl::Status RecordScan::RunProfile(const Walk& walk, const ScanCursor& from) {
  PartList parts = view_->Parts(walk.profile_id);
  uint64_t next = 0;
  bool more = true;
  if (from.sealed()) {
    PartPtr part = PartOf(parts, from.first_batch());
    if (part != nullptr && part->meta.last_batch() < from.last_batch()) return TokenInvalid();
    // Without a part all of it was deleted since the page before.
    if (part != nullptr) {
      ASSIGN_OR_RETURN(more, VisitPart(walk, *part, from.first_batch(), &from));
    }
    next = from.last_batch() + 1;
  } else if (from.location() != 0) {
    ASSIGN_OR_RETURN(more, VisitRest(walk, from.location()));
    next = LocationChunk(from.location()) + 1;
  }
  for (const PartPtr& part : parts) {
    if (!more) return absl::OkStatus();
    if (part->meta.last_batch() < next) continue;
    ASSIGN_OR_RETURN(more, VisitUnsealed(walk, next, part->meta.first_batch()));
    if (!more || part->meta.first_batch() > selection_.as_of) return absl::OkStatus();
    ASSIGN_OR_RETURN(more, VisitPart(walk, *part, std::max(next, part->meta.first_batch()), nullptr));
    next = part->meta.last_batch() + 1;
  }
  if (!more) return absl::OkStatus();
  return VisitUnsealed(walk, next, kNoEnd).status();
}

absl::StatusOr<std::set<std::string>> RecordScan::Profiles() const {
  if (!selection_.profile_id.empty()) return std::set<std::string>{selection_.profile_id};
  std::set<std::string> profiles;
  auto take = [&](uint64_t batch, const RowSet&) -> absl::StatusOr<bool> {
    profiles.insert(metas_->Of(batch).profile_id());
    return metas_->status().ok() ? absl::StatusOr<bool>(true) : metas_->status();
  };
  RETURN_IF_ERROR(view_->ScanRun(selection_.run_id, 0, selection_.as_of, take));
  return profiles;
}

absl::Status RecordScan::Run(const ScanCursor& after, const Gone& gone, const BlockVisitor& visit) {
  ASSIGN_OR_RETURN(std::set<std::string> profiles, Profiles());
  std::string begin = after.location() == 0 ? "" : selection_.profile_id;
  if (after.location() != 0 && begin.empty()) {
    ASSIGN_OR_RETURN(ChunkMeta meta, view_->Meta(LocationChunk(after.location())));
    begin = meta.profile_id();
    if (profiles.count(begin) == 0) return TokenInvalid();
  }
  bool more = true;
  BlockVisitor note = [&](const RecordBlock& block) -> absl::StatusOr<bool> {
    ASSIGN_OR_RETURN(more, visit(block));
    return more;
  };
  for (const std::string& profile_id : profiles) {
    if (!more) break;
    if (profile_id < begin) continue;
    RETURN_IF_ERROR(RunProfile({profile_id, gone, note}, profile_id == begin ? after : ScanCursor()));
  }
  return absl::OkStatus();
}

absl::Status RecordScan::Sealed(const Gone& gone, const BlockVisitor& visit) {
  for (const PartPtr& part : view_->Parts(selection_.profile_id)) {
    if (part->meta.first_batch() > selection_.as_of) break;
    ASSIGN_OR_RETURN(bool more,
                     VisitPart({selection_.profile_id, gone, visit}, *part, part->meta.first_batch(), nullptr));
    if (!more) break;
  }
  return absl::OkStatus();
}

absl::StatusOr<bool> RecordScan::IsNewest(const std::string& profile_id, RowLocation location) const {
  const uint64_t batch = LocationChunk(location);
  ASSIGN_OR_RETURN(RecordReader::RowsByBatch gone, view_->Superseded(profile_id, batch, batch, selection_.as_of));
  auto rows = gone.find(batch);
  return rows == gone.end() || !rows->second.Contains(LocationRow(location));
}

}  // namespace chartly::aggregator
