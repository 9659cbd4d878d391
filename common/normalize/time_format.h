// A format of dates and times, in the letters of strptime, compiled once and matched without allocation.
//
//   %Y %y %m %d %e %j %H %I %M %S %f %p %b %B %a %A %z %F %T %R %%
//
// A blank matches one or more blanks, letters match in any case, and a part in [ ] may be missing. Names of months and
// days are English. The words rfc3339 and rfc822 stand for those forms. Immutable and thread-safe.
#ifndef CHARTLY_COMMON_NORMALIZE_TIME_FORMAT_H_
#define CHARTLY_COMMON_NORMALIZE_TIME_FORMAT_H_

#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/civil_time.h"

namespace chartly {

// What a text says; parts that the format does not hold are those of the first moment of the year.
struct CivilTime {
  absl::CivilSecond second;
  int micros = 0;
  std::optional<int> offset_minutes;  // none: the text has no zone
};

class TimeFormat {
 public:
  // InvalidArgument (FUNCTION_ARGUMENTS_INVALID) if a letter is not known, or the format has no year.
  static absl::StatusOr<TimeFormat> Compile(absl::string_view format);
  // False unless the whole text has the form and its date and time exist.
  bool Parse(absl::string_view text, CivilTime& out) const;

  struct Step;  // in time_format.cc
  TimeFormat();
  ~TimeFormat();
  TimeFormat(const TimeFormat&);
  TimeFormat(TimeFormat&&) noexcept;

 private:
  // Each is tried in turn.
  std::vector<std::vector<Step>> alternatives_;
};

// 1 to 12 from January, Jan, Sept ... in any case, at the start of the text, which loses it; 0 if there is none.
int TakeMonthName(absl::string_view& text);

}  // namespace chartly

#endif  // CHARTLY_COMMON_NORMALIZE_TIME_FORMAT_H_
