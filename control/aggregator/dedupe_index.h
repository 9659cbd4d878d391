// Knows of every record its newest version, and every content it had before: what makes a row new, a version or a
// duplicate (docs/formats/store.md, docs/adr/0003-revert-is-a-version.md).
//
// Lives in memory. Holds the rows of unsealed batches only: of each key the newest version if it is unsealed, and the
// contents of unsealed rows that are not newest any more. Of what is sealed it is told (SealedIndex). Not thread-safe:
// the committer owns it.
//
// It keeps the ids of the batches as they were computed; the table of keys has eight bytes a slot, which say in which
// batch and row the newest version lies and tell most other keys apart. A new key costs one cache miss, which is asked
// for ahead, and nothing is copied. Open addressing by the first bits of the key, so that slots are in order of keys,
// as far as they find room: growth reads one table and fills another from front to back, without the keys.
#ifndef CHARTLY_CONTROL_AGGREGATOR_DEDUPE_INDEX_H_
#define CHARTLY_CONTROL_AGGREGATOR_DEDUPE_INDEX_H_

#include <cstdint>
#include <future>
#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "common/batch/record_id.h"
#include "control/aggregator/row_set.h"
#include "control/aggregator/slot_array.h"

namespace chartly::aggregator {

using RecordIdsPtr = std::shared_ptr<const RecordIds>;

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
  DedupeOutcome Apply(const RecordIdsPtr& ids, int64_t observed_us, uint64_t chunk, const SealedVersions& sealed = {});
  // Takes the stored rows of an unsealed batch in. Those in `superseded` are not newest.
  void Load(const RecordIdsPtr& ids, int64_t observed_us, uint64_t chunk, const RowSet& stored,
            const RowSet& superseded);
  // Decides the stored rows of a chunk as they were decided then; returns the rows they superseded. For stores that do
  // not say.
  std::vector<RowLocation> Replay(const RecordIdsPtr& ids, int64_t observed_us, uint64_t chunk, const RowSet& stored);
  // Forgets the rows of these batches, which are sorted: they are sealed. Requires: all changes are final.
  void Forget(const std::vector<uint64_t>& chunks);

  // Forgets all.
  void Clear();

  // How much changed and is not final yet.
  struct Changes {
    size_t replaced = 0;
    size_t held = 0;
    size_t superseded = 0;
  };
  Changes changes() const { return {replaced_.size(), newly_held_.size(), newly_superseded_.size()}; }
  // The first of them become final, as many as there were when changes() said so; or all.
  void Commit(const Changes& first);
  void Commit() { Commit(changes()); }
  // All changes that are not final are taken back.
  void Undo();

  size_t bytes() const;
  size_t size() const { return used_; }

 private:
  // From the highest bit on: a tag, the first bits of the key, by which its place is found; the number of a stretch;
  // the row there. 0 is free.
  using Slot = uint64_t;
  static constexpr int kRowBits = 8;
  static constexpr int kStretchBits = 26;
  static constexpr int kTagBits = 30;

  // Rows of a batch with stored rows, as many as kRowBits count.
  struct Stretch {
    RecordIdsPtr ids;  // null: the number is free
    int64_t observed_us = 0;
    uint64_t chunk = 0;
    uint32_t first_row = 0;
  };
  using Stretches = std::vector<uint32_t>;  // the numbers of those of a batch, in order
  struct Version {
    Hash128 id;
    int64_t observed_us = 0;
    RowLocation location = 0;  // 0: none
  };
  // What a change replaced.
  struct Replaced {
    Hash128 key;
    Slot slot;
  };

  static uint64_t TagOf(const Hash128& key) { return key.low >> (64 - kTagBits); }
  static uint64_t TagOf(Slot slot) { return slot >> (kRowBits + kStretchBits); }
  static uint32_t StretchOf(Slot slot) {
    return static_cast<uint32_t>(slot >> kRowBits) & ((uint32_t{1} << kStretchBits) - 1);
  }
  static uint32_t RowOf(Slot slot) { return static_cast<uint32_t>(slot) & ((uint32_t{1} << kRowBits) - 1); }
  static Slot MakeSlot(const Hash128& key, const Stretches& stretches, uint32_t row) {
    const uint64_t within = row & ((uint32_t{1} << kRowBits) - 1);
    return TagOf(key) << (kRowBits + kStretchBits) | uint64_t{stretches[row >> kRowBits]} << kRowBits | within;
  }

  size_t Home(uint64_t tag) const { return static_cast<size_t>(tag * slots_.size() >> kTagBits); }
  size_t After(size_t slot) const { return slot + 1 == slots_.size() ? 0 : slot + 1; }
  // The slot of the key or a free one. Requires: there are slots.
  Slot* Find(const Hash128& key);
  void Erase(const Hash128& key);
  // Puts it where it is found, among keys that are not its own.
  void Place(Slot slot);
  void Prefetch(const RecordIds& ids, size_t row);
  Version At(Slot slot) const;
  absl::Status Full(size_t max_bytes) const;
  bool HasNumbersFor(size_t rows, size_t batches) const;
  // Makes room for that many keys more.
  bool GrowFor(size_t rows, size_t max_bytes);
  bool Resize(size_t slots);
  bool MoveTo(std::optional<SlotArray> made);
  // Has the table that will be needed next made ready, if that is soon with so many rows more, and the bound allows it
  // beside what they add.
  void MakeNext(size_t rows, size_t bytes_added);
  void DropNext();
  Stretches Hold(const RecordIdsPtr& ids, int64_t observed_us, uint64_t chunk);
  void Release(const Stretches& stretches);
  void Supersede(const Hash128& id, RowLocation location);
  // For what is stored, whatever the bound is.
  void ForceRoom(const RecordIds& ids);
  // Forgets the slots of the stretches that are not kept.
  void ForgetSlots(const std::vector<uint8_t>& kept);

  size_t max_bytes_;
  SlotArray slots_;
  size_t used_ = 0;
  std::future<std::optional<SlotArray>> next_;  // of next_slots_; invalid if that is 0
  size_t next_slots_ = 0;
  std::vector<Stretch> stretches_ = std::vector<Stretch>(1);  // by number; 0 is none
  Stretches free_numbers_;
  size_t held_bytes_ = 0;
  // Content that a record had before its newest version, and where it lies.
  absl::flat_hash_map<Hash128, RowLocation> superseded_;
  // What Undo needs. Replacements are taken back first, newest first; what then still lies in a stretch that is new was
  // inserted.
  std::vector<Replaced> replaced_;
  Stretches newly_held_;
  std::vector<Hash128> newly_superseded_;
};

}  // namespace chartly::aggregator

#endif  // CHARTLY_CONTROL_AGGREGATOR_DEDUPE_INDEX_H_
