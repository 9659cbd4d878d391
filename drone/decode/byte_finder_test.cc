#include "drone/decode/byte_finder.h"

#include <random>
#include <string>
#include <vector>

#include "test/support/test.h"

namespace chartly::drone {
namespace {

TEST_CASE("every way finds the same bytes, however many there are") {
  std::mt19937 random(1);
  for (const unsigned others : {0u, 1u, 3u, 6u, 30u, 1000u}) {
    for (size_t blocks = 0; blocks < 8; ++blocks) {
      std::string text(blocks * ByteFinder::kBlockBytes, ' ');
      std::vector<uint32_t> expected;
      for (size_t i = 0; i < text.size(); ++i) {
        const unsigned pick = random() % (3 + others);
        text[i] = pick < 3 ? ",\"\n"[pick] : static_cast<char>(random());
        if (text[i] == ',' || text[i] == '"' || text[i] == '\n') expected.push_back(static_cast<uint32_t>(7 + i));
      }
      std::vector<uint32_t> found(text.size() + ByteFinder::kBlockBytes);
      for (const ByteFinder::Way way : ByteFinder::WaysForTest()) {
        const size_t count = way({',', '"', '\n'}, text.data(), blocks, 7, found.data());
        REQUIRE(std::vector<uint32_t>(found.begin(), found.begin() + static_cast<long>(count)) == expected);
      }
      REQUIRE(ByteFinder(',', '"', '\n').Find(text.data(), blocks, 7, found.data()) == expected.size());
    }
  }
}

}  // namespace
}  // namespace chartly::drone
