#include "control/aggregator/row_set.h"

#include <random>
#include <set>

#include "common/status/status.h"
#include "test/support/test.h"

namespace chartly::aggregator {
namespace {

std::set<uint32_t> ToSet(const RowSet& rows, uint32_t first = 0) {
  std::set<uint32_t> all;
  rows.ForEach(first, [&](uint32_t row) { return all.insert(row).second; });
  return all;
}

TEST_CASE("a row set agrees with a plain set and survives both of its forms") {
  std::mt19937 random(11);
  for (int round = 0; round < 300; ++round) {
    uint32_t bound = 1 + random() % (round % 10 == 0 ? 65536 : 300);
    RowSet rows, others;
    std::set<uint32_t> model, other_model;
    for (unsigned i = random() % 200; i > 0; --i) {
      uint32_t begin = random() % bound, length = 1 + random() % 5;
      for (uint32_t row = begin; row < std::min(begin + length, bound); ++row) {
        (i % 3 == 0 ? others : rows).Add(row);
        (i % 3 == 0 ? other_model : model).insert(row);
      }
    }
    CHECK(ToSet(rows) == model);
    CHECK(rows.Count() == model.size());
    uint32_t first = random() % bound;
    CHECK(ToSet(rows, first) == std::set<uint32_t>(model.lower_bound(first), model.end()));
    CHECK(ToSet(RowSet::FromBits(rows.ToBits(bound))) == model);
    auto decoded = RowSet::FromRanges(rows.ToRanges());
    REQUIRE_OK(decoded);
    CHECK(ToSet(*decoded) == model);
    RowSet both = rows;
    both.AddAll(others);
    std::set<uint32_t> both_model = model;
    both_model.insert(other_model.begin(), other_model.end());
    CHECK(ToSet(both) == both_model);
    both.RemoveAll(others);
    for (uint32_t row : other_model) both_model.erase(row);
    CHECK(ToSet(both) == both_model);
  }
}

TEST_CASE("all rows of a chunk are three bytes") {
  CHECK(RowSet::All(8192).ToRanges().size() == 3);
  CHECK(RowSet::All(8192).Count() == 8192);
  CHECK(RowSet::All(64).Count() == 64);
  CHECK(RowSet::All(0).empty());
}

TEST_CASE("damaged ranges are refused") {
  CHECK(Reason(RowSet::FromRanges("\x80").status()) == "STORE_CORRUPT");
  CHECK(Reason(RowSet::FromRanges(std::string("\x00", 1)).status()) == "STORE_CORRUPT");
  CHECK(Reason(RowSet::FromRanges("\xff\xff\x7f\x01").status()) == "STORE_CORRUPT");
}

}  // namespace
}  // namespace chartly::aggregator
