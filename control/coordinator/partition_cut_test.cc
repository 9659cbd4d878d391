#include "control/coordinator/partition_cut.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "test/support/test.h"

namespace chartly::coordinator {
namespace {

absl::Time At(const std::string& text) {
  absl::Time time;
  std::string error;
  REQUIRE(absl::ParseTime(absl::RFC3339_full, text, &time, &error));
  return time;
}

std::string Cut(const std::string& start, const std::string& end, v1::BackfillStep step) {
  std::string text;
  for (absl::Time time : CutPartitions(At(start), At(end), step, 1000)) {
    absl::StrAppend(&text, absl::FormatTime("%m-%dT%H ", time, absl::UTCTimeZone()));
  }
  return text;
}

}  // namespace

TEST_CASE("partitions begin where the calendar says, the first and the last are cut off") {
  CHECK(Cut("2024-02-27T12:00:00Z", "2024-03-02T00:00:00Z", v1::BACKFILL_STEP_DAY) ==
        "02-27T12 02-28T00 02-29T00 03-01T00 03-02T00 ");
  CHECK(Cut("2024-01-15T00:00:00Z", "2024-04-10T00:00:00Z", v1::BACKFILL_STEP_MONTH) ==
        "01-15T00 02-01T00 03-01T00 04-01T00 04-10T00 ");
  CHECK(Cut("2024-01-01T00:00:00Z", "2024-01-16T00:00:00Z", v1::BACKFILL_STEP_WEEK) ==
        "01-01T00 01-08T00 01-15T00 01-16T00 ");
  CHECK(Cut("2024-01-01T10:30:00Z", "2024-01-01T13:00:00Z", v1::BACKFILL_STEP_HOUR) ==
        "01-01T10 01-01T11 01-01T12 01-01T13 ");
  CHECK(Cut("2023-12-31T00:00:00Z", "2026-01-01T00:00:00Z", v1::BACKFILL_STEP_YEAR) ==
        "12-31T00 01-01T00 01-01T00 01-01T00 ");
  CHECK(CutPartitions(At("2024-01-01T00:00:00Z"), At("2025-01-01T00:00:00Z"), v1::BACKFILL_STEP_DAY, 1000).size() ==
        367);
}

TEST_CASE("partitions cover the span without holes, whatever the step") {
  for (v1::BackfillStep step : {v1::BACKFILL_STEP_HOUR, v1::BACKFILL_STEP_DAY, v1::BACKFILL_STEP_WEEK,
                                v1::BACKFILL_STEP_MONTH, v1::BACKFILL_STEP_YEAR}) {
    const std::vector<absl::Time> bounds =
        CutPartitions(At("1999-11-03T05:06:07Z"), At("2001-03-04T00:00:00Z"), step, 100'000);
    CHECK(bounds.front() == At("1999-11-03T05:06:07Z"));
    CHECK(bounds.back() == At("2001-03-04T00:00:00Z"));
    for (size_t i = 1; i < bounds.size(); ++i) CHECK(bounds[i - 1] < bounds[i]);
    for (size_t i = 2; i + 1 < bounds.size(); ++i) CHECK(bounds[i] - bounds[i - 1] >= ShortestOf(step));
  }
}

TEST_CASE("cutting ends where there are too many partitions") {
  CHECK(CutPartitions(At("0001-01-01T00:00:00Z"), At("9999-01-01T00:00:00Z"), v1::BACKFILL_STEP_HOUR, 10).size() == 11);
}

}  // namespace chartly::coordinator
