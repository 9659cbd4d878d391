// The times of a cron line in a time zone: minute, hour, day of month, month, day of week, each "*", a value, a range
// a-b, a list, or any of these with a step /n; months and days of week by name too. Where both days are given, either
// is enough. "@hourly", "@daily", "@weekly", "@monthly" and "@yearly" are lines of their own.
//
// When clocks are put forward, a time that is left out comes at the moment of the change; when they are put back, a
// time that comes twice counts once, the first. A line for every hour ("*" or "*/n" as the hour) goes by what the
// clock shows instead: what is left out does not come, and what comes twice counts twice.
//
// Immutable; thread-safe.
#ifndef CHARTLY_COMMON_PROFILE_CRON_SCHEDULE_H_
#define CHARTLY_COMMON_PROFILE_CRON_SCHEDULE_H_

#include <bitset>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/civil_time.h"
#include "absl/time/time.h"

namespace chartly {

class CronSchedule {
 public:
  // InvalidArgument (CRON_INVALID) says which field is wrong; NotFound (TIMEZONE_UNKNOWN) if this host does not know
  // the zone.
  static absl::StatusOr<CronSchedule> Parse(absl::string_view line, absl::string_view timezone);

  // The first time after `after`; the infinite future if none comes within eight years, as for the 30th of February.
  absl::Time Next(absl::Time after) const;

 private:
  CronSchedule() = default;
  absl::Status ParseFields(absl::string_view line);
  bool IsDay(absl::CivilDay day) const;
  // The first time after `after` that is shown on `day` from `from` on.
  absl::Time NextOfDay(absl::CivilDay day, absl::CivilMinute from, absl::Time after) const;
  absl::Time TimeAfter(absl::CivilMinute shown, absl::Time after) const;

  std::bitset<60> minutes_;
  std::bitset<24> hours_;
  std::bitset<32> days_;
  std::bitset<13> months_;
  std::bitset<8> weekdays_;  // 0 is Sunday
  bool any_day_ = false;
  bool any_weekday_ = false;
  bool every_hour_ = false;
  absl::TimeZone zone_;
};

}  // namespace chartly

#endif  // CHARTLY_COMMON_PROFILE_CRON_SCHEDULE_H_
