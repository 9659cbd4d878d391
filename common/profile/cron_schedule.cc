#include "common/profile/cron_schedule.h"

#include <algorithm>
#include <iterator>
#include <string>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "common/status/status.h"

namespace chartly {
namespace {

constexpr absl::string_view kMonths[] = {"jan", "feb", "mar", "apr", "may", "jun",
                                         "jul", "aug", "sep", "oct", "nov", "dec"};
constexpr absl::string_view kWeekdays[] = {"sun", "mon", "tue", "wed", "thu", "fri", "sat"};
constexpr int kDaysAhead = 8 * 366;
// More than clocks are ever put back at once.
constexpr int kMinutesBack = 3 * 60;

struct FieldRule {
  absl::string_view name;
  int least;
  int most;
  const absl::string_view* names;  // of the values from `least` on; null: none
  size_t name_count;
};

constexpr FieldRule kMinute = {"minute", 0, 59, nullptr, 0};
constexpr FieldRule kHour = {"hour", 0, 23, nullptr, 0};
constexpr FieldRule kDay = {"day of month", 1, 31, nullptr, 0};
constexpr FieldRule kMonth = {"month", 1, 12, kMonths, std::size(kMonths)};
constexpr FieldRule kWeekday = {"day of week", 0, 7, kWeekdays, std::size(kWeekdays)};

absl::Status Wrong(const FieldRule& rule, absl::string_view text) {
  return Error(absl::StatusCode::kInvalidArgument, "CRON_INVALID",
               absl::StrCat("\"", text, "\" is no ", rule.name, "; write *, a number from ", rule.least, " to ",
                            rule.most, ", a range as 1-5, a list as 1,3 or a step as */2"));
}

bool ReadValue(const FieldRule& rule, absl::string_view text, int& value) {
  for (size_t i = 0; i < rule.name_count; ++i) {
    if (!absl::EqualsIgnoreCase(text, rule.names[i])) continue;
    value = rule.least + static_cast<int>(i);
    return true;
  }
  const bool digits = !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return absl::ascii_isdigit(static_cast<unsigned char>(c));
  });
  return digits && absl::SimpleAtoi(text, &value) && value >= rule.least && value <= rule.most;
}

template <size_t N>
absl::Status ReadItem(const FieldRule& rule, absl::string_view item, std::bitset<N>& values) {
  std::vector<absl::string_view> parts = absl::StrSplit(item, absl::MaxSplits('/', 1));
  int step = 1;
  if (parts.size() == 2 && (!absl::SimpleAtoi(parts[1], &step) || step < 1)) return Wrong(rule, item);
  int first = rule.least, last = rule.most;
  if (parts[0] != "*") {
    std::vector<absl::string_view> ends = absl::StrSplit(parts[0], absl::MaxSplits('-', 1));
    if (!ReadValue(rule, ends[0], first)) return Wrong(rule, item);
    // A value with a step goes on to the end.
    if (ends.size() == 1 && parts.size() == 1) last = first;
    if (ends.size() == 2 && !ReadValue(rule, ends[1], last)) return Wrong(rule, item);
    if (last < first) return Wrong(rule, item);
  }
  for (int value = first; value <= last; value += step) values.set(static_cast<size_t>(value));
  return absl::OkStatus();
}

template <size_t N>
absl::Status ReadField(const FieldRule& rule, absl::string_view text, std::bitset<N>& values) {
  for (absl::string_view item : absl::StrSplit(text, ',')) RETURN_IF_ERROR(ReadItem(rule, item, values));
  return absl::OkStatus();
}

absl::string_view Named(absl::string_view line) {
  if (line == "@hourly") return "0 * * * *";
  if (line == "@daily" || line == "@midnight") return "0 0 * * *";
  if (line == "@weekly") return "0 0 * * 0";
  if (line == "@monthly") return "0 0 1 * *";
  if (line == "@yearly" || line == "@annually") return "0 0 1 1 *";
  return line;
}

}  // namespace

