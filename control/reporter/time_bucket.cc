#include "control/reporter/time_bucket.h"

#include <string>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/time/civil_time.h"

namespace chartly::reporter {
namespace {

constexpr int64_t kMicrosPerHour = int64_t{3600} * 1'000'000;
constexpr int64_t kMicrosPerDay = 24 * kMicrosPerHour;

int64_t FloorTo(int64_t micros, int64_t length) {
  int64_t rest = micros % length;
  return micros - (rest < 0 ? rest + length : rest);
}

// "2024-07", the form that months have as text.
std::optional<int64_t> MonthText(absl::string_view text) {
  int year = 0, month = 0;
  if (text.size() != 7 || text[4] != '-' || !absl::SimpleAtoi(text.substr(0, 4), &year) ||
      !absl::SimpleAtoi(text.substr(5, 2), &month) || month < 1 || month > 12) {
    return std::nullopt;
  }
  return (absl::CivilDay(year, month, 1) - absl::CivilDay(1970, 1, 1)) * kMicrosPerDay;
}

std::optional<int64_t> MicrosOf(const Value& value) {
  if (value.type() == ValueType::kDate) return value.date().days * kMicrosPerDay;
  if (value.type() == ValueType::kTimestamp) return value.timestamp().micros;
  if (value.type() != ValueType::kText) return std::nullopt;
  if (std::optional<int64_t> month = MonthText(value.text())) return month;
  if (absl::StatusOr<Date> date = ParseDate(value.text()); date.ok()) return date->days * kMicrosPerDay;
  if (absl::StatusOr<Timestamp> time = ParseTimestamp(value.text()); time.ok()) return time->micros;
  return std::nullopt;
}

std::optional<int64_t> YearOf(const Value& value) {
  if (value.type() == ValueType::kInteger) return value.integer();
  int year = 0;
  bool is_text = value.type() == ValueType::kText && value.text().size() == 4;
  if (is_text && absl::SimpleAtoi(value.text(), &year)) return year;
  return std::nullopt;
}

}  // namespace

std::optional<TimeBucket> TimeBucket::Named(absl::string_view name) {
  static constexpr std::pair<const char*, Unit> kUnits[] = {{"year", Unit::kYear},   {"quarter", Unit::kQuarter},
                                                            {"month", Unit::kMonth}, {"week", Unit::kWeek},
                                                            {"day", Unit::kDay},     {"hour", Unit::kHour}};
  for (const auto& [unit_name, unit] : kUnits) {
    if (name == unit_name) return TimeBucket(unit);
  }
  return std::nullopt;
}

TimeBucket TimeBucket::Fixed(absl::Duration length) {
  return TimeBucket(Unit::kFixed, absl::ToInt64Microseconds(length));
}

Value TimeBucket::Of(const Value& value) const {
  if (unit_ == Unit::kYear) {
    if (std::optional<int64_t> year = YearOf(value)) return Value::Integer(*year);
  }
  std::optional<int64_t> micros = MicrosOf(value);
  if (!micros) return Value();
  absl::CivilDay epoch(1970, 1, 1);
  absl::CivilDay day = epoch + FloorTo(*micros, kMicrosPerDay) / kMicrosPerDay;
  switch (unit_) {
    case Unit::kYear:
      return Value::Integer(day.year());
    case Unit::kQuarter:
      return Value::Text(absl::StrFormat("%04d-Q%d", day.year(), (day.month() + 2) / 3));
    case Unit::kMonth:
      return Value::Text(absl::StrFormat("%04d-%02d", day.year(), day.month()));
    case Unit::kWeek:
      day = absl::NextWeekday(day, absl::Weekday::monday) - 7;
      return Value::Of(Date{static_cast<int32_t>(day - epoch)});
    case Unit::kDay:
      return Value::Of(Date{static_cast<int32_t>(day - epoch)});
    case Unit::kHour:
      return Value::Of(Timestamp{FloorTo(*micros, kMicrosPerHour), 0});
    case Unit::kFixed:
      return Value::Of(Timestamp{FloorTo(*micros, micros_), 0});
  }
  return Value();
}

}  // namespace chartly::reporter
