// Where records live: an append of batches is atomic, reads are scans over chunks. KvRecordStore is the embedded
// implementation; another one (ClickHouse) needs the same: one atomic idempotent append, ordered scans, point reads.
//
// A chunk is a batch as it arrived, under a number that grows over the whole store. What the store held once some batch
// number was its last can be read at any later time: that number is the `as_of` of a question, and LastBatch for the
// newest state. Thread-safe; appends come one at a time (from the committer), reads from any thread. A read returns
// DataLoss (STORE_CORRUPT) if it meets damage.
#ifndef CHARTLY_CONTROL_AGGREGATOR_RECORD_STORE_H_
#define CHARTLY_CONTROL_AGGREGATOR_RECORD_STORE_H_

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "chartly/storage/v1/records.pb.h"
#include "control/aggregator/part_filter.h"
#include "control/aggregator/row_set.h"

namespace chartly::aggregator {

using storage::v1::ChunkMeta;
using storage::v1::DimRange;
using storage::v1::DroneState;
using storage::v1::LegalHold;
using storage::v1::PartMeta;
using storage::v1::ProfileState;
using storage::v1::RunState;
using storage::v1::SealedChunkMeta;
using storage::v1::SpoolState;
using storage::v1::StoredDeletion;
using storage::v1::StoredQuarantine;

// What is counted and remembered of runs, profiles, drones and their spools, as far as a commit changes it.
struct StoreStates {
  std::map<std::string, RunState> runs;
  std::map<std::string, ProfileState> profiles;
  std::map<std::string, DroneState> drones;
  std::map<std::pair<std::string, std::string>, SpoolState> spools;  // (drone, spool)
};

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
  StoreStates states;
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

// A part, and the filters over its record keys and ids; while there is none, as after a start, any may be in it.
struct Part {
  PartMeta meta;
  std::shared_ptr<const PartFilter> filter;
  std::shared_ptr<const IdFilters> ids;
};
using PartPtr = std::shared_ptr<const Part>;
// Parts of one profile in order of batches.
using PartList = std::vector<PartPtr>;

// Turns batches or parts of a profile into one part. Nothing else changes: what a question sees stays the same.
struct Seal {
  Part part;
  // What lies in the part now. Batches were unsealed until then.
  std::vector<uint64_t> batches;
  std::vector<uint64_t> parts;          // by id
  uint64_t deleted_rows = 0;            // of these parts, which are not in the new one
  std::map<uint64_t, ChunkMeta> metas;  // descriptions of batches that change
};

// One step of a deletion.
struct Erasure {
  std::vector<std::pair<uint64_t, ChunkMeta>> batches;  // with stored rows, of one profile, in order
  std::vector<std::string> quarantine;                  // ids, as visitors get them
  // The deletion, with what will be deleted once this step is done.
  StoredDeletion deletion;
  uint64_t number = 0;
};

// Whether the rows of a batch of a part are deleted.
bool IsDeleted(const PartMeta& part, uint64_t batch);

// The read half. A row is named by its batch and its number there for ever; where it lies changes: first in the batch
// as it arrived, after that in a part, sorted by key.
class RecordReader {
 public:
  virtual ~RecordReader() = default;

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
  using SpoolVisitor = std::function<bool(const std::string& drone_id, const std::string& spool_id, const SpoolState&)>;
  virtual absl::Status ScanSpools(const SpoolVisitor& visit) const = 0;

  // The batch of a chunk; NotFound if there is none, or it lies in a part.
  virtual absl::StatusOr<std::string> ChunkBatch(uint64_t chunk) const = 0;
  virtual absl::StatusOr<ChunkMeta> Meta(uint64_t chunk) const = 0;
  // Whether it has stored rows that are not deleted.
  virtual absl::StatusOr<bool> HasBatch(uint64_t chunk) const = 0;

  // Visitors return false to stop.
  using ChunkVisitor = std::function<absl::StatusOr<bool>(uint64_t chunk, const ChunkMeta& meta)>;
  // Chunks of a profile, or of all if it is empty, upwards from `first`, or downwards.
  virtual absl::Status ScanChunks(const std::string& profile_id, uint64_t first, const ChunkVisitor& visit) const = 0;
  virtual absl::Status ScanChunksDown(const std::string& profile_id, uint64_t first,
                                      const ChunkVisitor& visit) const = 0;
  // Unsealed chunks of a profile upwards, with their rows that the question sees: those stored, and of these only the
  // ones that are the newest version of their record, unless it asks for all. Chunks without such rows are left out.
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

