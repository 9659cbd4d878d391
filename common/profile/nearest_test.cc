#include "common/profile/nearest.h"

#include "test/support/test.h"

namespace chartly {

TEST_CASE("the distance counts letters to insert, delete, replace and swap") {
  CHECK(EditDistance("", "") == 0);
  CHECK(EditDistance("abc", "") == 3);
  CHECK(EditDistance("schedule", "shedule") == 1);
  CHECK(EditDistance("format", "fromat") == 1);
  CHECK(EditDistance("kitten", "sitting") == 3);
  CHECK(EditDistance(std::string(100000, 'a'), "a") == 127);
}

TEST_CASE("the nearest name is the one with the fewest changes") {
  CHECK(NearestName("fromat", {"url", "format", "path"}) == "format");
  CHECK(NearestName("zzz", {"first", "second"}) == "first");
}

}  // namespace chartly