absl::Status CronSchedule::ParseFields(absl::string_view line) {
  std::vector<absl::string_view> fields = absl::StrSplit(Named(line), absl::ByAnyChar(" \t"), absl::SkipEmpty());
  if (fields.size() != 5) {
    return Error(absl::StatusCode::kInvalidArgument, "CRON_INVALID",
                 absl::StrCat("a cron line has five fields (minute hour day month weekday), as 30 6 * * mon-fri; \"",
                              line, "\" has ", fields.size()));
  }
  RETURN_IF_ERROR(ReadField(kMinute, fields[0], minutes_));
  RETURN_IF_ERROR(ReadField(kHour, fields[1], hours_));
  RETURN_IF_ERROR(ReadField(kDay, fields[2], days_));
  RETURN_IF_ERROR(ReadField(kMonth, fields[3], months_));
  RETURN_IF_ERROR(ReadField(kWeekday, fields[4], weekdays_));
  if (weekdays_.test(7)) weekdays_.set(0);
  every_hour_ = absl::StartsWith(fields[1], "*");
  any_day_ = absl::StartsWith(fields[2], "*");
  any_weekday_ = absl::StartsWith(fields[4], "*");
  return absl::OkStatus();
}

absl::StatusOr<CronSchedule> CronSchedule::Parse(absl::string_view line, absl::string_view timezone) {
  CronSchedule schedule;
  RETURN_IF_ERROR(schedule.ParseFields(line));
  if (!absl::LoadTimeZone(std::string(timezone), &schedule.zone_)) {
    return Error(
        absl::StatusCode::kNotFound, "TIMEZONE_UNKNOWN",
        absl::StrCat("\"", timezone, "\" is no time zone of this host; write a name as Europe/Berlin, or UTC"));
  }
  return schedule;
}

bool CronSchedule::IsDay(absl::CivilDay day) const {
  if (!months_.test(static_cast<size_t>(day.month()))) return false;
  const size_t weekday = (static_cast<size_t>(absl::GetWeekday(day)) + 1) % 7;  // absl begins with Monday
  const bool by_day = days_.test(static_cast<size_t>(day.day())), by_weekday = weekdays_.test(weekday);
  if (any_day_ || any_weekday_) return by_day && by_weekday;
  return by_day || by_weekday;
}

absl::Time CronSchedule::TimeAfter(absl::CivilMinute shown, absl::Time after) const {
  const absl::TimeZone::TimeInfo info = zone_.At(absl::CivilSecond(shown));
  absl::Time time = info.pre;
  if (info.kind == absl::TimeZone::TimeInfo::SKIPPED) time = every_hour_ ? absl::InfinitePast() : info.trans;
  if (info.kind == absl::TimeZone::TimeInfo::REPEATED && every_hour_ && time <= after) time = info.post;
  return time > after ? time : absl::InfiniteFuture();
}

absl::Time CronSchedule::NextOfDay(absl::CivilDay day, absl::CivilMinute from, absl::Time after) const {
  absl::Time best = absl::InfiniteFuture();
  absl::CivilMinute minute = std::max(absl::CivilMinute(day), from);
  while (absl::CivilDay(minute) == day) {
    if (!hours_.test(static_cast<size_t>(minute.hour()))) {
      minute = absl::CivilMinute(absl::CivilHour(minute) + 1);
      continue;
    }
    if (minutes_.test(static_cast<size_t>(minute.minute()))) best = std::min(best, TimeAfter(minute, after));
    // What is shown later comes later, except where clocks were put back a moment ago: past that, the first is it.
    if (best != absl::InfiniteFuture() && minute > from + 2 * kMinutesBack) return best;
    ++minute;
  }
  return best;
}

absl::Time CronSchedule::Next(absl::Time after) const {
  const absl::CivilMinute from = absl::ToCivilMinute(after, zone_) - kMinutesBack;
  absl::CivilDay day(from);
  absl::Time best = absl::InfiniteFuture();
  for (int i = 0; i < kDaysAhead; ++i, ++day) {
    if (!IsDay(day)) continue;
    best = std::min(best, NextOfDay(day, from, after));
    // A time near midnight may come twice with one of the next day between.
    if (best != absl::InfiniteFuture() && absl::CivilMinute(day) > from) return best;
  }
  return best;
}

}  // namespace chartly
