// Every fuzz target over its small corpus, cut off at many places and with single bytes changed: what `./dev fuzz` has
// found once stays fixed on every machine.
#include <fstream>
#include <iterator>
#include <random>
#include <vector>

#include "test/fuzz/fuzz_target.h"
#include "test/support/test.h"

namespace chartly::fuzz {
namespace {

std::vector<std::string> CorpusOf(const std::string& name) {
  std::vector<std::string> seeds;
  for (const auto& entry : std::filesystem::directory_iterator(CHARTLY_SOURCE_DIR "/test/fuzz/corpus/" + name)) {
    std::ifstream file(entry.path(), std::ios::binary);
    seeds.emplace_back(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
  }
  return seeds;
}

void RunChanged(Target target, const std::string& seed) {
  std::mt19937 random(static_cast<unsigned>(seed.size()));
  for (int i = 0; i < 40 && !seed.empty(); ++i) {
    target(absl::string_view(seed).substr(0, random() % seed.size()));
    std::string changed = seed;
    changed[random() % seed.size()] ^= static_cast<char>(1 << random() % 8);
    target(changed);
  }
}

TEST_CASE("every fuzz target holds over its corpus and what is near to it") {
  CHECK(Targets().size() == 12);
  for (const auto& [name, target] : Targets()) {
    std::vector<std::string> seeds = CorpusOf(name);
    INFO(name);
    CHECK(seeds.size() >= 3);
    target("");
    for (const std::string& seed : seeds) {
      target(seed);
      RunChanged(target, seed);
    }
  }
}

}  // namespace
}  // namespace chartly::fuzz
