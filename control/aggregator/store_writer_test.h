// Writes to a record store as the committer does and reads it back, for the battery that every store must pass.
#ifndef CHARTLY_CONTROL_AGGREGATOR_STORE_WRITER_TEST_H_
#define CHARTLY_CONTROL_AGGREGATOR_STORE_WRITER_TEST_H_

#include <algorithm>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "common/status/status.h"
#include "control/aggregator/aggregator_batches_test.h"
#include "control/aggregator/record_store.h"

namespace chartly::aggregator {

inline constexpr uint64_t kNoEnd = std::numeric_limits<uint64_t>::max();

// A row by chunk and number.
using StoredRow = std::pair<uint64_t, uint32_t>;

inline RowSet RowsOf(const std::vector<uint32_t>& rows) {
  RowSet set;
  for (uint32_t row : rows) set.Add(row);
  return set;
}

// Makes appends as the committer does: numbers and times grow.
class StoreWriter {
 public:
  explicit StoreWriter(RecordStore& store) : store_(store) {
    auto last = store.LastBatch();
    REQUIRE_OK(last);
    number_ = *last;
  }
  // Adds a chunk of `rows` rows to the append under way and returns its number; `size` pads its bytes.
  uint64_t AddChunk(const std::string& profile, const std::string& run, uint32_t rows, size_t size = 0) {
    TestBatch batch;
    batch.profile_id = profile;
    batch.run_id = run;
    for (uint32_t row = 0; row < rows; ++row) batch.rows.emplace_back(row, row);
    StoreWrite::Chunk chunk;
    chunk.id = ++number_;
    chunk.batch = Pack(batch);
    chunk.batch.resize(std::max(chunk.batch.size(), size), 'x');
    chunk.meta.set_profile_id(profile);
    chunk.meta.set_run_id(run);
    chunk.meta.set_rows(rows);
    chunk.meta.set_stored(rows);
    chunk.meta.set_acked_us(acked_us);
    write_.chunks.push_back(std::move(chunk));
    return number_;
  }
  absl::Status TryAppend() {
    StoreWrite write = std::move(write_);
    write_ = StoreWrite();
    write.last_batch = number_;
    write.acked_us = acked_us;
    return store_.Append(std::move(write));
  }
  void Append() { REQUIRE_OK(TryAppend()); }

  StoreWrite& write() { return write_; }
  uint64_t number() const { return number_; }
  int64_t acked_us = 1000;

 private:
  RecordStore& store_;
  StoreWrite write_;
  uint64_t number_ = 0;
};

inline absl::StatusOr<std::vector<StoredRow>> TryScan(const RecordReader& store, const RowScan& scan) {
  std::vector<StoredRow> found;
  auto take = [&](uint64_t chunk, const ChunkMeta&, const RowSet& rows) -> absl::StatusOr<bool> {
    rows.ForEach(0, [&](uint32_t row) {
      found.emplace_back(chunk, row);
      return true;
    });
    return true;
  };
  RETURN_IF_ERROR(store.ScanRows(scan, take));
  return found;
}

inline std::vector<StoredRow> Scan(const RecordReader& store, const RowScan& scan) {
  auto found = TryScan(store, scan);
  REQUIRE_OK(found);
  return *found;
}

inline std::vector<StoredRow> ScanOfRun(const RecordStore& store, const std::string& run, uint64_t first = 0,
                                        uint64_t as_of = kNoEnd) {
  std::vector<StoredRow> found;
  CHECK_OK(store.ScanRun(run, first, as_of, [&](uint64_t chunk, const RowSet& rows) -> absl::StatusOr<bool> {
    rows.ForEach(0, [&](uint32_t row) {
      found.emplace_back(chunk, row);
      return true;
    });
    return true;
  }));
  return found;
}

inline std::vector<uint64_t> ChunksOf(const RecordStore& store, const std::string& profile, uint64_t first, bool down) {
  std::vector<uint64_t> found;
  auto visit = [&](uint64_t chunk, const ChunkMeta& meta) -> absl::StatusOr<bool> {
    CHECK((profile.empty() || meta.profile_id() == profile));
    found.push_back(chunk);
    return true;
  };
  CHECK_OK(down ? store.ScanChunksDown(profile, first, visit) : store.ScanChunks(profile, first, visit));
  return found;
}

}  // namespace chartly::aggregator

#endif  // CHARTLY_CONTROL_AGGREGATOR_STORE_WRITER_TEST_H_
