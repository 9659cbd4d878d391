#include "control/aggregator/key_ranges.h"

#include "common/chunk/sort_key.h"
#include "test/support/test.h"

namespace chartly::aggregator {
namespace {

// A batch with a row for each pair of a day and a place; a day of 0 is missing.
Batch BatchOf(const std::vector<std::pair<int64_t, std::string>>& rows) {
  BatchHeader origin;
  origin.add_key("day");
  origin.add_key("place");
  BatchBuilder builder;
  builder.SetOrigin(origin);
  for (const auto& [day, place] : rows) {
    builder.BeginRow(1, 1);
    if (day != 0) builder.SetInteger(builder.AddColumn(Role::kDim, "day"), day);
    builder.SetText(builder.AddColumn(Role::kDim, "place"), place);
    builder.SetInteger(builder.AddColumn(Role::kDim, "no_key"), 1000);
    builder.EndRow();
  }
  auto bytes = builder.Finish();
  REQUIRE_OK(bytes);
  auto batch = Batch::Parse(*bytes);
  REQUIRE_OK(batch);
  return *batch;
}

void AddRange(PartMeta& part, const std::string& name, const Value& min, const Value& max) {
  DimRange& range = *part.add_ranges();
  range.set_name(name);
  AppendSortable(name, min, *range.mutable_min());
  AppendSortable(name, max, *range.mutable_max());
}

PartMeta PartOf(int64_t first_day, int64_t last_day) {
  PartMeta part;
  AddRange(part, "day", Value::Integer(first_day), Value::Integer(last_day));
  AddRange(part, "place", Value::Text("b"), Value::Text("y"));
  return part;
}

TEST_CASE("a batch and a part share no keys if the values of one dim lie apart") {
  auto ranges = KeyRangesOf(BatchOf({{5, "m"}, {7, "c"}, {6, "z"}}));
  REQUIRE(ranges.size() == 2);
  CHECK(MayShareKeys(ranges, PartOf(1, 5)));
  CHECK(MayShareKeys(ranges, PartOf(6, 6)));
  CHECK(MayShareKeys(ranges, PartOf(7, 9)));
  CHECK_FALSE(MayShareKeys(ranges, PartOf(1, 4)));
  CHECK_FALSE(MayShareKeys(ranges, PartOf(8, 9)));
  CHECK_FALSE(MayShareKeys(KeyRangesOf(BatchOf({{5, "z"}, {5, "zz"}})), PartOf(1, 9)));
  CHECK_FALSE(MayShareKeys(KeyRangesOf(BatchOf({{5, "a"}})), PartOf(1, 9)));
}

TEST_CASE("a dim that a row lacks decides nothing, and one that the part lacks decides all") {
  auto ranges = KeyRangesOf(BatchOf({{5, "m"}, {0, "m"}}));
  REQUIRE(ranges.size() == 1);
  CHECK(MayShareKeys(ranges, PartOf(8, 9)));
  PartMeta without_place;
  AddRange(without_place, "day", Value::Integer(1), Value::Integer(9));
  CHECK_FALSE(MayShareKeys(ranges, without_place));
}

TEST_CASE("a part that does not know its greatest text may have any greater one") {
  PartMeta part = PartOf(1, 9);
  part.mutable_ranges(1)->clear_max();
  CHECK(MayShareKeys(KeyRangesOf(BatchOf({{5, "zz"}})), part));
}

}  // namespace
}  // namespace chartly::aggregator
