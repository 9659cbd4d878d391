#include <atomic>
#include <map>
#include <thread>

#include "absl/strings/str_cat.h"
#include "common/kv/kv_backup.h"
#include "common/kv/kv_store.h"
#include "common/status/status.h"
#include "test/support/test.h"

namespace chartly {
namespace {

using testing::TempDir;

constexpr size_t kKeep = size_t{64} << 20;

std::unique_ptr<KvStore> Open(const std::string& path, Clock& clock, size_t keep = kKeep) {
  auto store = OpenKvStore(path, {.memory_bytes = size_t{8} << 20, .keep_log_bytes = keep, .clock = &clock});
  REQUIRE_OK(store);
  return *std::move(store);
}

void Put(KvStore& store, const std::string& key, const std::string& value, bool sync = true) {
  KvBatch batch;
  batch.Put(key, value);
  REQUIRE_OK(store.Write(batch, sync));
}

// All behind `position`, a little a time.
std::vector<KvLogBatch> ReadAll(KvStore& store, uint64_t position) {
  std::vector<KvLogBatch> all;
  while (true) {
    auto batches = store.ReadLog(position, 200);
    REQUIRE_OK(batches);
    if (batches->empty()) return all;
    for (KvLogBatch& batch : *batches) {
      REQUIRE(batch.first == position + 1);
      REQUIRE(batch.last == batch.first + batch.batch.ops().size() - 1);
      position = batch.last;
      all.push_back(std::move(batch));
    }
  }
}

}  // namespace

TEST_CASE("the log gives writes whole, in order, with their times, also over restarts") {
  TempDir dir;
  FakeClock clock;
  std::vector<int64_t> times;
  auto store = Open(dir.File("db"), clock);
  for (int64_t number = 0; number < 60; ++number) {
    if (number % 20 == 7) {
      store.reset();
      store = Open(dir.File("db"), clock);
    }
    clock.Advance(absl::Milliseconds(number));
    KvBatch batch;
    batch.Put(absl::StrCat("k", number), std::string(static_cast<size_t>(number) * 50, 'v'));
    if (number % 3 == 0) batch.Delete(absl::StrCat("k", number - 1));
    batch.Put("last", absl::StrCat(number));
    REQUIRE_OK(store->Write(batch, number % 2 == 0));
    times.push_back(absl::ToUnixMicros(clock.Now()));
  }
  const std::vector<KvLogBatch> log = ReadAll(*store, 0);
  REQUIRE(log.size() == 60);
  for (size_t i = 0; i < log.size(); ++i) {
    INFO(i);
    const std::vector<KvBatch::Op>& ops = log[i].batch.ops();
    CHECK(log[i].time_us == times[i]);
    REQUIRE(ops.size() == (i % 3 == 0 ? 3 : 2));
    CHECK(ops[0].key == absl::StrCat("k", i));
    CHECK(ops[0].value.size() == i * 50);
    if (i % 3 == 0) CHECK_FALSE(ops[1].put);
    CHECK(ops.back().value == absl::StrCat(i));
  }
  CHECK(log.back().last == store->LastSequence());
  CHECK(ReadAll(*store, log[40].last).front().first == log[41].first);
  CHECK(Reason(store->ReadLog(store->LastSequence() + 1, 1).status()) == "LOG_GAP");
}

TEST_CASE("writes that are committed together come apart in the log") {
  TempDir dir;
  SystemClock clock;
  auto store = Open(dir.File("db"), clock);
  std::vector<std::thread> writers;
  for (int writer = 0; writer < 4; ++writer) {
    writers.emplace_back([&store, writer] {
      for (int number = 0; number < 200; ++number) {
        KvBatch batch;
        batch.Put(absl::StrCat("w", writer), absl::StrCat(number));
        batch.Put("any", absl::StrCat(writer));
        if (!store->Write(batch, true).ok()) return;
      }
    });
  }
  // The reader follows while they write.
  std::map<std::string, int> next;
  uint64_t position = 0;
  size_t count = 0;
  while (count < 800) {
    auto batches = store->ReadLog(position, 1 << 20);
    REQUIRE_OK(batches);
    for (const KvLogBatch& batch : *batches) {
      REQUIRE(batch.batch.ops().size() == 2);
      CHECK(batch.batch.ops()[0].value == absl::StrCat(next[batch.batch.ops()[0].key]++));
      CHECK(batch.time_us > 0);
      position = batch.last;
      ++count;
    }
  }
  for (std::thread& writer : writers) writer.join();
  CHECK(position == store->LastSequence());
}

TEST_CASE("what is forgotten goes, what is not stays, and never more than the bound") {
  TempDir dir;
  FakeClock clock;
  auto store = Open(dir.File("db"), clock, size_t{24} << 20);
  const std::string megabyte(size_t{1} << 20, 'v');
  const auto fill = [&](int count) {
    for (int i = 0; i < count; ++i) Put(*store, absl::StrCat("k", i % 8), megabyte + std::to_string(i), false);
  };
  fill(20);
  const uint64_t first = store->LastSequence();
  CHECK(ReadAll(*store, 0).size() == first);
  fill(20);
  store->ForgetLog(first);
  // The write of that number stays, to be compared.
  CHECK(ReadAll(*store, first - 1).size() == store->LastSequence() - first + 1);
  fill(200);
  CHECK(Reason(store->ReadLog(first, 1).status()) == "LOG_GAP");
  CHECK_OK(store->ReadLog(store->LastSequence() - 2, 1));
  uint64_t bytes = 0;
  for (const auto& file : std::filesystem::directory_iterator(dir.File("db/archive"))) bytes += file.file_size();
  CHECK(bytes <= uint64_t{24 + 16 + 16} << 20);
}

TEST_CASE("a store that keeps no log leaves none of an earlier process") {
  TempDir dir;
  FakeClock clock;
  Open(dir.File("db"), clock)->ForgetLog(0);
  for (int i = 0; i < 3; ++i) Put(*Open(dir.File("db"), clock), absl::StrCat("k", i), "v");
  auto files = [&] {
    const auto folder = std::filesystem::directory_iterator(dir.File("db/archive"));
    return std::distance(begin(folder), end(folder));
  };
  CHECK(files() > 0);
  auto store = Open(dir.File("db"), clock, 0);
  CHECK(files() == 0);
  CHECK(*store->Get("k2") == "v");
}

TEST_CASE("a copy of a store knows its last write, and what is restored from it is another store") {
  TempDir dir;
  FakeClock clock;
  auto store = Open(dir.File("db"), clock);
  for (int i = 0; i < 10; ++i) Put(*store, absl::StrCat("k", i), "v");
  auto copy = store->BackUp(dir.File("copies"), [] { return false; });
  REQUIRE_OK(copy);
  CHECK(copy->last_sequence == store->LastSequence());
  Put(*store, "later", "v");
  REQUIRE_OK(RestoreKvBackup(dir.File("copies"), copy->number, dir.File("restored")));
  auto restored = Open(dir.File("restored"), clock);
  CHECK(restored->LastSequence() == copy->last_sequence);
  CHECK(*restored->Identity() != *store->Identity());
  const std::string before = *store->Identity();
  store.reset();
  CHECK(*Open(dir.File("db"), clock)->Identity() == before);
}

}  // namespace chartly
