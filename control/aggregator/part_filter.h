// Tells for most keys that are not in a part that they are not: a Bloom filter whose bits for one key lie in one cache
// line. What it does not rule out is looked up. Says maybe to about one in ten thousand keys that are not there. Lives
// in memory alone: on disk it would outweigh the rows of regular data, and the keys in the part say all that it does.
//
// Add from one thread; a const filter may be read from several.
#ifndef CHARTLY_CONTROL_AGGREGATOR_PART_FILTER_H_
#define CHARTLY_CONTROL_AGGREGATOR_PART_FILTER_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "common/batch/record_id.h"

namespace chartly::aggregator {

class PartFilter {
 public:
  // For that many keys.
  explicit PartFilter(uint64_t keys);

  void Add(const Hash128& key);
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

}  // namespace chartly::aggregator

#endif  // CHARTLY_CONTROL_AGGREGATOR_PART_FILTER_H_
