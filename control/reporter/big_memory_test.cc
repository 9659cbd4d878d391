#include "control/reporter/big_memory.h"

#include <cstdint>
#include <cstring>
#include <optional>
#include <thread>
#include <vector>

#include "control/reporter/big_vector.h"
#include "control/reporter/memory_budget.h"
#include "test/support/test.h"

namespace chartly::reporter {
namespace {

constexpr size_t kMiB = size_t{1} << 20;

}  // namespace

TEST_CASE("blocks wait for the next taker while they are kept, and go with the last that keeps them") {
  std::optional<KeepBigMemory> outer(64 * kMiB);
  void* const first = TakeBigMemory(5 * kMiB);
  GiveBigMemory(first, 5 * kMiB);
  CHECK(KeepBigMemory::waiting() >= 5 * kMiB);
  CHECK(KeepBigMemory::waiting() <= 8 * kMiB);
  {
    const KeepBigMemory inner(8 * kMiB);
    void* const again = TakeBigMemory(6 * kMiB - 1);
    CHECK(again == first);
    CHECK(KeepBigMemory::waiting() == 0);
    GiveBigMemory(again, 6 * kMiB - 1);
  }
  CHECK(KeepBigMemory::waiting() > 0);
  outer.reset();
  CHECK(KeepBigMemory::waiting() == 0);
  GiveBigMemory(TakeBigMemory(5 * kMiB), 5 * kMiB);
  CHECK(KeepBigMemory::waiting() == 0);
}

TEST_CASE("no more waits than was allowed") {
  const KeepBigMemory keep(16 * kMiB);
  std::vector<void*> blocks;
  for (int i = 0; i < 20; ++i) blocks.push_back(TakeBigMemory(4 * kMiB));
  for (void* block : blocks) GiveBigMemory(block, 4 * kMiB);
  CHECK(KeepBigMemory::waiting() == 16 * kMiB);
}

TEST_CASE("blocks that wait make room for what reports take") {
  MemoryBudget budget(16 * kMiB);
  const KeepBigMemory keep(8 * kMiB);
  std::vector<void*> blocks;
  for (int i = 0; i < 4; ++i) blocks.push_back(TakeBigMemory(2 * kMiB));
  for (void* block : blocks) GiveBigMemory(block, 2 * kMiB);
  CHECK(KeepBigMemory::waiting() == 8 * kMiB);
  {
    Reservation reservation(budget);
    REQUIRE_OK(reservation.Grow(8 * kMiB));
    CHECK(KeepBigMemory::waiting() == 8 * kMiB);
    REQUIRE_OK(reservation.Grow(3 * kMiB));
    CHECK(KeepBigMemory::waiting() == 4 * kMiB);
    GiveBigMemory(TakeBigMemory(4 * kMiB), 4 * kMiB);  // one more, for which there is no room
    CHECK(KeepBigMemory::waiting() == 4 * kMiB);
    REQUIRE_OK(reservation.Grow(5 * kMiB));
    CHECK(KeepBigMemory::waiting() == 0);
  }
  GiveBigMemory(TakeBigMemory(4 * kMiB), 4 * kMiB);
  CHECK(KeepBigMemory::waiting() == 4 * kMiB);
}

TEST_CASE("columns that several threads make and drop never share a block") {
  const KeepBigMemory keep(256 * kMiB);
  std::vector<std::thread> threads;
  std::vector<int> wrong(4, 0);
  for (size_t t = 0; t < wrong.size(); ++t) {
    threads.emplace_back([t, &wrong] {
      for (size_t round = 0; round < 60; ++round) {
        BigVector<uint32_t> column((1 + round % 3) * kMiB);
        for (size_t i = 0; i < column.size(); i += 509) column[i] = static_cast<uint32_t>(t * 1000 + round);
        std::this_thread::yield();
        for (size_t i = 0; i < column.size(); i += 509) wrong[t] += column[i] != t * 1000 + round ? 1 : 0;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(wrong == std::vector<int>(4, 0));
}

}  // namespace chartly::reporter
