#include "control/reporter/key_sort.h"

#include <algorithm>
#include <array>
#include <numeric>

namespace chartly::reporter {
namespace {

constexpr int kDigitBits = 11;
// Below, the buckets cost more than comparing.
constexpr size_t kFewKeys = 2048;
constexpr size_t kBuckets = size_t{1} << kDigitBits;

struct Item {
  uint64_t key;
  uint32_t row;
};

// One pass over one digit; false if all keys have the same digit there, and nothing was moved.
bool SortByDigit(const std::vector<Item>& from, int shift, std::vector<Item>& to) {
  std::array<uint32_t, kBuckets + 1> starts{};
  for (const Item& item : from) ++starts[(item.key >> shift & (kBuckets - 1)) + 1];
  if (std::any_of(starts.begin(), starts.end(), [&](uint32_t count) { return count == from.size(); })) return false;
  for (size_t i = 1; i <= kBuckets; ++i) starts[i] += starts[i - 1];
  for (const Item& item : from) to[starts[item.key >> shift & (kBuckets - 1)]++] = item;
  return true;
}

}  // namespace

std::vector<uint32_t> SortedByKey(const std::vector<uint64_t>& keys) {
  std::vector<uint32_t> order(keys.size());
  std::iota(order.begin(), order.end(), 0);
  if (std::is_sorted(keys.begin(), keys.end())) return order;
  if (keys.size() < kFewKeys) {
    std::stable_sort(order.begin(), order.end(), [&](uint32_t a, uint32_t b) { return keys[a] < keys[b]; });
    return order;
  }
  std::vector<Item> items(keys.size()), spare(keys.size());
  uint64_t all_bits = 0;
  for (uint32_t i = 0; i < keys.size(); ++i) {
    items[i] = {keys[i], i};
    all_bits |= keys[i];
  }
  for (int shift = 0; shift < 64 && (all_bits >> shift) != 0; shift += kDigitBits) {
    if (SortByDigit(items, shift, spare)) items.swap(spare);
  }
  for (size_t i = 0; i < items.size(); ++i) order[i] = items[i].row;
  return order;
}

}  // namespace chartly::reporter
