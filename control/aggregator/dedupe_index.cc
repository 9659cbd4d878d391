#include "control/aggregator/dedupe_index.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <utility>

#include "absl/base/attributes.h"
#include "absl/strings/str_cat.h"
#include "common/status/status.h"

namespace chartly::aggregator {
namespace {

// How many rows ahead slots are fetched from memory.
constexpr size_t kPrefetchRows = 32;
constexpr size_t kSupersededEntryBytes = sizeof(std::pair<Hash128, RowLocation>) + 1;
// What a held batch takes beside its ids, with what the allocator adds.
constexpr size_t kHeldBatchBytes = 192;

size_t CapacityFor(size_t entries) { return entries + entries / 4 + 8; }  // at most 80 % full

size_t BytesOf(const RecordIds& ids) {
  return (ids.ids.capacity() + ids.keys.capacity()) * sizeof(Hash128) + kHeldBatchBytes;
}

}  // namespace

std::map<uint64_t, RowSet> RowsByChunk(const std::vector<RowLocation>& locations) {
  std::map<uint64_t, RowSet> chunks;
  RowSet* rows = nullptr;
  uint64_t chunk = 0;  // neighbours mostly lie in the same chunk
  for (RowLocation location : locations) {
    if (rows == nullptr || LocationChunk(location) != chunk) {
      chunk = LocationChunk(location);
      rows = &chunks[chunk];
    }
    rows->Add(LocationRow(location));
  }
  return chunks;
}

void DedupeIndex::Shard::Place(Slot slot) {
  size_t at = Home(TagOf(slot));
  while (slots[at] != 0) at = After(at);
  slots[at] = slot;
}

bool DedupeIndex::Shard::Resize(size_t new_capacity) {
  auto* fresh = static_cast<Slot*>(std::calloc(new_capacity, sizeof(Slot)));
  if (fresh == nullptr) return false;
  std::unique_ptr<Slot[], Free> old(slots.release());
  const size_t old_capacity = capacity;
  slots.reset(fresh);
  capacity = new_capacity;
  for (size_t i = 0; i < old_capacity; ++i) {
    if (old[i] != 0) Place(old[i]);
  }
  return true;
}

inline DedupeIndex::Slot* DedupeIndex::Find(const Hash128& key) {
  Shard& shard = ShardOf(key);
  const uint64_t tag = TagOf(key);
  for (size_t at = shard.Home(tag);; at = shard.After(at)) {
    const Slot slot = shard.slots[at];
    if (slot == 0 || (TagOf(slot) == tag && held_[HeldOf(slot)].ids->keys[RowOf(slot)] == key)) return &shard.slots[at];
  }
}

// Closes the gap by moving later slots of the same probe sequence back, so that no tombstones are needed.
void DedupeIndex::Erase(const Hash128& key) {
  Shard& shard = ShardOf(key);
  auto gap = static_cast<size_t>(Find(key) - shard.slots.get());
  if (shard.slots[gap] == 0) return;
  shard.slots[gap] = 0;
  --shard.used;
  for (size_t at = shard.After(gap); shard.slots[at] != 0; at = shard.After(at)) {
    shard.Place(std::exchange(shard.slots[at], 0));
  }
}

// As a call it would be taken for one without effect, and left out.
ABSL_ATTRIBUTE_ALWAYS_INLINE inline void DedupeIndex::Prefetch(const RecordIds& ids, size_t row) {
  if (row >= ids.keys.size()) return;
  const Shard& shard = ShardOf(ids.keys[row]);
  __builtin_prefetch(shard.slots.get() + shard.Home(TagOf(ids.keys[row])), 1);
}

inline DedupeIndex::Version DedupeIndex::At(Slot slot) const {
  if (slot == 0) return {};
  const Held& held = held_[HeldOf(slot)];
  return {held.ids->ids[RowOf(slot)], held.observed_us, MakeLocation(held.chunk, RowOf(slot))};
}

size_t DedupeIndex::bytes() const {
  return slot_count_ * sizeof(Slot) + held_bytes_ + superseded_.capacity() * kSupersededEntryBytes;
}

size_t DedupeIndex::size() const {
  size_t used = 0;
  for (const Shard& shard : shards_) used += shard.used;
  return used;
}

absl::Status DedupeIndex::Full(size_t max_bytes) const {
  return Error(absl::StatusCode::kResourceExhausted, "DEDUPE_INDEX_FULL",
               absl::StrCat("the index of ", size(), " records fills its ", max_bytes >> 20,
                            " MiB; give it more with --dedupe-memory, or more machines"));
}

absl::Status DedupeIndex::Reserve(const std::vector<const RecordIds*>& batches) {
  RowCounts rows{};
  size_t all_rows = 0;
  size_t bytes_added = 0;
  for (const RecordIds* ids : batches) {
    for (const Hash128& key : ids->keys) ++rows[ShardNumber(key)];
    all_rows += ids->keys.size();
    bytes_added += BytesOf(*ids);
  }
  if (held_.size() - free_numbers_.size() + batches.size() >= size_t{1} << kHeldBits) return Full(max_bytes_);
  // In the worst case every row replaces a version, and the table of older content doubles.
  if (!superseded_.empty() && superseded_.size() + all_rows > superseded_.capacity() / 8 * 7) {
    bytes_added += std::max(superseded_.capacity(), size_t{16}) * kSupersededEntryBytes;
  }
  if (bytes() + bytes_added > max_bytes_ || !GrowFor(rows, max_bytes_ - bytes_added)) return Full(max_bytes_);
  return absl::OkStatus();
}

bool DedupeIndex::GrowFor(const RowCounts& rows, size_t max_bytes) {
  size_t growth = 0;
  std::array<size_t, kShards> target{};
  for (size_t i = 0; i < kShards; ++i) {
    const Shard& shard = shards_[i];
    const size_t needed = CapacityFor(shard.used + rows[i]);
    if (rows[i] == 0 || needed <= shard.capacity) continue;
    target[i] = std::max(needed, shard.capacity + shard.capacity / 2);
    growth += target[i] - shard.capacity;
  }
  if (growth == 0) return true;
  if (bytes() + growth * sizeof(Slot) > max_bytes) return false;
  for (size_t i = 0; i < kShards; ++i) {
    if (target[i] == 0) continue;
    const size_t before = shards_[i].capacity;
    if (!shards_[i].Resize(target[i])) return false;
    slot_count_ += target[i] - before;
  }
  return true;
}

uint32_t DedupeIndex::Hold(RecordIdsPtr ids, int64_t observed_us, uint64_t chunk) {
  held_bytes_ += BytesOf(*ids);
  Held held{std::move(ids), observed_us, chunk};
  if (free_numbers_.empty()) {
    held_.push_back(std::move(held));
    return static_cast<uint32_t>(held_.size() - 1);
  }
  const uint32_t number = free_numbers_.back();
  free_numbers_.pop_back();
  held_[number] = std::move(held);
  return number;
}

void DedupeIndex::Release(uint32_t held) {
  held_bytes_ -= BytesOf(*held_[held].ids);
  held_[held] = Held();
  free_numbers_.push_back(held);
}

void DedupeIndex::Supersede(const Hash128& id, RowLocation location) {
  if (superseded_.try_emplace(id, location).second) newly_superseded_.push_back(id);
}

std::vector<uint32_t> DedupeIndex::Undecided(const RecordIds& ids, int64_t observed_us) {
  std::vector<uint32_t> rows;
  for (size_t row = 0; row < kPrefetchRows; ++row) Prefetch(ids, row);
  for (size_t row = 0; row < ids.keys.size(); ++row) {
    Prefetch(ids, row + kPrefetchRows);
    const bool empty = ShardOf(ids.keys[row]).capacity == 0;
    const Version newest = empty ? Version() : At(*Find(ids.keys[row]));
    const bool decided = newest.location != 0 && (newest.id == ids.ids[row] || newest.observed_us <= observed_us);
    if (!decided) rows.push_back(static_cast<uint32_t>(row));
  }
  return rows;
}

DedupeOutcome DedupeIndex::Apply(RecordIdsPtr batch, int64_t observed_us, uint64_t chunk,
                                 const SealedVersions& sealed) {
  DedupeOutcome outcome;
  const RecordIds& ids = *batch;
  const uint32_t held = Hold(std::move(batch), observed_us, chunk);
  for (size_t row = 0; row < kPrefetchRows; ++row) Prefetch(ids, row);
  for (uint32_t row = 0; row < ids.keys.size(); ++row) {
    Prefetch(ids, row + kPrefetchRows);
    const Hash128& key = ids.keys[row];
    const Hash128& id = ids.ids[row];
    Slot* const slot = Find(key);
    const bool unsealed = *slot != 0;
    const SealedVersion* in_part = nullptr;
    if (!sealed.empty()) {
      if (auto found = sealed.find(row); found != sealed.end()) in_part = &found->second;
    }
    // An unsealed newest version is newer than all that is sealed.
    Version newest;
    if (unsealed) {
      newest = At(*slot);
    } else if (in_part != nullptr) {
      newest = {in_part->id, in_part->observed_us, in_part->location};
    }
    if (newest.location != 0 && newest.id == id) {
      outcome.duplicates.push_back(newest.location);
      continue;
    }
    if (newest.location == 0 || observed_us >= newest.observed_us) {
      if (newest.location != 0) outcome.superseded.push_back(newest.location);
      if (unsealed) {
        Supersede(newest.id, newest.location);
        replaced_.push_back({key, *slot});
      } else {
        ++ShardOf(key).used;
      }
      *slot = MakeSlot(key, held, row);
    } else if (auto seen = superseded_.find(id); seen != superseded_.end()) {
      outcome.duplicates.push_back(seen->second);
      continue;
    } else if (in_part != nullptr && in_part->same != 0) {
      outcome.duplicates.push_back(in_part->same);
      continue;
    } else {
      const RowLocation location = MakeLocation(chunk, row);
      outcome.superseded.push_back(location);
      Supersede(id, location);
    }
    outcome.stored.Add(row);
    ++outcome.stored_count;
  }
  if (outcome.stored_count > 0) {
    newly_held_.push_back(held);
  } else {
    Release(held);
  }
  return outcome;
}

// For what is stored, whatever the bound is.
void DedupeIndex::ForceRoom(const RecordIds& ids, const RowSet& rows) {
  RowCounts counts{};
  rows.ForEach(0, [&](uint32_t row) {
    if (row < ids.keys.size()) ++counts[ShardNumber(ids.keys[row])];
    return true;
  });
  const bool has_number = held_.size() < (size_t{1} << kHeldBits) || !free_numbers_.empty();
  // The machine itself is out of memory.
  if (!has_number || !GrowFor(counts, std::numeric_limits<size_t>::max())) std::abort();
}

void DedupeIndex::Load(RecordIdsPtr batch, int64_t observed_us, uint64_t chunk, const RowSet& stored,
                       const RowSet& superseded) {
  const RecordIds& ids = *batch;
  ForceRoom(ids, stored);
  const uint32_t held = Hold(std::move(batch), observed_us, chunk);
  stored.ForEach(0, [&](uint32_t row) {
    if (row >= ids.keys.size()) return false;
    Prefetch(ids, row + kPrefetchRows);
    if (superseded.Contains(row)) {
      superseded_.try_emplace(ids.ids[row], MakeLocation(chunk, row));
      return true;
    }
    Slot* const slot = Find(ids.keys[row]);
    if (*slot != 0) return true;
    *slot = MakeSlot(ids.keys[row], held, row);
    ++ShardOf(ids.keys[row]).used;
    return true;
  });
  if (stored.empty()) Release(held);
}

std::vector<RowLocation> DedupeIndex::Replay(RecordIdsPtr batch, int64_t observed_us, uint64_t chunk,
                                             const RowSet& stored) {
  const RecordIds& ids = *batch;
  ForceRoom(ids, stored);
  const uint32_t held = Hold(std::move(batch), observed_us, chunk);
  std::vector<RowLocation> superseded;
  stored.ForEach(0, [&](uint32_t row) {
    if (row >= ids.keys.size()) return false;
    Prefetch(ids, row + kPrefetchRows);
    Slot* const slot = Find(ids.keys[row]);
    const Version newest = At(*slot);
    if (newest.location != 0 && observed_us < newest.observed_us) {
      superseded.push_back(MakeLocation(chunk, row));
      superseded_.try_emplace(ids.ids[row], MakeLocation(chunk, row));
      return true;
    }
    if (newest.location != 0) {
      superseded.push_back(newest.location);
      superseded_.try_emplace(newest.id, newest.location);
    } else {
      ++ShardOf(ids.keys[row]).used;
    }
    *slot = MakeSlot(ids.keys[row], held, row);
    return true;
  });
  if (stored.empty()) Release(held);
  return superseded;
}

void DedupeIndex::Forget(const std::vector<uint64_t>& chunks) {
  auto sealed = [&](uint64_t chunk) { return std::binary_search(chunks.begin(), chunks.end(), chunk); };
  std::vector<bool> gone(held_.size(), false);
  bool any = false;
  for (size_t i = 0; i < held_.size(); ++i) {
    gone[i] = held_[i].ids != nullptr && sealed(held_[i].chunk);
    any = any || gone[i];
  }
  if (any) ForgetHeld(gone);
  absl::flat_hash_map<Hash128, RowLocation> kept;
  for (const auto& [id, location] : superseded_) {
    if (!sealed(LocationChunk(location))) kept.emplace(id, location);
  }
  superseded_ = std::move(kept);
}

void DedupeIndex::ForgetHeld(const std::vector<bool>& gone) {
  std::vector<Slot> kept;
  for (Shard& shard : shards_) {
    kept.clear();
    for (size_t i = 0; i < shard.capacity; ++i) {
      if (shard.slots[i] != 0 && !gone[HeldOf(shard.slots[i])]) kept.push_back(shard.slots[i]);
    }
    if (kept.size() == shard.used) continue;
    if (kept.empty()) {
      slot_count_ -= shard.capacity;
      shard = Shard();
      continue;
    }
    std::memset(shard.slots.get(), 0, shard.capacity * sizeof(Slot));
    shard.used = kept.size();
    // What the next batches need again is not given back.
    const size_t before = shard.capacity;
    const size_t needed = CapacityFor(kept.size());
    if (needed < before / 4 && shard.Resize(needed)) slot_count_ -= before - needed;
    for (Slot slot : kept) shard.Place(slot);
  }
  for (uint32_t i = 0; i < gone.size(); ++i) {
    if (gone[i]) Release(i);
  }
}

void DedupeIndex::Clear() {
  for (Shard& shard : shards_) shard = Shard();
  slot_count_ = 0;
  held_ = std::vector<Held>(1);
  free_numbers_.clear();
  held_bytes_ = 0;
  superseded_.clear();
  Commit();
}

void DedupeIndex::Commit() {
  replaced_.clear();
  newly_held_.clear();
  newly_superseded_.clear();
}

void DedupeIndex::Undo() {
  for (auto one = replaced_.rbegin(); one != replaced_.rend(); ++one) *Find(one->key) = one->slot;
  for (uint32_t held : newly_held_) {
    for (const Hash128& key : held_[held].ids->keys) {
      if (HeldOf(*Find(key)) == held) Erase(key);
    }
  }
  // Not before: until here slots of one lie among those of others.
  for (uint32_t held : newly_held_) Release(held);
  for (const Hash128& id : newly_superseded_) superseded_.erase(id);
  Commit();
}

}  // namespace chartly::aggregator
