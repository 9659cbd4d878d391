#include "drone/footprint.h"

#include <fstream>
#include <string>
#include <vector>

#include "test/support/test.h"

namespace chartly::drone {
namespace {

int64_t KibOf(const std::string& field) {
  std::ifstream status("/proc/self/status");
  std::string name;
  int64_t kib = 0;
  while (status >> name) {
    if (name != field + ":") continue;
    status >> kib;
    break;
  }
  return kib;
}

}  // namespace

TEST_CASE("a process that gives back what it does not use goes on with less") {
  const int64_t before = KibOf("RssFile");
  GiveBackUnused();
  const int64_t after = KibOf("RssFile");
  REQUIRE(after > 0);
  CHECK(after < before * 9 / 10);
}

#if !defined(__SANITIZE_ADDRESS__) && !defined(_GLIBCXX_TSAN)  // which keep what is freed for a while
TEST_CASE("freed memory is given back") {
  KeepHeapSmall();
  std::vector<std::string> pieces;
  for (int i = 0; i < 5000; ++i) pieces.emplace_back(4000, 'x');
  std::string last(4000, 'y');  // keeps the end of the heap
  const int64_t before = KibOf("RssAnon");
  std::vector<std::string>().swap(pieces);
  GiveBackUnused();
  CHECK(KibOf("RssAnon") < before - 15'000);
  CHECK(last.size() == 4000);
}
#endif

}  // namespace chartly::drone
