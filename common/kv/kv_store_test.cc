#include "common/kv/kv_store.h"

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <map>
#include <memory>
#include <random>
#include <thread>

#include "absl/strings/match.h"
#include "common/kv/rocksdb_opening.h"
#include "common/status/status.h"
#include "common/telemetry/metrics.h"
#include "test/support/test.h"

namespace chartly {
namespace {

using testing::Eventually;
using testing::TempDir;
using Model = std::map<std::string, std::string>;

std::unique_ptr<KvStore> Open(const std::string& path, bool large_values = false) {
  auto store = OpenKvStore(path, {.memory_bytes = size_t{8} << 20, .large_values = large_values});
  REQUIRE_OK(store);
  return *std::move(store);
}

// How often stores of this process were opened anew.
double OpenedAnew() {
  const std::string text = ScrapeMetrics(), name = "\nchartly_store_opened_anew_total ";
  const size_t at = text.find(name);
  return at == std::string::npos ? 0 : std::stod(text.substr(at + name.size()));
}

absl::Status PutOne(KvStore& store, const std::string& key, const std::string& value) {
  KvBatch batch;
  batch.Put(key, value);
  return store.Write(batch, true);
}

std::string NewestWal(const std::string& path) {
  std::string newest;
  for (const auto& entry : std::filesystem::directory_iterator(path)) {
    if (entry.path().extension() == ".log" && entry.path().string() > newest) newest = entry.path().string();
  }
  return newest;
}

Model ReadAll(const KvStore& store) {
  Model all;
  auto it = store.NewIterator();
  for (it->Seek(""); it->Valid(); it->Next()) all[std::string(it->key())] = std::string(it->value());
  CHECK_OK(it->status());
  return all;
}

TEST_CASE("a store agrees with a map under random batches and reopens") {
  TempDir dir;
  std::mt19937 random(7);
  bool large = GENERATE(false, true);
  Model model;
  auto store = Open(dir.File("db"), large);
  for (int step = 0; step < 300; ++step) {
    KvBatch batch;
    for (unsigned i = random() % 8; i > 0; --i) {
      std::string key = "k" + std::to_string(random() % 100);
      if (random() % 3 == 0) {
        batch.Delete(key);
        model.erase(key);
      } else {
        std::string value(random() % (step % 50 == 0 ? 200000 : 100), static_cast<char>('a' + random() % 26));
        batch.Put(key, value);
        model[key] = value;
      }
    }
    REQUIRE_OK(store->Write(batch, random() % 4 == 0));
    std::string probe = "k" + std::to_string(random() % 100);
    auto got = store->Get(probe);
    CHECK(got.ok() == (model.count(probe) == 1));
    if (got.ok()) CHECK(*got == model[probe]);
    if (step % 60 == 59) {
      store.reset();
      store = Open(dir.File("db"), large);
      CHECK(ReadAll(*store) == model);
    }
  }
}

TEST_CASE("an iterator walks both ways and keeps its view while others write") {
  TempDir dir;
  auto store = Open(dir.File("db"));
  for (const char* key : {"a", "b", "c"}) REQUIRE_OK(PutOne(*store, key, key));
  auto it = store->NewIterator();
  REQUIRE_OK(PutOne(*store, "bb", "new"));
  it->Seek("b");
  REQUIRE(it->Valid());
  it->Next();
  CHECK(it->key() == "c");
  it->SeekForPrev("bz");
  CHECK(it->key() == "b");
  it->Prev();
  CHECK(it->key() == "a");
}

TEST_CASE("a second opener is told who has the folder") {
  TempDir dir;
  auto store = Open(dir.File("db"));
  auto second = OpenKvStore(dir.File("db"));
  REQUIRE(!second.ok());
  CHECK(second.status().code() == absl::StatusCode::kFailedPrecondition);
  CHECK(Reason(second.status()) == "STORE_LOCKED");
  CHECK(std::string(second.status().message()).find(dir.File("db") + "; stop it or choose another --data") !=
        std::string::npos);
}

TEST_CASE("a lock held by another process is seen, and is gone when that process dies") {
  TempDir dir;
  Open(dir.File("db")).reset();
  int ready[2];
  REQUIRE(::pipe(ready) == 0);
  pid_t child = ::fork();
  if (child == 0) {
    int fd = ::open(dir.File("db/LOCK").c_str(), O_RDWR);
    struct flock lock = {};
    lock.l_type = F_WRLCK;
    bool locked = ::fcntl(fd, F_SETLK, &lock) == 0;
    if (::write(ready[1], locked ? "y" : "n", 1) == 1) ::pause();
    ::_exit(0);
  }
  char answer = 0;
  REQUIRE(::read(ready[0], &answer, 1) == 1);
  REQUIRE(answer == 'y');
  auto second = OpenKvStore(dir.File("db"));
  CHECK(Reason(second.status()) == "STORE_LOCKED");
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
  CHECK_OK(OpenKvStore(dir.File("db")));
  ::close(ready[0]);
  ::close(ready[1]);
}

TEST_CASE("a half-written last record is let go and everything acknowledged stays") {
  TempDir dir;
  auto store = Open(dir.File("db"));
  for (int i = 0; i < 10; ++i) REQUIRE_OK(PutOne(*store, "k" + std::to_string(i), std::string(500, 'v')));
  store.reset();
  std::string wal = NewestWal(dir.File("db"));
  std::filesystem::resize_file(wal, std::filesystem::file_size(wal) - 20);
  store = Open(dir.File("db"));
  CHECK(ReadAll(*store).size() == 9);
  CHECK_OK(PutOne(*store, "k9", "again"));
}

TEST_CASE("a flipped bit in the middle of the log is refused, not skipped") {
  TempDir dir;
  auto store = Open(dir.File("db"));
  for (int i = 0; i < 100; ++i) REQUIRE_OK(PutOne(*store, "k" + std::to_string(i), std::string(500, 'v')));
  store.reset();
  {
    std::fstream wal(NewestWal(dir.File("db")), std::ios::in | std::ios::out | std::ios::binary);
    wal.seekp(20000);
    wal.put('X');
  }
  auto reopened = OpenKvStore(dir.File("db"));
  REQUIRE(!reopened.ok());
  CHECK(reopened.status().code() == absl::StatusCode::kDataLoss);
  CHECK(Reason(reopened.status()) == "STORE_CORRUPT");
}

TEST_CASE("a path that cannot be a folder is named") {
  TempDir dir;
  std::ofstream(dir.File("file")) << "x";
  auto store = OpenKvStore(dir.File("file/db"));
  REQUIRE(!store.ok());
  CHECK(std::string(store.status().message()).find(dir.File("file/db")) != std::string::npos);
}

// A file system of its own, in memory; ok is false where there is no right to mount one.
struct SmallDisk {
  explicit SmallDisk(const std::string& options)
      : ok(::mount("none", dir.path().c_str(), "tmpfs", 0, options.c_str()) == 0) {
    if (!ok) std::cout << "skipped: a full disk needs root to mount a small tmpfs\n";
  }
  ~SmallDisk() {
    if (ok) ::umount2(dir.path().c_str(), MNT_DETACH);
  }
  void Fill(size_t bytes) { std::ofstream(dir.File("filler")) << std::string(bytes, 'f'); }
  void Free() { std::filesystem::remove(dir.File("filler")); }
  TempDir dir;
  const bool ok;
};

TEST_CASE("a full disk refuses writes, keeps what is stored, and goes on when there is space") {
  SmallDisk disk("size=24m");
  if (!disk.ok) return;
  auto store = Open(disk.dir.File("db"), true);
  REQUIRE_OK(PutOne(*store, "first", "stays"));
  disk.Fill(20 << 20);
  int stored = 0;
  absl::Status status;
  for (; stored < 100; ++stored) {
    status = PutOne(*store, "v" + std::to_string(stored), std::string(200000, 'v'));
    if (!status.ok()) break;
  }
  CHECK(status.code() == absl::StatusCode::kResourceExhausted);
  CHECK(Reason(status) == "STORE_FULL");
  CHECK(*store->Get("first") == "stays");
  disk.Free();
  CHECK_OK(PutOne(*store, "after", "the flood"));
  store.reset();
  store = Open(disk.dir.File("db"), true);
  CHECK(ReadAll(*store).size() == static_cast<size_t>(stored) + 2);
}

TEST_CASE("where the engine itself met the full disk, the first write with room goes through") {
  SmallDisk disk("size=24m");
  if (!disk.ok) return;
  TempDir backup;
  auto store = Open(disk.dir.File("db"), true);
  size_t stored = 0;
  for (int round = 0; round < 3; ++round) {
    // Nearly all that memory takes: its log has little room to give back.
    for (int i = 0; i < 9; ++i) REQUIRE_OK(PutOne(*store, "v" + std::to_string(stored++), std::string(200000, 'v')));
    disk.Fill(24 << 20);
    // A backup writes out what is in memory.
    auto flushed = store->BackUp(backup.File("copy" + std::to_string(round)), [] { return false; });
    CHECK(Reason(flushed.status()) == "STORE_FULL");
    disk.Fill(24 << 20);  // once more: a flush that failed gives room back
    CHECK(Reason(PutOne(*store, "not", "now")) == "STORE_FULL");
    disk.Free();
    CHECK_OK(PutOne(*store, "v" + std::to_string(stored++), "after the flood"));
  }
  store.reset();
  store = Open(disk.dir.File("db"), true);
  CHECK(ReadAll(*store).size() == stored);
}

TEST_CASE("after a full disk reads go on to their end, and writes go on behind them") {
  SmallDisk disk("size=24m");
  if (!disk.ok) return;
  TempDir backup;
  auto store = Open(disk.dir.File("db"), true);
  for (int i = 0; i < 9; ++i) REQUIRE_OK(PutOne(*store, "v" + std::to_string(i), std::string(200000, 'v')));
  auto snapshot = store->Snapshot();
  auto walk = snapshot->NewIterator();
  walk->Seek("");
  disk.Fill(24 << 20);
  CHECK(!store->BackUp(backup.File("copy"), [] { return false; }).ok());
  disk.Free();
  CHECK(Reason(PutOne(*store, "later", "!")) == "STORE_FULL");
  CHECK(*store->Get("v3") == std::string(200000, 'v'));
  int seen = 0;
  for (; walk->Valid(); walk->Next()) ++seen;
  CHECK_OK(walk->status());
  CHECK(seen == 9);
  walk.reset();
  CHECK(*snapshot->Get("v8") == std::string(200000, 'v'));
  snapshot.reset();
  CHECK(Eventually([&] { return PutOne(*store, "later", "!").ok(); }));
  CHECK(ReadAll(*store).size() == 10);
}

TEST_CASE("writes that a full disk meets at any moment are refused for that, and go on") {
  SmallDisk disk("size=64m");
  if (!disk.ok) return;
  auto store = Open(disk.dir.File("db"), true);
  std::mt19937 random(11);
  std::atomic<int> stored{0};
  for (int round = 0; round < 6; ++round) {
    const int before = stored;
    absl::Status refused;
    std::thread writer([&] {
      // The same keys again and again: what the disk has to hold stays small.
      auto put = [&] { return PutOne(*store, "v" + std::to_string(stored % 8), std::string(200000, 'v')); };
      while ((refused = put()).ok()) ++stored;
    });
    const int more = static_cast<int>(random() % 25);
    CHECK(Eventually([&] { return stored >= before + more; }));
    disk.Fill(64 << 20);
    writer.join();
    INFO(refused.ToString());
    CHECK(Reason(refused) == "STORE_FULL");
    disk.Free();
    REQUIRE(Eventually([&] { return PutOne(*store, "round", std::to_string(round)).ok(); }));
  }
  store.reset();
  store = Open(disk.dir.File("db"), true);
  CHECK(*store->Get("round") == "5");
}

TEST_CASE("where there is no room to write large values once more, others still go in") {
  SmallDisk disk("size=64m");
  if (!disk.ok) return;
  TempDir backups;
  const double opened_before = OpenedAnew();
  auto store = Open(disk.dir.File("db"), true);
  int small = 0;
  // A backup writes out what is in memory.
  auto flush = [&] {
    const absl::Status status = store->BackUp(backups.File("copy"), [] { return false; }).status();
    std::filesystem::remove_all(backups.File("copy"));
    return status;
  };
  // 24 MB that files of all ages hold, and then there is room for 16 more.
  for (int i = 0; i < 60; ++i) REQUIRE_OK(PutOne(*store, "v" + std::to_string(i), std::string(400000, 'v')));
  REQUIRE_OK(flush());
  disk.Fill(24 << 20);
  // Every few flushes the keys are brought in order, among those of the large values.
  auto put = [&] {
    const absl::Status status = PutOne(*store, "v" + std::to_string(small % 60) + "x", std::to_string(small));
    small += status.ok() ? 1 : 0;
    return status;
  };
  int refused = 0;
  for (int i = 0; i < 12; ++i) {
    if (!put().ok() || !flush().ok()) ++refused;
    if (refused == 0) continue;
    // Once is enough to learn it.
    REQUIRE(Eventually([&] { return put().ok(); }));
    for (int later = 0; later < 12; ++later) {
      REQUIRE_OK(put());
      REQUIRE_OK(flush());
    }
    break;
  }
  CHECK(refused == 1);
  CHECK(*store->Get("v59") == std::string(400000, 'v'));
  CHECK(OpenedAnew() > opened_before);
  CHECK(absl::StrContains(ScrapeMetrics(), "chartly_store_keeps_garbage 1\n"));
  store.reset();
  CHECK(absl::StrContains(ScrapeMetrics(), "chartly_store_keeps_garbage 0\n"));
  {
    // As it was opened anew.
    const std::string path = disk.dir.File("db");
    absl::StatusOr<std::shared_ptr<RocksDbOpening>> opening = RocksDbOpening::Open(
        path, {.memory_bytes = size_t{8} << 20, .large_values = true}, RocksDbOpening::Garbage::kLeft);
    REQUIRE_OK(opening);
    (*opening)->MindRoom(std::filesystem::space(path).available);
    CHECK_FALSE((*opening)->collects_garbage());
    CHECK(absl::StrContains(ScrapeMetrics(), "chartly_store_keeps_garbage 1\n"));
    (*opening)->MindRoom(40 << 20);
    CHECK((*opening)->collects_garbage());
    CHECK(absl::StrContains(ScrapeMetrics(), "chartly_store_keeps_garbage 0\n"));
    CHECK((*opening)->db().GetOptions().enable_blob_garbage_collection);
  }
  disk.Free();
  store = Open(disk.dir.File("db"), true);
  REQUIRE_OK(put());
  CHECK(*store->Get("v0x") == "0");
  CHECK(*store->Get("v59") == std::string(400000, 'v'));
}

TEST_CASE("the end of a prefix is the next key that does not have it") {
  CHECK(PrefixEnd("ab") == "ac");
  CHECK(PrefixEnd(std::string("a\xff", 2)) == "b");
  CHECK(PrefixEnd(std::string("\xff\xff", 2)).empty());
  CHECK(PrefixEnd("").empty());
}

TEST_CASE("big-endian numbers sort as keys and come back") {
  std::mt19937_64 random(3);
  for (int i = 0; i < 1000; ++i) {
    uint64_t a = random() >> (random() % 64), b = random() >> (random() % 64);
    std::string x, y;
    AppendBigEndian64(x, a);
    AppendBigEndian64(y, b);
    CHECK((x < y) == (a < b));
    CHECK(ReadBigEndian64(x) == a);
  }
}

}  // namespace
}  // namespace chartly
