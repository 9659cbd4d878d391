// Knows of every record its newest version, and every content it had before: what makes a row new, a version or a
// duplicate (docs/formats/store.md, docs/adr/0003-revert-is-a-version.md).
//
// Lives in memory. Holds the rows of unsealed batches only: of each key the newest version if it is unsealed, and the
// contents of unsealed rows that are not newest any more. Of what is sealed it is told (SealedIndex). Not thread-safe:
// the committer owns it. Sharded open addressing with prefetch, so that a probe costs one or two cache misses that
// overlap, and growth moves one small shard at a time.
#ifndef CHARTLY_CONTROL_AGGREGATOR_DEDUPE_INDEX_H_
#define CHARTLY_CONTROL_AGGREGATOR_DEDUPE_INDEX_H_

#include <array>
#include <cstdint>
#include <cstdlib>
#include <map>
#include <memory>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "common/batch/record_id.h"
#include "control/aggregator/row_set.h"

namespace chartly::aggregator {

// Chunk and row in one number; sorts by chunk, then row. Chunk ids begin at 1, so 0 is none.
using RowLocation = uint64_t;
inline RowLocation MakeLocation(uint64_t chunk, uint32_t row) { return chunk << 16 | row; }
inline uint64_t LocationChunk(RowLocation location) { return location >> 16; }
inline uint32_t LocationRow(RowLocation location) { return static_cast<uint32_t>(location & 0xffff); }

// Locations as sets of rows, by chunk.
std::map<uint64_t, RowSet> RowsByChunk(const std::vector<RowLocation>& locations);

// What parts know of the key of a row: the newest version among them, and where the content of the row lies, 0 if in
// none.
struct SealedVersion {
  Hash128 id;
  int64_t observed_us = 0;
  RowLocation location = 0;
  RowLocation same = 0;
};
// By row of a batch; a row whose key is in no part is not there.
using SealedVersions = absl::flat_hash_map<uint32_t, SealedVersion>;

// What became of the rows of one batch.
struct DedupeOutcome {
  RowSet stored;
  uint32_t stored_count = 0;
  // Where the content of each duplicate row lies, in order of rows.
  std::vector<RowLocation> duplicates;
  // Rows that are not the newest version any more, rows of this batch included.
  std::vector<RowLocation> superseded;
};

class DedupeIndex {
 public:
  // `max_bytes` bounds what Reserve allows; Load and Replay may pass it, since what is stored must be known.
  explicit DedupeIndex(size_t max_bytes) : max_bytes_(max_bytes) {}
  void set_max_bytes(size_t max_bytes) { max_bytes_ = max_bytes; }
  DedupeIndex(const DedupeIndex&) = delete;
  DedupeIndex& operator=(const DedupeIndex&) = delete;

  // Makes room for the rows of these batches together. ResourceExhausted (DEDUPE_INDEX_FULL) if that would pass the
  // bound; nothing changes then.
  absl::Status Reserve(const std::vector<const RecordIds*>& batches);
  // Rows that Apply cannot decide without knowing what is sealed. `observed_us`: of this batch and of all that are
  // applied between; the least number there is if they differ.
  std::vector<uint32_t> Undecided(const RecordIds& ids, int64_t observed_us);
  // Decides every row of a batch. Requires: Reserve succeeded for it, and only its batches were applied since; `sealed`
  // has what parts know of its undecided rows.
  DedupeOutcome Apply(const RecordIds& ids, int64_t observed_us, uint64_t chunk, const SealedVersions& sealed = {});
  // Takes the stored rows of an unsealed batch in. Those in `superseded` are not newest.
  void Load(const RecordIds& ids, int64_t observed_us, uint64_t chunk, const RowSet& stored, const RowSet& superseded);
  // Decides the stored rows of a chunk as they were decided then; returns the rows they superseded. For stores that do
  // not say.
  std::vector<RowLocation> Replay(const RecordIds& ids, int64_t observed_us, uint64_t chunk, const RowSet& stored);
  // Forgets the rows of these batches, which are sorted: they are sealed. Requires: no changes since Commit.
  void Forget(const std::vector<uint64_t>& chunks);

  // Forgets all.
  void Clear();

  // Changes since the last Commit or Undo become final, or are taken back.
  void Commit();
  void Undo();

  size_t bytes() const;
  size_t size() const;

 private:
  struct Entry {
    Hash128 key;
    Hash128 id;
    int64_t observed_us;
    RowLocation location;  // 0: the slot is free
  };
  struct Free {
    void operator()(Entry* slots) const { std::free(slots); }
  };
  struct Shard {
    std::unique_ptr<Entry[], Free> slots;
    size_t capacity = 0;
    size_t used = 0;
    size_t Home(const Hash128& key) const;
    Entry* Find(const Hash128& key);  // the entry of the key or a free slot
    void Erase(const Hash128& key);
    bool Grow(size_t new_capacity);
  };
  static constexpr size_t kShards = 64;

  Shard& ShardOf(const Hash128& key) { return shards_[key.high >> 58]; }
  void Prefetch(const RecordIds& ids, size_t begin, size_t end);
  absl::Status ReserveWithin(const std::vector<const RecordIds*>& batches, size_t max_bytes);
  void Insert(Shard& shard, Entry* slot, const Entry& entry);
  void Supersede(const Hash128& id, RowLocation location);

  // The rows of `ids` in `rows`, with their numbers.
  struct Kept {
    RecordIds ids;
    std::vector<uint32_t> rows;
  };
  Kept Keep(const RecordIds& ids, const RowSet& rows);

  size_t max_bytes_;
  std::array<Shard, kShards> shards_;
  // Content that a record had before its newest version, and where it lies.
  absl::flat_hash_map<Hash128, RowLocation> superseded_;
  // What Undo needs. Replacements are taken back first, newest first, then insertions: every insertion of a key comes
  // before its replacements.
  std::vector<Entry> replaced_;
  std::vector<Hash128> inserted_;
  std::vector<Hash128> newly_superseded_;
};

}  // namespace chartly::aggregator

#endif  // CHARTLY_CONTROL_AGGREGATOR_DEDUPE_INDEX_H_