  // Parts of a profile; of all.
  virtual PartList Parts(const std::string& profile_id) const = 0;
  virtual std::map<std::string, PartList> AllParts() const = 0;
  // The bytes of a sealed chunk. DataLoss (STORE_CORRUPT) if it was set aside as damaged.
  virtual absl::StatusOr<std::string> SealedChunk(uint64_t part, uint32_t index) const = 0;
  // Unsealed batches with stored rows, upwards from `first`; of all profiles, in order of profiles, if it is empty.
  virtual absl::Status ScanUnsealed(const std::string& profile_id, uint64_t first, const ChunkVisitor& visit) const = 0;
  // Rows of the batches from `first` to `last` that are not the newest version as of a batch number, by batch.
  using RowsByBatch = absl::flat_hash_map<uint64_t, RowSet>;
  virtual absl::StatusOr<RowsByBatch> Superseded(const std::string& profile_id, uint64_t first, uint64_t last,
                                                 uint64_t as_of) const = 0;

  // Whether some rows of a profile are superseded for which `fits` says so, by the batches of these and of what
  // replaced them.
  virtual absl::StatusOr<bool> AnySuperseded(const std::string& profile_id,
                                             const std::function<bool(uint64_t of, uint64_t by)>& fits) const = 0;

  // Deletions of a profile, or of all, in the order in which they began.
  using DeletionVisitor = std::function<absl::StatusOr<bool>(uint64_t number, const StoredDeletion& deletion)>;
  virtual absl::Status ScanDeletions(const std::string& profile_id, const DeletionVisitor& visit) const = 0;
  // The hold of a profile, or nothing; of all.
  virtual absl::StatusOr<std::optional<LegalHold>> Hold(const std::string& profile_id) const = 0;
  virtual absl::StatusOr<std::map<std::string, LegalHold>> Holds() const = 0;
};

class RecordStore : public RecordReader {
 public:
  // All or nothing; OK means it is on disk. ResourceExhausted (STORE_FULL): a later append may succeed. Batch numbers
  // and times of acks never go backwards from one append to the next.
  virtual absl::Status Append(StoreWrite write) = 0;

  // Does a step of a deletion: the batches are gone for everyone who looks afterwards, sealed or not, counters follow,
  // and the deletion is noted. All or nothing, on disk when OK. Not while something is appended. A batch that is
  // superseded by one that is deleted, and stays itself, is the newest again. Returns how many unsealed rows went.
  virtual absl::StatusOr<uint64_t> Erase(const Erasure& erasure) = 0;
  // Notes a deletion that begins, or ended.
  virtual absl::Status PutDeletion(uint64_t number, const StoredDeletion& deletion) = 0;
  // Sets or, if there is none, clears a hold.
  virtual absl::Status PutHold(const std::string& profile_id, const std::optional<LegalHold>& hold) = 0;

  // What the store holds now, frozen. Must go before the store does.
  virtual std::unique_ptr<RecordReader> View() const = 0;

  // To make a part: take an id, write its chunks, then seal, which is all or nothing and on disk when it is OK. Chunks
  // of a part that was never sealed are removed when the store is opened. Appends may go on, and other parts of other
  // rows. Aborted, and nothing done, if something of what the part replaces was deleted meanwhile.
  virtual uint64_t NewPartId() = 0;
  virtual absl::Status WriteSealedChunk(uint64_t part, uint32_t index, std::string bytes) = 0;
  virtual absl::Status SealPart(Seal seal) = 0;
  // Gives a part a filter that it lacks; nothing if it has been replaced meanwhile.
  virtual void SetFilter(const PartMeta& part, std::shared_ptr<const PartFilter> filter) = 0;
  virtual void SetIds(const PartMeta& part, std::shared_ptr<const IdFilters> ids) = 0;
  // Removes the chunks of a part that another one replaced, or that was never sealed. Views keep theirs.
  virtual absl::Status RemovePart(uint64_t id) = 0;

  // Sets a sealed chunk that turned out damaged aside, so that it is not read again and shows in Damage.
  virtual void SetAside(uint64_t part, uint32_t index, const absl::Status& damage) const = 0;
  // What was set aside, for people; empty if nothing.
  virtual std::string Damage() const = 0;
};

}  // namespace chartly::aggregator

#endif  // CHARTLY_CONTROL_AGGREGATOR_RECORD_STORE_H_
