#include "control/aggregator/store_upgrade.h"

#include <algorithm>
#include <limits>
#include <memory>

#include "absl/strings/str_cat.h"
#include "common/batch/record_id.h"
#include "common/status/status.h"
#include "common/telemetry/log.h"
#include "control/aggregator/dedupe_index.h"

namespace chartly::aggregator {
namespace {

constexpr size_t kRowsAWrite = size_t{1} << 20;

absl::StatusOr<std::vector<RowLocation>> ReplayChunk(const RecordReader& store, uint64_t chunk, const ChunkMeta& meta,
                                                     DedupeIndex& index) {
  ASSIGN_OR_RETURN(std::string bytes, store.ChunkBatch(chunk));
  ASSIGN_OR_RETURN(Batch batch, Batch::Parse(bytes));
  return index.Replay(std::make_shared<const RecordIds>(ComputeRecordIds(batch)), meta.observed_us(), chunk,
                      StoredRows(meta));
}

}  // namespace

absl::Status AddVersions(const RecordReader& store, KvStore& kv, const StoreKeys& keys) {
  DedupeIndex index(std::numeric_limits<size_t>::max());
  KvBatch pending;
  size_t rows = 0;
  int64_t acked_us = 0;  // the clock may have been set back
  LogInfo("the record store is brought from format 1 to format 2", {});
  auto add = [&](uint64_t chunk, const ChunkMeta& meta) -> absl::StatusOr<bool> {
    acked_us = std::max(acked_us, meta.acked_us());
    std::string time;
    AppendBigEndian64(time, static_cast<uint64_t>(acked_us));
    pending.PutOwned(keys.Ack(chunk), std::move(time));
    absl::StatusOr<std::vector<RowLocation>> superseded = ReplayChunk(store, chunk, meta, index);
    if (!superseded.ok()) {
      LogError("a stored batch is damaged",
               {{"chunk", absl::StrCat(chunk)}, {"error", std::string(superseded.status().message())}});
      return true;
    }
    for (const auto& [of, gone] : RowsByChunk(*superseded)) {
      pending.PutOwned(keys.Superseded(meta.profile_id(), of, chunk), gone.ToRanges());
    }
    rows += superseded->size() + 1;
    if (rows < kRowsAWrite) return true;
    RETURN_IF_ERROR(kv.Write(pending, false));
    pending = KvBatch();
    rows = 0;
    return true;
  };
  RETURN_IF_ERROR(store.ScanChunks("", 0, add));
  return kv.Write(pending, false);
}

absl::Status AddUnsealed(const RecordReader& store, KvStore& kv, const StoreKeys& keys) {
  KvBatch pending;
  RETURN_IF_ERROR(store.ScanChunks("", 0, [&](uint64_t chunk, const ChunkMeta& meta) -> absl::StatusOr<bool> {
    pending.PutOwned(keys.Unsealed(meta.profile_id(), chunk), std::string());
    return true;
  }));
  return kv.Write(pending, false);
}

}  // namespace chartly::aggregator
