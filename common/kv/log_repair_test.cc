#include "common/kv/log_repair.h"

#include <algorithm>
#include <fstream>
#include <iterator>
#include <string>

#include "common/kv/kv_store.h"
#include "common/status/status.h"
#include "test/support/test.h"

namespace chartly {
namespace {

using testing::TempDir;

constexpr int kKeys = 20;
constexpr size_t kValueBytes = 500;

std::string ReadFile(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

void WriteFile(const std::string& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary | std::ios::trunc) << bytes;
}

std::string LogOf(const std::string& store) {
  std::string found;
  for (const auto& entry : std::filesystem::directory_iterator(store)) {
    if (entry.path().extension() == ".log") found = std::max(found, entry.path().string());
  }
  return found;
}

std::string Flipped(std::string bytes, size_t at) {
  bytes[at] = static_cast<char>(bytes[at] ^ 4);
  return bytes;
}

void MakeStore(const std::string& path) {
  auto store = OpenKvStore(path, {.memory_bytes = size_t{8} << 20});
  REQUIRE_OK(store);
  for (int i = 0; i < kKeys; ++i) {
    KvBatch batch;
    batch.Put("k" + std::to_string(i), std::string(kValueBytes, 'v'));
    REQUIRE_OK((*store)->Write(batch, true));
  }
}

TEST_CASE("a log that is damaged in its middle is cut there, and kept as it was") {
  TempDir dir;
  MakeStore(dir.File("db"));
  const std::string log = LogOf(dir.File("db"));
  const std::string good = ReadFile(log);
  const size_t at = good.size() / 2 + kValueBytes / 2;  // in the eleventh
  const std::string damaged = Flipped(good, at);
  WriteFile(log, damaged);
  CHECK(Reason(OpenKvStore(dir.File("db")).status()) == "STORE_CORRUPT");
  auto cut = CutDamagedLog(dir.File("db"));
  REQUIRE_OK(cut);
  REQUIRE(cut->has_value());
  CHECK((*cut)->find(std::filesystem::path(log).filename().string()) == 0);
  const std::string rest = ReadFile(log);
  CHECK(rest == good.substr(0, rest.size()));
  CHECK(at - rest.size() < kValueBytes);
  auto again = CutDamagedLog(dir.File("db"));
  REQUIRE_OK(again);
  CHECK(!again->has_value());
  auto store = OpenKvStore(dir.File("db"));
  REQUIRE_OK(store);
  int there = 0;
  while ((*store)->Get("k" + std::to_string(there)).ok()) ++there;
  CHECK(there == kKeys / 2);
  for (int i = there; i < kKeys; ++i) CHECK(absl::IsNotFound((*store)->Get("k" + std::to_string(i)).status()));
  store->reset();
  CHECK_OK(OpenKvStore(dir.File("db")));
  REQUIRE(CutLogs(dir.File("db")).size() == 1);
  CHECK(ReadFile(CutLogs(dir.File("db")).front()) == damaged);
}

TEST_CASE("nothing is cut where another file is damaged, or none") {
  TempDir dir;
  MakeStore(dir.File("db"));
  const std::string log = LogOf(dir.File("db"));
  const std::string good = ReadFile(log);
  auto stays = [&](const std::string& bytes) {
    auto cut = CutDamagedLog(dir.File("db"));
    REQUIRE_OK(cut);
    CHECK(!cut->has_value());
    CHECK(ReadFile(log) == bytes);
    CHECK(CutLogs(dir.File("db")).empty());
  };
  stays(good);
  const std::string damaged = Flipped(good, good.size() / 2);
  WriteFile(log, damaged);
  const std::string earlier = dir.File("db/000001.log");
  WriteFile(earlier, damaged);
  stays(damaged);
  std::filesystem::remove(earlier);
  std::string name;
  std::ifstream(dir.File("db/CURRENT")) >> name;
  const std::string manifest = ReadFile(dir.File("db/" + name));
  WriteFile(dir.File("db/" + name), Flipped(manifest, 20));
  stays(damaged);
  WriteFile(dir.File("db/" + name), manifest);
  REQUIRE_OK(CutDamagedLog(dir.File("db")));
  CHECK_OK(OpenKvStore(dir.File("db")));
}

}  // namespace
}  // namespace chartly
