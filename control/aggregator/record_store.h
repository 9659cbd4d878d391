// Where records live: an append of batches is atomic, reads are scans over chunks. KvRecordStore is the embedded
// implementation; another one (ClickHouse) needs the same: one atomic idempotent append, ordered scans, point reads.
//
// A chunk is a batch as it arrived, under a number that grows over the whole store. What the store held once some batch
// number was its last can be read at any later time: that number is the `as_of` of a question, and LastBatch for the
// newest state. Thread-safe; appends come from one thread (the committer), reads from any. A read returns DataLoss
// (STORE_CORRUPT) if it meets damage.
#ifndef CHARTLY_CONTROL_AGGREGATOR_RECORD_STORE_H_
#define CHARTLY_CONTROL_AGGREGATOR_RECORD_STORE_H_

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "chartly/storage/v1/records.pb.h"
#include "control/aggregator/row_set.h"

namespace chartly::aggregator {

using storage::v1::ChunkMeta;
using storage::v1::DroneState;
using storage::v1::ProfileState;
using storage::v1::RunState;
using storage::v1::SpoolState;
using storage::v1::StoredQuarantine;

// All that one commit changes. States are the values after it.
struct StoreWrite {
  struct Chunk {
    uint64_t id = 0;
    ChunkMeta meta;
    std::string batch;
  };
  // Rows of `chunk` that batch number `batch` of the run gave: its own, or those its duplicates repeat.
  struct RunRows {
    std::string run_id;
    uint64_t chunk = 0;
    uint64_t batch = 0;
    RowSet rows;
  };
  // Rows of `chunk` that were the newest version of their record until batch number `batch`.
  struct Superseded {
    std::string profile_id;
    uint64_t chunk = 0;
    uint64_t batch = 0;
    RowSet rows;
  };
  struct Quarantine {
    uint64_t run_ordinal = 0;
    uint64_t batch = 0;
    uint32_t index = 0;
    StoredQuarantine row;
  };
  // A row in quarantine as it is kept from now on; `id` as visitors get it.
  struct Redriven {
    std::string id;
    StoredQuarantine row;
  };
  uint64_t last_batch = 0;
  int64_t acked_us = 0;
  std::vector<Chunk> chunks;
  std::vector<RunRows> run_rows;
  std::vector<Superseded> superseded;
  std::vector<Quarantine> quarantine;
  std::vector<Redriven> redriven;
  std::map<std::string, RunState> runs;
  std::map<std::string, ProfileState> profiles;
  std::map<std::string, DroneState> drones;
  std::map<std::pair<std::string, std::string>, SpoolState> spools;  // (drone, spool)
};

// The rows of a chunk that were stored: not its duplicates.
inline RowSet StoredRows(const ChunkMeta& meta) {
  return meta.stored_rows().empty() ? RowSet::All(meta.rows()) : RowSet::FromBits(meta.stored_rows());
}

// Which rows of a profile a question sees.
struct RowScan {
  std::string profile_id;
  uint64_t first = 0;  // the first chunk
  uint64_t as_of = 0;  // the last batch number
  bool all_versions = false;
};

class RecordStore {
 public:
  virtual ~RecordStore() = default;

  // All or nothing; OK means it is on disk. ResourceExhausted (STORE_FULL): a later append may succeed. Batch numbers
  // and times of acks never go backwards from one append to the next.
  virtual absl::Status Append(StoreWrite write) = 0;
  // The highest batch number ever appended; 0 if none. What it counts is visible whole.
  virtual absl::StatusOr<uint64_t> LastBatch() const = 0;
  // The highest batch number acked at or before that time; 0 if none.
  virtual absl::StatusOr<uint64_t> LastBatchAt(int64_t acked_us) const = 0;
  // The time of the last append; 0 if there was none.
  virtual absl::StatusOr<int64_t> LastAckedUs() const = 0;

  // The state, or nothing if there is none.
  virtual absl::StatusOr<std::optional<RunState>> Run(const std::string& run_id) const = 0;
  virtual absl::StatusOr<std::optional<ProfileState>> Profile(const std::string& profile_id) const = 0;
  virtual absl::StatusOr<std::optional<DroneState>> Drone(const std::string& drone_id) const = 0;
  virtual absl::StatusOr<std::optional<SpoolState>> Spool(const std::string& drone_id,
                                                          const std::string& spool_id) const = 0;
  virtual absl::StatusOr<std::map<std::string, ProfileState>> Profiles() const = 0;
  virtual absl::StatusOr<std::map<std::string, DroneState>> Drones() const = 0;

  // The batch of a chunk; NotFound if there is none.
  virtual absl::StatusOr<std::string> ChunkBatch(uint64_t chunk) const = 0;
  virtual absl::StatusOr<ChunkMeta> Meta(uint64_t chunk) const = 0;

  // Visitors return false to stop.
  using ChunkVisitor = std::function<absl::StatusOr<bool>(uint64_t chunk, const ChunkMeta& meta)>;
  // Chunks of a profile, or of all if it is empty, upwards from `first`, or downwards.
  virtual absl::Status ScanChunks(const std::string& profile_id, uint64_t first, const ChunkVisitor& visit) const = 0;
  virtual absl::Status ScanChunksDown(const std::string& profile_id, uint64_t first,
                                      const ChunkVisitor& visit) const = 0;
  // Chunks of a profile upwards, with their rows that the question sees: those stored, and of these only the ones that
  // are the newest version of their record, unless it asks for all. Chunks without such rows are left out.
  using RowsVisitor = std::function<absl::StatusOr<bool>(uint64_t chunk, const ChunkMeta& meta, const RowSet& rows)>;
  virtual absl::Status ScanRows(const RowScan& scan, const RowsVisitor& visit) const = 0;
  // Chunks that hold rows which batches of a run up to number `as_of` gave, upwards from `first`, each once with all
  // these rows.
  using RunVisitor = std::function<absl::StatusOr<bool>(uint64_t chunk, const RowSet& rows)>;
  virtual absl::Status ScanRun(const std::string& run_id, uint64_t first, uint64_t as_of,
                               const RunVisitor& visit) const = 0;
  // All runs, in order of id.
  using RunStateVisitor = std::function<absl::StatusOr<bool>(const std::string& run_id, const RunState& run)>;
  virtual absl::Status ScanRuns(const RunStateVisitor& visit) const = 0;
  // Rows in quarantine, newest run first, after the row with that id (from the start if empty). A run and a profile
  // narrow it; an id is opaque and sorts.
  using QuarantineVisitor = std::function<absl::StatusOr<bool>(absl::string_view id, const StoredQuarantine& row)>;
  virtual absl::Status ScanQuarantine(const std::string& profile_id, const std::string& run_id, absl::string_view after,
                                      const QuarantineVisitor& visit) const = 0;
};

}  // namespace chartly::aggregator

#endif  // CHARTLY_CONTROL_AGGREGATOR_RECORD_STORE_H_
