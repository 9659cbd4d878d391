#include "control/reporter/key_sort.h"

#include <algorithm>
#include <array>
#include <bit>
#include <numeric>

#include "control/reporter/parallel.h"

namespace chartly::reporter {
namespace {

// The first split makes buckets that mostly fit the cache; each is then sorted there, several at once.
constexpr int kSplitBits = 11;
constexpr int kDigitBits = 8;
// Below, counting digits costs more than comparing.
constexpr size_t kFewItems = 96;
constexpr size_t kFewKeys = 2048;
// Items of one bucket that fit the cache twice.
constexpr size_t kCachedItems = size_t{1} << 15;

struct Item {
  uint64_t key;
  uint32_t row;
  // Rows differ, so that any sort keeps equal keys in order.
  bool operator<(const Item& other) const { return key != other.key ? key < other.key : row < other.row; }
};

template <int kBits>
size_t DigitOf(uint64_t key, int shift) {
  return key >> shift & ((size_t{1} << kBits) - 1);
}

// A stable pass over one digit from `from` to `to`; where each bucket begins, and the end.
template <int kBits>
using Starts = std::array<uint32_t, (size_t{1} << kBits) + 1>;

template <int kBits, typename KeyOf>
Starts<kBits> CountDigits(size_t count, int shift, KeyOf&& key_of) {
  Starts<kBits> starts{};
  for (size_t i = 0; i < count; ++i) ++starts[DigitOf<kBits>(key_of(i), shift) + 1];
  for (size_t i = 1; i < starts.size(); ++i) starts[i] += starts[i - 1];
  return starts;
}

// Sorts by the lowest `bits` of the keys; the higher ones are equal. `spare` has the same room.
void SortItems(Item* items, Item* spare, size_t count, int bits) {
  if (count < 2 || bits <= 0) return;
  if (count < kFewItems) return std::sort(items, items + count);
  auto key_of = [&](size_t i) { return items[i].key; };
  if (count > kCachedItems) {
    const int shift = std::max(0, bits - kDigitBits);
    const Starts<kDigitBits> starts = CountDigits<kDigitBits>(count, shift, key_of);
    Starts<kDigitBits> next = starts;
    for (size_t i = 0; i < count; ++i) spare[next[DigitOf<kDigitBits>(items[i].key, shift)]++] = items[i];
    std::copy(spare, spare + count, items);
    for (size_t b = 0; b + 1 < starts.size(); ++b) {
      SortItems(items + starts[b], spare + starts[b], starts[b + 1] - starts[b], shift);
    }
    return;
  }
  Item *from = items, *to = spare;
  for (int shift = 0; shift < bits; shift += kDigitBits) {
    Starts<kDigitBits> starts = CountDigits<kDigitBits>(count, shift, [&](size_t i) { return from[i].key; });
    const size_t first = DigitOf<kDigitBits>(from[0].key, shift);
    if (starts[first + 1] - starts[first] == count) continue;  // all have the same digit here
    for (size_t i = 0; i < count; ++i) to[starts[DigitOf<kDigitBits>(from[i].key, shift)]++] = from[i];
    std::swap(from, to);
  }
  if (from != items) std::copy(from, from + count, items);
}

}  // namespace

BigVector<uint32_t> SortedByKey(const BigVector<uint64_t>& keys) {
  BigVector<uint32_t> order(keys.size());
  if (std::is_sorted(keys.begin(), keys.end())) {
    std::iota(order.begin(), order.end(), 0);
    return order;
  }
  if (keys.size() < kFewKeys) {
    std::iota(order.begin(), order.end(), 0);
    std::stable_sort(order.begin(), order.end(), [&](uint32_t a, uint32_t b) { return keys[a] < keys[b]; });
    return order;
  }
  uint64_t some = 0, all = ~uint64_t{0};
  for (uint64_t key : keys) {
    some |= key;
    all &= key;
  }
  const int bits = std::bit_width(some ^ all);
  const int shift = std::max(0, bits - kSplitBits);
  BigVector<Item> items(keys.size()), spare(keys.size());
  const Starts<kSplitBits> starts = CountDigits<kSplitBits>(keys.size(), shift, [&](size_t i) { return keys[i]; });
  Starts<kSplitBits> next = starts;
  for (uint32_t row = 0; row < keys.size(); ++row) {
    items[next[DigitOf<kSplitBits>(keys[row], shift)]++] = {keys[row], row};
  }
  InParallel(starts.size() - 1, [&](size_t b) {
    const size_t begin = starts[b], end = starts[b + 1];
    SortItems(items.data() + begin, spare.data() + begin, end - begin, shift);
    for (size_t i = begin; i < end; ++i) order[i] = items[i].row;
  });
  return order;
}

}  // namespace chartly::reporter
