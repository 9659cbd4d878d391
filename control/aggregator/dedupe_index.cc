#include "control/aggregator/dedupe_index.h"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <limits>
#include <numeric>
#include <optional>
#include <utility>

#include "absl/base/attributes.h"
#include "absl/strings/str_cat.h"
#include "common/status/status.h"

namespace chartly::aggregator {
namespace {

// How many rows ahead slots are fetched from memory.
constexpr size_t kPrefetchRows = 32;
// A table that large takes long to get from the system.
constexpr size_t kManySlots = size_t{1} << 18;
// Slots that are looked through together.
constexpr size_t kBlock = 512;
constexpr size_t kSupersededEntryBytes = sizeof(std::pair<Hash128, RowLocation>) + 1;
// What a batch that is held takes beside its ids and its stretches, with what the allocator adds.
constexpr size_t kBatchBytes = 160;

size_t CapacityFor(size_t entries) { return entries + entries / 2 + 8; }  // at most two thirds full

size_t IdBytes(const RecordIds& ids) {
  return (ids.ids.capacity() + ids.keys.capacity()) * sizeof(Hash128) + kBatchBytes;
}

// Takes the slots that are not free and fit, and says how many. Which those are can be foretold of none, so each is
// written and only the place of the next one depends on it: a branch would be guessed wrong every other time.
template <typename Fits>
size_t Choose(const uint64_t* slots, size_t count, uint64_t* chosen, Fits fits) {
  size_t some = 0;
  for (size_t i = 0; i < count; ++i) {
    const uint64_t slot = slots[i];
    chosen[some] = slot;
    some += static_cast<size_t>(slot != 0) & static_cast<size_t>(fits(slot));
  }
  return some;
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

void DedupeIndex::Place(Slot slot) {
  size_t at = Home(TagOf(slot));
  while (slots_[at] != 0) at = After(at);
  slots_[at] = slot;
}

bool DedupeIndex::Resize(size_t slots) { return MoveTo(SlotArray::Make(slots)); }

bool DedupeIndex::MoveTo(std::optional<SlotArray> made) {
  if (!made) return false;
  const SlotArray old = std::exchange(slots_, *std::move(made));
  std::array<Slot, kBlock> taken;
  for (size_t at = 0; at < old.size(); at += kBlock) {
    const size_t some = Choose(&old[at], std::min(kBlock, old.size() - at), taken.data(), [](Slot) { return true; });
    for (size_t i = 0; i < some; ++i) Place(taken[i]);
  }
  return true;
}

void DedupeIndex::MakeNext(size_t rows, size_t bytes_added) {
  const size_t target = 2 * slots_.size();
  if (next_slots_ > 0 || slots_.size() < kManySlots || CapacityFor(used_ + rows) < slots_.size() / 4 * 3) return;
  if (bytes() + bytes_added + target * sizeof(Slot) > max_bytes_) return;
  next_slots_ = target;
  next_ = std::async(std::launch::async, [target] {
    std::optional<SlotArray> made = SlotArray::Make(target);
    if (made) made->Touch();
    return made;
  });
}

void DedupeIndex::DropNext() {
  next_ = {};
  next_slots_ = 0;
}

inline DedupeIndex::Slot* DedupeIndex::Find(const Hash128& key) {
  const uint64_t tag = TagOf(key);
  for (size_t at = Home(tag);; at = After(at)) {
    Slot& slot = slots_[at];
    if (slot == 0) return &slot;
    if (TagOf(slot) != tag) continue;
    const Stretch& stretch = stretches_[StretchOf(slot)];
    if (stretch.ids->keys[stretch.first_row + RowOf(slot)] == key) return &slot;
  }
}

// Closes the gap by moving later slots of the same probe sequence back, so that no tombstones are needed.
void DedupeIndex::Erase(const Hash128& key) {
  auto gap = static_cast<size_t>(Find(key) - &slots_[0]);
  if (slots_[gap] == 0) return;
  slots_[gap] = 0;
  --used_;
  for (size_t at = After(gap); slots_[at] != 0; at = After(at)) Place(std::exchange(slots_[at], 0));
}

// As a call it would be taken for one without effect, and left out.
ABSL_ATTRIBUTE_ALWAYS_INLINE inline void DedupeIndex::Prefetch(const RecordIds& ids, size_t row) {
  if (row < ids.keys.size()) __builtin_prefetch(&slots_[Home(TagOf(ids.keys[row]))], 1);
}

inline DedupeIndex::Version DedupeIndex::At(Slot slot) const {
  if (slot == 0) return {};
  const Stretch& stretch = stretches_[StretchOf(slot)];
  const uint32_t row = stretch.first_row + RowOf(slot);
  return {stretch.ids->ids[row], stretch.observed_us, MakeLocation(stretch.chunk, row)};
}

size_t DedupeIndex::bytes() const {
  return slots_.bytes() + next_slots_ * sizeof(Slot) + held_bytes_ + superseded_.capacity() * kSupersededEntryBytes;
}

absl::Status DedupeIndex::Full(size_t max_bytes) const {
  return Error(absl::StatusCode::kResourceExhausted, "DEDUPE_INDEX_FULL",
               absl::StrCat("the index of ", size(), " records fills its ", max_bytes >> 20,
                            " MiB; give it more with --dedupe-memory, or more machines"));
}

absl::Status DedupeIndex::Reserve(const std::vector<const RecordIds*>& batches) {
  size_t rows = 0;
  size_t bytes_added = 0;
  for (const RecordIds* ids : batches) {
    rows += ids->keys.size();
    bytes_added += IdBytes(*ids);
  }
  bytes_added += ((rows >> kRowBits) + batches.size()) * sizeof(Stretch);
  // In the worst case every row replaces a version, and the table of older content doubles.
  if (!superseded_.empty() && superseded_.size() + rows > superseded_.capacity() / 8 * 7) {
    bytes_added += std::max(superseded_.capacity(), size_t{16}) * kSupersededEntryBytes;
  }
  // Where there is little room the next table is the first to go.
  if (bytes() + bytes_added > max_bytes_) DropNext();
  const bool fits = bytes() + bytes_added <= max_bytes_ && HasNumbersFor(rows, batches.size());
  if (!fits || !GrowFor(rows, max_bytes_ - bytes_added)) return Full(max_bytes_);
  MakeNext(rows, bytes_added);
  return absl::OkStatus();
}

bool DedupeIndex::HasNumbersFor(size_t rows, size_t batches) const {
  const size_t taken = stretches_.size() - free_numbers_.size();
  return taken + (rows >> kRowBits) + batches <= size_t{1} << kStretchBits;
}

bool DedupeIndex::GrowFor(size_t rows, size_t max_bytes) {
  const size_t needed = CapacityFor(used_ + rows);
  if (needed <= slots_.size()) return true;
  std::optional<SlotArray> next;
  if (next_slots_ >= needed) next = next_.get();
  DropNext();
  if (next && bytes() + next->bytes() <= max_bytes) return MoveTo(std::move(next));
  // While it grows the table is there twice.
  for (const size_t target : {std::max(needed, 2 * slots_.size()), needed}) {
    if (bytes() + target * sizeof(Slot) <= max_bytes) return Resize(target);
  }
  return false;
}

DedupeIndex::Stretches DedupeIndex::Hold(const RecordIdsPtr& ids, int64_t observed_us, uint64_t chunk) {
  Stretches numbers;
  for (uint32_t row = 0; row < ids->keys.size(); row += uint32_t{1} << kRowBits) {
    if (free_numbers_.empty()) {
      free_numbers_.push_back(static_cast<uint32_t>(stretches_.size()));
      stretches_.emplace_back();
    }
    numbers.push_back(free_numbers_.back());
    free_numbers_.pop_back();
    stretches_[numbers.back()] = {ids, observed_us, chunk, row};
    held_bytes_ += sizeof(Stretch) + (row == 0 ? IdBytes(*ids) : 0);
  }
  return numbers;
}

void DedupeIndex::Release(const Stretches& stretches) {
  for (uint32_t number : stretches) {
    Stretch& stretch = stretches_[number];
    held_bytes_ -= sizeof(Stretch) + (stretch.first_row == 0 ? IdBytes(*stretch.ids) : 0);
    stretch = Stretch();
    free_numbers_.push_back(number);
  }
}

void DedupeIndex::Supersede(const Hash128& id, RowLocation location) {
  if (superseded_.try_emplace(id, location).second) newly_superseded_.push_back(id);
}

std::vector<uint32_t> DedupeIndex::Undecided(const RecordIds& ids, int64_t observed_us) {
  std::vector<uint32_t> rows;
  if (used_ == 0) {
    rows.resize(ids.keys.size());
    std::iota(rows.begin(), rows.end(), 0);
    return rows;
  }
  for (size_t row = 0; row < kPrefetchRows; ++row) Prefetch(ids, row);
  for (size_t row = 0; row < ids.keys.size(); ++row) {
    Prefetch(ids, row + kPrefetchRows);
    const Version newest = At(*Find(ids.keys[row]));
    const bool decided = newest.location != 0 && (newest.id == ids.ids[row] || newest.observed_us <= observed_us);
    if (!decided) rows.push_back(static_cast<uint32_t>(row));
  }
  return rows;
}

DedupeOutcome DedupeIndex::Apply(const RecordIdsPtr& batch, int64_t observed_us, uint64_t chunk,
                                 const SealedVersions& sealed) {
  DedupeOutcome outcome;
  const RecordIds& ids = *batch;
  const Stretches held = Hold(batch, observed_us, chunk);
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
        ++used_;
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
    newly_held_.insert(newly_held_.end(), held.begin(), held.end());
  } else {
    Release(held);
  }
  return outcome;
}

void DedupeIndex::ForceRoom(const RecordIds& ids) {
  const size_t rows = ids.keys.size();
  // The machine itself is out of memory.
  if (!HasNumbersFor(rows, 1) || !GrowFor(rows, std::numeric_limits<size_t>::max())) std::abort();
}

void DedupeIndex::Load(const RecordIdsPtr& batch, int64_t observed_us, uint64_t chunk, const RowSet& stored,
                       const RowSet& superseded) {
  const RecordIds& ids = *batch;
  ForceRoom(ids);
  const Stretches held = Hold(batch, observed_us, chunk);
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
    ++used_;
    return true;
  });
  if (stored.empty()) Release(held);
}

