#include "control/aggregator/part_filter.h"

#include "common/status/status.h"
#include "test/support/test.h"

namespace chartly::aggregator {
namespace {

uint64_t Mix(uint64_t number) {
  number = (number ^ number >> 30) * 0xbf58476d1ce4e5b9;
  number = (number ^ number >> 27) * 0x94d049bb133111eb;
  return number ^ number >> 31;
}

Hash128 Key(uint64_t number) { return {Mix(number + 1), Mix(number + 0x9e3779b97f4a7c15)}; }

TEST_CASE("a filter knows every key that it was given and rules out nearly all others") {
  constexpr uint64_t kKeys = 100000;
  PartFilter filter(kKeys);
  std::vector<Hash128> keys;
  for (uint64_t i = 0; i < kKeys; ++i) keys.push_back(Key(i));
  filter.Add(keys);
  CHECK(filter.bytes() <= kKeys * 3 + 64);
  size_t wrong = 0;
  for (uint64_t i = 0; i < kKeys; ++i) {
    CHECK(filter.MayContain(Key(i)));
    wrong += filter.MayContain(Key(i + kKeys)) ? 1 : 0;
  }
  CHECK(wrong < kKeys / 2000);
}

TEST_CASE("filters over ids name each chunk that has the id, and few others") {
  constexpr uint64_t kRows = 1000;
  constexpr uint32_t kChunks = 100;
  IdFilters ids;
  for (uint64_t chunk = 0; chunk < kChunks; ++chunk) {
    std::vector<Hash128> rows;
    for (uint64_t row = 0; row < kRows; ++row) rows.push_back(Key(chunk * kRows + row));
    ids.AddChunk(IdFilters::OfChunk(rows));
  }
  CHECK(ids.bytes() <= IdFilters::BytesFor(kRows * kChunks) + kChunks * 64);
  size_t wrong = 0;
  for (uint64_t i = 0; i < kRows * kChunks; ++i) {
    for (uint32_t chunk = 0; chunk < kChunks; ++chunk) {
      const bool may = ids.MayContain(chunk, Key(i));
      if (i / kRows == chunk && !may) FAIL("id " << i << " is not found in chunk " << chunk);
      wrong += i / kRows != chunk && may ? 1 : 0;
    }
  }
  CHECK(wrong < kRows * kChunks * kChunks / 100);
  CHECK(ids.MayContain(kChunks, Key(0)));
  ids.AddUnknownChunk();
  CHECK(ids.MayContain(kChunks, Key(0)));
}

}  // namespace
}  // namespace chartly::aggregator
