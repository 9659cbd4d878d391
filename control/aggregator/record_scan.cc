#include "control/aggregator/record_scan.h"

#include <utility>

#include "common/clock/proto_time.h"
#include "common/status/status.h"

namespace chartly::aggregator {

absl::StatusOr<uint64_t> AsOfBatch(const RecordStore& store, bool has_time, const google::protobuf::Timestamp& time) {
  if (has_time) return store.LastBatchAt(absl::ToUnixMicros(FromTimestamp(time)));
  return store.LastBatch();
}

absl::StatusOr<RecordScan> RecordScan::Create(const RecordStore& store, RecordSelection selection) {
  if (selection.profile_id.empty() && selection.run_id.empty()) {
    return Error(absl::StatusCode::kInvalidArgument, "PROFILE_OR_RUN_REQUIRED",
                 "say which records: set profile_id, or run_id, or both");
  }
  return RecordScan(store, std::move(selection));
}

absl::Status RecordScan::Chunks(uint64_t first, const Gone& gone, const RecordStore::RowsVisitor& visit) const {
  auto take = [&](uint64_t chunk, const ChunkMeta& meta, const RowSet& rows) -> absl::StatusOr<bool> {
    if (gone()) return absl::CancelledError("the caller has gone");
    return visit(chunk, meta, rows);
  };
  if (selection_.run_id.empty()) {
    return store_.ScanRows({selection_.profile_id, first, selection_.as_of, selection_.all_versions}, take);
  }
  auto take_run = [&](uint64_t chunk, const RowSet& rows) -> absl::StatusOr<bool> {
    ASSIGN_OR_RETURN(ChunkMeta meta, store_.Meta(chunk));
    bool other = !selection_.profile_id.empty() && meta.profile_id() != selection_.profile_id;
    return other ? absl::StatusOr<bool>(true) : take(chunk, meta, rows);
  };
  return store_.ScanRun(selection_.run_id, first, selection_.as_of, take_run);
}

absl::Status RecordScan::Run(RowLocation after, const Gone& gone, const BlockVisitor& visit) const {
  RowLocation next = after == 0 ? 0 : after + 1;
  return Chunks(LocationChunk(next), gone,
                [&](uint64_t chunk, const ChunkMeta& meta, const RowSet& rows) -> absl::StatusOr<bool> {
                  ASSIGN_OR_RETURN(std::string bytes, store_.ChunkBatch(chunk));
                  ASSIGN_OR_RETURN(Batch batch, Batch::Parse(bytes));
                  uint32_t first_row = chunk == LocationChunk(next) ? LocationRow(next) : 0;
                  return visit(RecordBlock{chunk, meta, batch, rows, first_row});
                });
}

absl::Status RecordScan::RunBytes(const Gone& gone, const BytesVisitor& visit) const {
  return Chunks(0, gone, [&](uint64_t chunk, const ChunkMeta&, const RowSet&) -> absl::StatusOr<bool> {
    ASSIGN_OR_RETURN(std::string bytes, store_.ChunkBatch(chunk));
    return visit(bytes);
  });
}

absl::StatusOr<RowSet> RecordScan::NewestRows(uint64_t chunk) const {
  ASSIGN_OR_RETURN(ChunkMeta meta, store_.Meta(chunk));
  RowSet newest;
  auto take = [&](uint64_t found, const ChunkMeta&, const RowSet& rows) -> absl::StatusOr<bool> {
    if (found == chunk) newest = rows;
    return false;
  };
  RETURN_IF_ERROR(store_.ScanRows({meta.profile_id(), chunk, selection_.as_of, false}, take));
  return newest;
}

}  // namespace chartly::aggregator
