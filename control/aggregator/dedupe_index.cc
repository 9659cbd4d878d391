#include "control/aggregator/dedupe_index.h"

#include <algorithm>
#include <limits>

#include "absl/strings/str_cat.h"
#include "common/status/status.h"

namespace chartly::aggregator {
namespace {

// Rows whose slots are fetched from memory together.
constexpr size_t kPrefetchRows = 32;
constexpr size_t kSupersededEntryBytes = sizeof(std::pair<Hash128, RowLocation>) + 1;

size_t CapacityFor(size_t entries) { return entries + entries / 4 + 8; }  // at most 80 % full

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

size_t DedupeIndex::Shard::Home(const Hash128& key) const {
  return static_cast<size_t>(static_cast<unsigned __int128>(key.low) * capacity >> 64);
}

DedupeIndex::Entry* DedupeIndex::Shard::Find(const Hash128& key) {
  size_t slot = Home(key);
  while (slots[slot].location != 0 && slots[slot].key != key) slot = slot + 1 == capacity ? 0 : slot + 1;
  return &slots[slot];
}

// Closes the gap by moving later entries of the same probe sequence back, so that no tombstones are needed.
void DedupeIndex::Shard::Erase(const Hash128& key) {
  size_t gap = static_cast<size_t>(Find(key) - slots.get());
  if (slots[gap].location == 0) return;
  slots[gap].location = 0;
  --used;
  for (size_t slot = gap + 1 == capacity ? 0 : gap + 1; slots[slot].location != 0;
       slot = slot + 1 == capacity ? 0 : slot + 1) {
    Entry entry = slots[slot];
    slots[slot].location = 0;
    *Find(entry.key) = entry;
  }
}

bool DedupeIndex::Shard::Grow(size_t new_capacity) {
  auto* fresh = static_cast<Entry*>(std::calloc(new_capacity, sizeof(Entry)));
  if (fresh == nullptr) return false;
  std::unique_ptr<Entry[], Free> old(slots.release());
  size_t old_capacity = capacity;
  slots.reset(fresh);
  capacity = new_capacity;
  for (size_t i = 0; i < old_capacity; ++i) {
    if (old[i].location != 0) *Find(old[i].key) = old[i];
  }
  return true;
}

size_t DedupeIndex::bytes() const {
  size_t slots = 0;
  for (const Shard& shard : shards_) slots += shard.capacity;
  return slots * sizeof(Entry) + superseded_.capacity() * kSupersededEntryBytes;
}

size_t DedupeIndex::size() const {
  size_t used = 0;
  for (const Shard& shard : shards_) used += shard.used;
  return used;
}

absl::Status DedupeIndex::Reserve(const std::vector<const RecordIds*>& batches) {
  return ReserveWithin(batches, max_bytes_);
}

absl::Status DedupeIndex::ReserveWithin(const std::vector<const RecordIds*>& batches, size_t max_bytes) {
  std::array<size_t, kShards> rows{};
  size_t all_rows = 0;
  for (const RecordIds* ids : batches) {
    for (const Hash128& key : ids->keys) ++rows[key.high >> 58];
    all_rows += ids->keys.size();
  }
  auto full = [&] {
    return Error(absl::StatusCode::kResourceExhausted, "DEDUPE_INDEX_FULL",
                 absl::StrCat("the index of ", size(), " records fills its ", max_bytes >> 20,
                              " MiB; give it more with --dedupe-memory, or more machines"));
  };
  // In the worst case every row replaces a version, and the table of older content doubles.
  size_t superseded_growth = 0;
  if (superseded_.size() + all_rows > superseded_.capacity() / 8 * 7) {
    superseded_growth = std::max(superseded_.capacity(), size_t{16}) * kSupersededEntryBytes;
  }
  size_t now = bytes();
  if (!superseded_.empty() && now + superseded_growth > max_bytes) return full();
  size_t growth = 0;
  std::array<size_t, kShards> target{};
  for (size_t i = 0; i < kShards; ++i) {
    const Shard& shard = shards_[i];
    size_t needed = CapacityFor(shard.used + rows[i]);
    if (rows[i] == 0 || needed <= shard.capacity) continue;
    target[i] = std::max(needed, shard.capacity + shard.capacity / 2);
    growth += (target[i] - shard.capacity) * sizeof(Entry);
  }
  if (growth == 0) return absl::OkStatus();
  if (now + growth > max_bytes) return full();
  for (size_t i = 0; i < kShards; ++i) {
    if (target[i] != 0 && !shards_[i].Grow(target[i])) return full();
  }
  return absl::OkStatus();
}

void DedupeIndex::Prefetch(const RecordIds& ids, size_t begin, size_t end) {
  for (size_t row = begin; row < end; ++row) {
    Shard& shard = ShardOf(ids.keys[row]);
    const char* slot = reinterpret_cast<const char*>(&shard.slots[shard.Home(ids.keys[row])]);
    __builtin_prefetch(slot, 1);
    __builtin_prefetch(slot + sizeof(Entry) - 1, 1);  // an entry may lie across two cache lines
  }
}

void DedupeIndex::Insert(Shard& shard, Entry* slot, const Entry& entry) {
  *slot = entry;
  ++shard.used;
  inserted_.push_back(entry.key);
}

void DedupeIndex::Supersede(const Hash128& id, RowLocation location) {
  if (superseded_.try_emplace(id, location).second) newly_superseded_.push_back(id);
}

std::vector<uint32_t> DedupeIndex::Undecided(const RecordIds& ids, int64_t observed_us) {
  std::vector<uint32_t> rows;
  for (size_t row = 0; row < ids.keys.size(); ++row) {
    if (row % kPrefetchRows == 0) Prefetch(ids, row, std::min(row + kPrefetchRows, ids.keys.size()));
    Shard& shard = ShardOf(ids.keys[row]);
    const Entry* newest = shard.capacity == 0 ? nullptr : shard.Find(ids.keys[row]);
    bool decided = newest != nullptr && newest->location != 0 &&
                   (newest->id == ids.ids[row] || newest->observed_us <= observed_us);
    if (!decided) rows.push_back(static_cast<uint32_t>(row));
  }
  return rows;
}

DedupeOutcome DedupeIndex::Apply(const RecordIds& ids, int64_t observed_us, uint64_t chunk,
                                 const SealedVersions& sealed) {
  DedupeOutcome outcome;
  for (size_t row = 0; row < ids.keys.size(); ++row) {
    if (row % kPrefetchRows == 0) Prefetch(ids, row, std::min(row + kPrefetchRows, ids.keys.size()));
    Entry incoming{ids.keys[row], ids.ids[row], observed_us, MakeLocation(chunk, static_cast<uint32_t>(row))};
    Shard& shard = ShardOf(incoming.key);
    Entry* slot = shard.Find(incoming.key);
    bool unsealed = slot->location != 0;
    const SealedVersion* in_part = nullptr;
    if (auto found = sealed.find(static_cast<uint32_t>(row)); !sealed.empty() && found != sealed.end()) {
      in_part = &found->second;
    }
    // An unsealed newest version is newer than all that is sealed.
    Entry newest = *slot;
    if (!unsealed && in_part != nullptr) newest = {incoming.key, in_part->id, in_part->observed_us, in_part->location};
    if (newest.location == 0) {
      Insert(shard, slot, incoming);
    } else if (newest.id == incoming.id) {
      outcome.duplicates.push_back(newest.location);
      continue;
    } else if (observed_us >= newest.observed_us) {
      outcome.superseded.push_back(newest.location);
      if (unsealed) {
        Supersede(newest.id, newest.location);
        replaced_.push_back(newest);
        *slot = incoming;
      } else {
        Insert(shard, slot, incoming);
      }
    } else if (auto seen = superseded_.find(incoming.id); seen != superseded_.end()) {
      outcome.duplicates.push_back(seen->second);
      continue;
    } else if (in_part != nullptr && in_part->same != 0) {
      outcome.duplicates.push_back(in_part->same);
      continue;
    } else {
      outcome.superseded.push_back(incoming.location);
      Supersede(incoming.id, incoming.location);
    }
    outcome.stored.Add(static_cast<uint32_t>(row));
    ++outcome.stored_count;
  }
  return outcome;
}

DedupeIndex::Kept DedupeIndex::Keep(const RecordIds& ids, const RowSet& rows) {
  Kept kept;
  rows.ForEach(0, [&](uint32_t row) {
    if (row >= ids.ids.size()) return false;
    kept.ids.ids.push_back(ids.ids[row]);
    kept.ids.keys.push_back(ids.keys[row]);
    kept.rows.push_back(row);
    return true;
  });
  absl::Status reserved = ReserveWithin({&kept.ids}, std::numeric_limits<size_t>::max());
  if (!reserved.ok()) std::abort();  // the machine itself is out of memory
  return kept;
}

void DedupeIndex::Load(const RecordIds& ids, int64_t observed_us, uint64_t chunk, const RowSet& stored,
                       const RowSet& superseded) {
  Kept kept = Keep(ids, stored);
  for (size_t i = 0; i < kept.rows.size(); ++i) {
    if (i % kPrefetchRows == 0) Prefetch(kept.ids, i, std::min(i + kPrefetchRows, kept.rows.size()));
    Entry entry{kept.ids.keys[i], kept.ids.ids[i], observed_us, MakeLocation(chunk, kept.rows[i])};
    Shard& shard = ShardOf(entry.key);
    Entry* slot = shard.Find(entry.key);
    if (superseded.Contains(kept.rows[i])) {
      superseded_.try_emplace(entry.id, entry.location);
    } else if (slot->location == 0) {
      *slot = entry;
      ++shard.used;
    }
  }
}

std::vector<RowLocation> DedupeIndex::Replay(const RecordIds& ids, int64_t observed_us, uint64_t chunk,
                                             const RowSet& stored) {
  Kept kept = Keep(ids, stored);
  std::vector<RowLocation> superseded;
  for (size_t i = 0; i < kept.rows.size(); ++i) {
    if (i % kPrefetchRows == 0) Prefetch(kept.ids, i, std::min(i + kPrefetchRows, kept.rows.size()));
    Entry incoming{kept.ids.keys[i], kept.ids.ids[i], observed_us, MakeLocation(chunk, kept.rows[i])};
    Shard& shard = ShardOf(incoming.key);
    Entry* newest = shard.Find(incoming.key);
    if (newest->location == 0) {
      *newest = incoming;
      ++shard.used;
    } else if (observed_us >= newest->observed_us) {
      superseded.push_back(newest->location);
      superseded_.try_emplace(newest->id, newest->location);
      *newest = incoming;
    } else {
      superseded.push_back(incoming.location);
      superseded_.try_emplace(incoming.id, incoming.location);
    }
  }
  return superseded;
}

void DedupeIndex::Forget(const std::vector<uint64_t>& chunks) {
  auto sealed = [&](RowLocation location) {
    return std::binary_search(chunks.begin(), chunks.end(), LocationChunk(location));
  };
  for (Shard& shard : shards_) {
    std::vector<Entry> kept;
    for (size_t i = 0; i < shard.capacity; ++i) {
      if (shard.slots[i].location != 0 && !sealed(shard.slots[i].location)) kept.push_back(shard.slots[i]);
    }
    if (kept.size() == shard.used) continue;
    Shard smaller;
    if (!kept.empty() && !smaller.Grow(CapacityFor(kept.size()))) continue;  // keeping what is sealed does no harm
    for (const Entry& entry : kept) *smaller.Find(entry.key) = entry;
    smaller.used = kept.size();
    shard = std::move(smaller);
  }
  absl::flat_hash_map<Hash128, RowLocation> kept;
  for (const auto& [id, location] : superseded_) {
    if (!sealed(location)) kept.emplace(id, location);
  }
  superseded_ = std::move(kept);
}

void DedupeIndex::Clear() {
  for (Shard& shard : shards_) shard = Shard();
  superseded_.clear();
  Commit();
}

void DedupeIndex::Commit() {
  replaced_.clear();
  inserted_.clear();
  newly_superseded_.clear();
}

void DedupeIndex::Undo() {
  for (auto entry = replaced_.rbegin(); entry != replaced_.rend(); ++entry)
    *ShardOf(entry->key).Find(entry->key) = *entry;
  for (const Hash128& key : inserted_) ShardOf(key).Erase(key);
  for (const Hash128& id : newly_superseded_) superseded_.erase(id);
  Commit();
}

}  // namespace chartly::aggregator
