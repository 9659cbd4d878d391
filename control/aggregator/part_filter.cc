#include "control/aggregator/part_filter.h"

#include <algorithm>

namespace chartly::aggregator {
namespace {

constexpr uint64_t kBitsPerId = 16;
constexpr uint64_t kBlockBits = 512;
// How many keys ahead blocks are fetched from memory.
constexpr size_t kPrefetchKeys = 16;

}  // namespace

PartFilter::PartFilter(uint64_t keys, uint64_t bits_per_key)
    : blocks_(static_cast<size_t>(std::max<uint64_t>((keys * bits_per_key + kBlockBits - 1) / kBlockBits, 1)),
              Block{}) {}

// The block is chosen by the low half of the key, one bit in each of its eight words by six bits of the high half.
void PartFilter::Add(absl::Span<const Hash128> keys) {
  for (size_t i = 0; i < keys.size(); ++i) {
    if (i + kPrefetchKeys < keys.size()) __builtin_prefetch(&blocks_[BlockOf(keys[i + kPrefetchKeys])], 1);
    Block& block = blocks_[BlockOf(keys[i])];
    for (int word = 0; word < 8; ++word) block.words[word] |= uint64_t{1} << (keys[i].high >> (word * 6) & 63);
  }
}

bool PartFilter::MayContain(const Hash128& key) const {
  const Block& block = blocks_[BlockOf(key)];
  uint64_t all = 1;
  for (int word = 0; word < 8; ++word) all &= block.words[word] >> (key.high >> (word * 6) & 63);
  return all != 0;
}

size_t IdFilters::BytesFor(uint64_t rows) { return static_cast<size_t>(rows * kBitsPerId / 8); }

PartFilter IdFilters::OfChunk(absl::Span<const Hash128> ids) {
  PartFilter filter(ids.size(), kBitsPerId);
  filter.Add(ids);
  return filter;
}

size_t IdFilters::bytes() const {
  size_t bytes = 0;
  for (const std::optional<PartFilter>& chunk : chunks_) bytes += chunk.has_value() ? chunk->bytes() : 0;
  return bytes;
}

}  // namespace chartly::aggregator
