// Calendar units and fixed lengths of time that rows are grouped by. All in UTC. Immutable and thread-safe.
#ifndef CHARTLY_CONTROL_REPORTER_TIME_BUCKET_H_
#define CHARTLY_CONTROL_REPORTER_TIME_BUCKET_H_

#include <cstdint>
#include <optional>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "common/value/value.h"

namespace chartly::reporter {

class TimeBucket {
 public:
  enum class Unit { kYear, kQuarter, kMonth, kWeek, kDay, kHour, kFixed };
  // year, quarter, month, week, day, hour.
  static std::optional<TimeBucket> Named(absl::string_view name);
  // Lengths from 1970-01-01T00:00:00Z on. Requires: length > 0.
  static TimeBucket Fixed(absl::Duration length);

  // The bucket of a date, a time, a text that begins as one (2024-07, 2024-07-01), or for years a whole number:
  // 2024, "2024-Q3", "2024-07", the Monday of the week, the date, or the time the bucket begins. Null for all else.
  Value Of(const Value& value) const;

 private:
  explicit TimeBucket(Unit unit, int64_t micros = 0) : unit_(unit), micros_(micros) {}
  Unit unit_;
  int64_t micros_;  // of kFixed
};

}  // namespace chartly::reporter

#endif  // CHARTLY_CONTROL_REPORTER_TIME_BUCKET_H_
