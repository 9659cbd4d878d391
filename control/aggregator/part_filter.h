// Tells for most keys that are not in a part that they are not: a Bloom filter whose bits for one key lie in one cache
// line. What it does not rule out is looked up. Says maybe to about one in ten thousand keys that are not there. Lives
// in memory alone: on disk it would outweigh the rows of regular data, and the keys in the part say all that it does.
// IdFilters are the same for the ids of the rows of each chunk, which only questions ask for: smaller, and wrong more
// often (docs/adr/0036-ids-are-found-by-filters.md).
//
// Add from one thread; a const filter may be read from several.
#ifndef CHARTLY_CONTROL_AGGREGATOR_PART_FILTER_H_
#define CHARTLY_CONTROL_AGGREGATOR_PART_FILTER_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "absl/types/span.h"
#include "common/batch/record_id.h"

namespace chartly::aggregator {

class PartFilter {
 public:
  static constexpr uint64_t kBitsPerKey = 24;
  // For that many keys.
  explicit PartFilter(uint64_t keys, uint64_t bits_per_key = kBitsPerKey);

  void Add(absl::Span<const Hash128> keys);
  bool MayContain(const Hash128& key) const;
  // Asks for the memory that MayContain will read.
  void Prefetch(const Hash128& key) const { __builtin_prefetch(&blocks_[BlockOf(key)]); }
  size_t bytes() const { return blocks_.size() * sizeof(Block); }

 private:
  struct alignas(64) Block {
    uint64_t words[8];
  };
  size_t BlockOf(const Hash128& key) const {
    return static_cast<size_t>(static_cast<unsigned __int128>(key.low) * blocks_.size() >> 64);
  }
  std::vector<Block> blocks_;
};

// Which chunks of a part may have a row with an id. Says maybe of one chunk in 1,000 that has none.
class IdFilters {
 public:
  // What those of that many rows take, about.
  static size_t BytesFor(uint64_t rows);
  // Over the ids of the rows of one chunk. A pure function.
  static PartFilter OfChunk(absl::Span<const Hash128> ids);
  // The next chunk; or one of which nothing is known, so that any id may be in it.
  void AddChunk(PartFilter chunk) { chunks_.push_back(std::move(chunk)); }
  void AddUnknownChunk() { chunks_.emplace_back(); }
  bool MayContain(uint32_t chunk, const Hash128& id) const {
    return chunk >= chunks_.size() || !chunks_[chunk].has_value() || chunks_[chunk]->MayContain(id);
  }
  size_t bytes() const;

 private:
  std::vector<std::optional<PartFilter>> chunks_;
};

}  // namespace chartly::aggregator

#endif  // CHARTLY_CONTROL_AGGREGATOR_PART_FILTER_H_
