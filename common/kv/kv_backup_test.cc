#include "common/kv/kv_backup.h"

#include <atomic>
#include <fstream>
#include <thread>

#include "absl/strings/str_cat.h"
#include "common/status/status.h"
#include "test/support/test.h"

namespace chartly {
namespace {

using testing::Says;
using testing::TempDir;
namespace fs = std::filesystem;

bool Never() { return false; }

std::unique_ptr<KvStore> Open(const std::string& path) {
  auto store = OpenKvStore(path, {.memory_bytes = size_t{8} << 20, .large_values = true});
  REQUIRE_OK(store);
  return *std::move(store);
}

std::string Key(int64_t number) {
  std::string key = "n";
  AppendBigEndian64(key, static_cast<uint64_t>(number));
  return key;
}

// Small and large values take different ways to the disk.
std::string ValueOf(int64_t number) {
  return std::string(number % 7 == 0 ? 100000 : 100, static_cast<char>('a' + number % 26));
}

absl::Status WriteNumber(KvStore& store, int64_t number) {
  KvBatch batch;
  batch.Put(Key(number), ValueOf(number));
  batch.Put("last", Key(number));
  return store.Write(batch, true);
}

void PutNumber(KvStore& store, int64_t number) { REQUIRE_OK(WriteNumber(store, number)); }

// All numbers from 0 up to the last one, and nothing else; returns how many.
int64_t CheckNumbers(const KvReader& store) {
  auto last = store.Get("last");
  REQUIRE_OK(last);
  const auto count = static_cast<int64_t>(ReadBigEndian64(absl::string_view(*last).substr(1))) + 1;
  auto it = store.NewIterator();
  int64_t found = 0;
  for (it->Seek("n"); it->Valid(); it->Next(), ++found) {
    REQUIRE(it->key() == absl::string_view(Key(found)));
    REQUIRE(it->value() == absl::string_view(ValueOf(found)));
  }
  CHECK_OK(it->status());
  CHECK(found == count);
  return found;
}

int64_t BytesOf(const KvBackup& backup) {
  int64_t bytes = 0;
  for (const KvBackup::File& file : backup.files) bytes += file.bytes;
  return bytes;
}

}  // namespace

TEST_CASE("a backup under writes is the store of one moment, read in place and restored") {
  TempDir dir;
  auto store = Open(dir.File("db"));
  std::atomic<bool> done = false;
  std::atomic<int64_t> written = 0;
  absl::Status fault;
  std::thread writer([&] {
    for (int64_t number = 0; !done && fault.ok(); ++number) {
      fault = WriteNumber(*store, number);
      if (fault.ok()) written = number + 1;
    }
  });
  REQUIRE(testing::Eventually([&] { return written > 50; }));
  for (int round = 1; round <= 3; ++round) {
    const int64_t before = written;
    auto backup = store->BackUp(dir.File("copies"), Never);
    const int64_t after = written + 1;
    REQUIRE_OK(backup);
    CHECK(backup->number == static_cast<uint32_t>(round));
    auto copy = OpenKvBackup(dir.File("copies"), backup->number);
    REQUIRE_OK(copy);
    const int64_t count = CheckNumbers(**copy);
    CHECK(count >= before);
    CHECK(count <= after);
    copy->reset();
    const std::string restored = dir.File(absl::StrCat("restored", round));
    REQUIRE_OK(RestoreKvBackup(dir.File("copies"), backup->number, restored));
    CHECK(CheckNumbers(*Open(restored)) == count);
  }
  done = true;
  writer.join();
  CHECK_OK(fault);
}

TEST_CASE("a second backup copies what is new alone, and each names all files that it needs") {
  TempDir dir;
  auto store = Open(dir.File("db"));
  for (int64_t number = 0; number < 300; ++number) PutNumber(*store, number);
  auto first = store->BackUp(dir.File("copies"), Never);
  REQUIRE_OK(first);
  PutNumber(*store, 300);
  auto second = store->BackUp(dir.File("copies"), Never);
  REQUIRE_OK(second);
  CHECK(BytesOf(*second) >= BytesOf(*first));
  CHECK(second->copied_bytes * 10 < BytesOf(*second));
  for (const KvBackup& backup : {*first, *second}) {
    for (const KvBackup::File& file : backup.files) {
      INFO(file.path);
      CHECK(static_cast<int64_t>(fs::file_size(dir.File("copies") + "/" + file.path)) == file.bytes);
    }
  }
}

TEST_CASE("backups that are dropped take with them what no other needs") {
  TempDir dir;
  auto store = Open(dir.File("db"));
  for (int64_t number = 0; number < 50; ++number) PutNumber(*store, number);
  REQUIRE_OK(store->BackUp(dir.File("copies"), Never));
  PutNumber(*store, 50);
  REQUIRE_OK(store->BackUp(dir.File("copies"), Never));
  REQUIRE_OK(KeepKvBackups(dir.File("copies"), {2}));
  CHECK(Reason(OpenKvBackup(dir.File("copies"), 1).status()) == "BACKUP_NOT_FOUND");
  CHECK(CheckNumbers(**OpenKvBackup(dir.File("copies"), 2)) == 51);
  REQUIRE_OK(KeepKvBackups(dir.File("copies"), {}));
  CHECK(fs::is_empty(dir.File("copies") + "/shared_checksum"));
  CHECK_OK(KeepKvBackups(dir.File("absent"), {}));
}

TEST_CASE("a flipped byte in a copy is found when it is restored") {
  TempDir dir;
  auto store = Open(dir.File("db"));
  for (int64_t number = 0; number < 50; ++number) PutNumber(*store, number);
  auto backup = store->BackUp(dir.File("copies"), Never);
  REQUIRE_OK(backup);
  for (const KvBackup::File& file : backup->files) {
    if (file.path.find(".blob") == std::string::npos) continue;
    std::fstream bytes(dir.File("copies") + "/" + file.path, std::ios::in | std::ios::out | std::ios::binary);
    bytes.seekp(file.bytes / 2);
    bytes.put('!');
  }
  CHECK(Reason(RestoreKvBackup(dir.File("copies"), 1, dir.File("restored"))) == "BACKUP_CORRUPT");
}

TEST_CASE("a backup that is stopped leaves the ones before as they were") {
  TempDir dir;
  auto store = Open(dir.File("db"));
  for (int64_t number = 0; number < 50; ++number) PutNumber(*store, number);
  REQUIRE_OK(store->BackUp(dir.File("copies"), Never));
  for (int64_t number = 50; number < 1000; ++number) PutNumber(*store, number);
  CHECK(absl::IsCancelled(store->BackUp(dir.File("copies"), [] { return true; }).status()));
  CHECK(CheckNumbers(**OpenKvBackup(dir.File("copies"), 1)) == 50);
  auto next = store->BackUp(dir.File("copies"), Never);
  REQUIRE_OK(next);
  CHECK(CheckNumbers(**OpenKvBackup(dir.File("copies"), next->number)) == 1000);
}

}  // namespace chartly
