#include "control/aggregator/part_filter.h"

#include <algorithm>

namespace chartly::aggregator {
namespace {

constexpr uint64_t kBitsPerKey = 24;
constexpr uint64_t kBlockBits = 512;

}  // namespace

PartFilter::PartFilter(uint64_t keys)
    : blocks_(static_cast<size_t>(std::max<uint64_t>((keys * kBitsPerKey + kBlockBits - 1) / kBlockBits, 1)), Block{}) {
}

// The block is chosen by the low half of the key, one bit in each of its eight words by six bits of the high half.
void PartFilter::Add(const Hash128& key) {
  Block& block = blocks_[BlockOf(key)];
  for (int word = 0; word < 8; ++word) block.words[word] |= uint64_t{1} << (key.high >> (word * 6) & 63);
}

bool PartFilter::MayContain(const Hash128& key) const {
  const Block& block = blocks_[BlockOf(key)];
  uint64_t all = 1;
  for (int word = 0; word < 8; ++word) all &= block.words[word] >> (key.high >> (word * 6) & 63);
  return all != 0;
}

}  // namespace chartly::aggregator
