// Damage of the logs that RocksDB takes for their end: each flipped bit is found before it opens them.
#include "common/kv/log_check.h"

#include <fstream>
#include <iterator>
#include <string>

#include "common/kv/kv_store.h"
#include "common/status/status.h"
#include "test/support/test.h"

namespace chartly {
namespace {

using testing::TempDir;

constexpr size_t kHeaderBytes = 7;

std::string ReadFile(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

void WriteFile(const std::string& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary | std::ios::trunc) << bytes;
}

std::string DamageOf(const TempDir& dir, const std::string& bytes) {
  WriteFile(dir.File("log"), bytes);
  auto damage = FindLogDamage(dir.File("log"));
  REQUIRE_OK(damage);
  return damage->has_value() ? (*damage)->what : "";
}

std::string Flipped(std::string bytes, size_t bit) {
  bytes[bit / 8] = static_cast<char>(bytes[bit / 8] ^ (1 << bit % 8));
  return bytes;
}

// The newest such file of a store.
std::string PathOf(const std::string& store, const std::string& prefix, const std::string& suffix) {
  std::string found;
  for (const auto& entry : std::filesystem::directory_iterator(store)) {
    const std::string name = entry.path().filename().string();
    if (name.rfind(prefix, 0) == 0 && entry.path().extension() == suffix && name > found) found = name;
  }
  return store + "/" + found;
}

// With eight writes, of which one may be larger than a block of the log.
void MakeStore(const std::string& path, int large) {
  auto store = OpenKvStore(path, {.memory_bytes = size_t{8} << 20});
  REQUIRE_OK(store);
  for (int i = 0; i < 8; ++i) {
    KvBatch batch;
    batch.Put("k" + std::to_string(i), std::string(i == large ? 70000 : 40, static_cast<char>('a' + i)));
    REQUIRE_OK((*store)->Write(batch, true));
  }
}

TEST_CASE("each flipped bit of a log of writes is found, and a cut at any place is its end") {
  TempDir dir;
  MakeStore(dir.File("db"), -1);
  const std::string good = ReadFile(PathOf(dir.File("db"), "", ".log"));
  REQUIRE(good.size() > 8 * 40);
  CHECK(DamageOf(dir, good).empty());
  size_t missed = 0;
  for (size_t bit = 0; bit < good.size() * 8; ++bit) missed += DamageOf(dir, Flipped(good, bit)).empty() ? 1 : 0;
  CHECK(missed == 0);
  size_t refused = 0;
  for (size_t size = 0; size < good.size(); ++size) refused += DamageOf(dir, good.substr(0, size)).empty() ? 0 : 1;
  CHECK(refused == 0);
}

TEST_CASE("each flipped bit of a manifest is found") {
  TempDir dir;
  MakeStore(dir.File("db"), -1);
  const std::string good = ReadFile(PathOf(dir.File("db"), "MANIFEST", ""));
  REQUIRE(good.size() > 50);
  CHECK(DamageOf(dir, good).empty());
  size_t missed = 0;
  for (size_t bit = 0; bit < good.size() * 8; ++bit) missed += DamageOf(dir, Flipped(good, bit)).empty() ? 1 : 0;
  CHECK(missed == 0);
}

TEST_CASE("a record that goes on in further blocks is checked in each, and may break off in each") {
  TempDir dir;
  MakeStore(dir.File("db"), 4);
  const std::string good = ReadFile(PathOf(dir.File("db"), "", ".log"));
  REQUIRE(good.size() > 70000);
  CHECK(DamageOf(dir, good).empty());
  for (size_t at = 0; at < good.size() - kHeaderBytes; at += 997) {
    CHECK(!DamageOf(dir, Flipped(good, at * 8 + at % 8)).empty());
    CHECK(DamageOf(dir, good.substr(0, at)).empty());
  }
  // The headers at the beginning of blocks, bit by bit.
  for (size_t block = 0; block < good.size(); block += size_t{32} << 10) {
    for (size_t bit = 0; bit < kHeaderBytes * 8; ++bit) CHECK(!DamageOf(dir, Flipped(good, block * 8 + bit)).empty());
  }
}

TEST_CASE("zeros at the end are no damage, zeros in between are") {
  TempDir dir;
  MakeStore(dir.File("db"), -1);
  const std::string good = ReadFile(PathOf(dir.File("db"), "", ".log"));
  CHECK(DamageOf(dir, good + std::string(100000, '\0')).empty());
  CHECK(!DamageOf(dir, good + std::string(100000, '\0') + good).empty());
  CHECK(DamageOf(dir, "").empty());
  CHECK(absl::IsUnavailable(FindLogDamage(dir.File("absent")).status()));
}

TEST_CASE("a store whose log has a flipped bit in a header is refused, and opens once it is mended") {
  TempDir dir;
  MakeStore(dir.File("db"), -1);
  const bool manifest = GENERATE(false, true);
  const std::string file = PathOf(dir.File("db"), manifest ? "MANIFEST" : "", manifest ? "" : ".log");
  const std::string good = ReadFile(file);
  // Length and type of the first record: RocksDB alone opens the store without it and all that follows.
  for (size_t bit = 4 * 8; bit < kHeaderBytes * 8; ++bit) {
    WriteFile(file, Flipped(good, bit));
    auto refused = OpenKvStore(dir.File("db"));
    REQUIRE(!refused.ok());
    CHECK(Reason(refused.status()) == "STORE_CORRUPT");
    CHECK(testing::Says(refused.status(), std::filesystem::path(file).filename().string()));
  }
  WriteFile(file, good);
  auto store = OpenKvStore(dir.File("db"));
  REQUIRE_OK(store);
  for (int i = 0; i < 8; ++i) CHECK_OK((*store)->Get("k" + std::to_string(i)));
}

}  // namespace
}  // namespace chartly