std::vector<RowLocation> DedupeIndex::Replay(const RecordIdsPtr& batch, int64_t observed_us, uint64_t chunk,
                                             const RowSet& stored) {
  const RecordIds& ids = *batch;
  ForceRoom(ids);
  const Stretches held = Hold(batch, observed_us, chunk);
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
      ++used_;
    }
    *slot = MakeSlot(ids.keys[row], held, row);
    return true;
  });
  if (stored.empty()) Release(held);
  return superseded;
}

void DedupeIndex::Forget(const std::vector<uint64_t>& chunks) {
  auto sealed = [&](uint64_t chunk) { return std::binary_search(chunks.begin(), chunks.end(), chunk); };
  std::vector<uint8_t> kept(stretches_.size(), 1);
  Stretches gone;
  for (uint32_t i = 0; i < stretches_.size(); ++i) {
    if (stretches_[i].ids == nullptr || !sealed(stretches_[i].chunk)) continue;
    kept[i] = 0;
    gone.push_back(i);
  }
  if (!gone.empty()) ForgetSlots(kept);
  Release(gone);
  absl::flat_hash_map<Hash128, RowLocation> superseded;
  for (const auto& [id, location] : superseded_) {
    if (!sealed(LocationChunk(location))) superseded.emplace(id, location);
  }
  superseded_ = std::move(superseded);
}

