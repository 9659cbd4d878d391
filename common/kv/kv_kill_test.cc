// Kills a writing process at random moments: what it said is stored must be there afterwards.
#include <algorithm>
#include <random>
#include <string>

#include "common/kv/kv_store.h"
#include "test/support/killed_writer.h"
#include "test/support/test.h"

namespace chartly {
namespace {

using testing::TempDir;

std::string Key(int64_t number) {
  std::string key;
  AppendBigEndian64(key, static_cast<uint64_t>(number));
  return key;
}

// Large and small values take different ways to the disk.
std::string ValueOf(int64_t number) {
  return std::string(number % 3 == 0 ? 300000 : 100, static_cast<char>('a' + number % 26));
}

TEST_CASE("writer that is killed", "[.writer]") {
  const char* path = testing::WriterPath();
  if (path == nullptr) return;
  auto store = OpenKvStore(path, {.memory_bytes = size_t{4} << 20, .large_values = true});
  REQUIRE_OK(store);
  int64_t next = 0;
  while ((*store)->Get(Key(next)).ok()) ++next;
  for (;; ++next) {
    KvBatch batch;
    batch.Put(Key(next), ValueOf(next));
    if (!(*store)->Write(batch, true).ok() || !testing::TellStored(next)) break;
  }
}

TEST_CASE("whatever a killed process acknowledged is there, and the store opens each time") {
  TempDir dir;
  std::mt19937 random(23);
  int64_t acked = -1;
  for (int round = 0; round < 25; ++round) {
    acked = testing::RunAndKill("[.writer]", dir.File("db"), 1 + random() % 60, acked);
    auto store = OpenKvStore(dir.File("db"), {.memory_bytes = size_t{4} << 20, .large_values = true});
    REQUIRE_OK(store);
    for (int64_t number = std::max<int64_t>(acked - 50, 0); number <= acked; ++number) {
      auto value = (*store)->Get(Key(number));
      REQUIRE_OK(value);
      CHECK(*value == ValueOf(number));
    }
  }
  CHECK(acked >= 24);
}

}  // namespace
}  // namespace chartly
