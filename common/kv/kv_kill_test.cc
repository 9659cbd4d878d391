// Kills a writing process at random moments: what it said is stored must be there afterwards.
#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <random>

#include "common/kv/kv_store.h"
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

// The writer; a program of its own, since a fork of a process with RocksDB's threads cannot use RocksDB.
TEST_CASE("writer that is killed", "[.writer]") {
  const char* path = std::getenv("KV_KILL_PATH");
  if (path == nullptr) return;
  auto store = OpenKvStore(path, {.memory_bytes = size_t{4} << 20, .large_values = true});
  REQUIRE_OK(store);
  int64_t next = 0;
  while ((*store)->Get(Key(next)).ok()) ++next;
  for (;; ++next) {
    KvBatch batch;
    batch.Put(Key(next), ValueOf(next));
    if (!(*store)->Write(batch, true).ok() || ::write(STDOUT_FILENO, &next, sizeof next) != sizeof next) break;
  }
}

// Kills the writer once it said `writes` times that something is stored; it is somewhere in a later write then. Returns
// the last number it named, or `before`.
int64_t RunAndKill(const std::string& path, unsigned writes, int64_t before) {
  int out[2];
  REQUIRE(::pipe(out) == 0);
  pid_t child = ::fork();
  if (child == 0) {
    ::dup2(out[1], STDOUT_FILENO);
    ::close(out[0]);
    ::close(out[1]);
    ::setenv("KV_KILL_PATH", path.c_str(), 1);
    ::execl("/proc/self/exe", "writer", "[.writer]", static_cast<char*>(nullptr));
    ::_exit(127);
  }
  ::close(out[1]);
  int64_t number = 0, last = before;
  for (unsigned i = 0; i < writes && ::read(out[0], &number, sizeof number) == sizeof number; ++i) last = number;
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
  while (::read(out[0], &number, sizeof number) == sizeof number) last = number;
  ::close(out[0]);
  return last;
}

TEST_CASE("whatever a killed process acknowledged is there, and the store opens each time") {
  TempDir dir;
  std::mt19937 random(23);
  int64_t acked = -1;
  for (int round = 0; round < 25; ++round) {
    acked = RunAndKill(dir.File("db"), 1 + random() % 60, acked);
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