void DedupeIndex::ForgetSlots(const std::vector<uint8_t>& kept) {
  // In order, from a free slot on: what stays finds a place between where it belongs and where it was.
  size_t begin = 0;
  while (begin < slots_.size() && slots_[begin] != 0) ++begin;
  std::array<Slot, kBlock> staying;
  used_ = 0;
  for (size_t done = 0, count = 0; done < slots_.size(); done += count) {
    const size_t at = (begin + done) % slots_.size();
    count = std::min({kBlock, slots_.size() - done, slots_.size() - at});
    const size_t some =
        Choose(&slots_[at], count, staying.data(), [&](Slot slot) { return kept[StretchOf(slot)] != 0; });
    std::fill_n(&slots_[at], count, 0);
    for (size_t i = 0; i < some; ++i) Place(staying[i]);
    used_ += some;
  }
  // What the next batches need again is not given back.
  const size_t needed = CapacityFor(used_);
  if (needed < slots_.size() / 2) DropNext();
  if (used_ == 0) {
    slots_ = SlotArray();
  } else if (needed < slots_.size() / 4) {
    Resize(needed);
  }
}

void DedupeIndex::Clear() {
  DropNext();
  slots_ = SlotArray();
  used_ = 0;
  stretches_ = std::vector<Stretch>(1);
  free_numbers_.clear();
  held_bytes_ = 0;
  superseded_.clear();
  Commit();
}

void DedupeIndex::Commit(const Changes& first) {
  replaced_.erase(replaced_.begin(), replaced_.begin() + static_cast<ptrdiff_t>(first.replaced));
  newly_held_.erase(newly_held_.begin(), newly_held_.begin() + static_cast<ptrdiff_t>(first.held));
  newly_superseded_.erase(newly_superseded_.begin(),
                          newly_superseded_.begin() + static_cast<ptrdiff_t>(first.superseded));
}

void DedupeIndex::Undo() {
  for (auto one = replaced_.rbegin(); one != replaced_.rend(); ++one) *Find(one->key) = one->slot;
  for (uint32_t number : newly_held_) {
    const Stretch& stretch = stretches_[number];
    const std::vector<Hash128>& keys = stretch.ids->keys;
    const size_t end = std::min(keys.size(), stretch.first_row + (size_t{1} << kRowBits));
    for (size_t row = stretch.first_row; row < end; ++row) {
      if (StretchOf(*Find(keys[row])) == number) Erase(keys[row]);
    }
  }
  // Not before: until here slots of one lie among those of others.
  Release(newly_held_);
  for (const Hash128& id : newly_superseded_) superseded_.erase(id);
  Commit();
}

}  // namespace chartly::aggregator
