#include "control/coordinator/partition_cut.h"

#include <algorithm>

#include "absl/time/civil_time.h"

namespace chartly::coordinator {

absl::Time NextCut(absl::Time time, v1::BackfillStep step) {
  const absl::TimeZone utc = absl::UTCTimeZone();
  const absl::CivilDay day = absl::ToCivilDay(time, utc);
  switch (step) {
    case v1::BACKFILL_STEP_HOUR:
      return absl::FromCivil(absl::ToCivilHour(time, utc) + 1, utc);
    case v1::BACKFILL_STEP_WEEK:
      return absl::FromCivil(absl::NextWeekday(day, absl::Weekday::monday), utc);
    case v1::BACKFILL_STEP_MONTH:
      return absl::FromCivil(absl::CivilMonth(day) + 1, utc);
    case v1::BACKFILL_STEP_YEAR:
      return absl::FromCivil(absl::CivilYear(day) + 1, utc);
    default:
      return absl::FromCivil(day + 1, utc);
  }
}

std::vector<absl::Time> CutPartitions(absl::Time start, absl::Time end, v1::BackfillStep step, size_t most) {
  std::vector<absl::Time> bounds = {start};
  while (bounds.back() < end && bounds.size() <= most) bounds.push_back(std::min(NextCut(bounds.back(), step), end));
  return bounds;
}

absl::Duration ShortestOf(v1::BackfillStep step) {
  switch (step) {
    case v1::BACKFILL_STEP_HOUR:
      return absl::Hours(1);
    case v1::BACKFILL_STEP_WEEK:
      return absl::Hours(24 * 7);
    case v1::BACKFILL_STEP_MONTH:
      return absl::Hours(24 * 28);
    case v1::BACKFILL_STEP_YEAR:
      return absl::Hours(24 * 365);
    default:
      return absl::Hours(24);
  }
}

}  // namespace chartly::coordinator
