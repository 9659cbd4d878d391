// Functions that make dates and times, or parts of them.
#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/time/time.h"
#include "common/normalize/function.h"
#include "common/normalize/time_format.h"
#include "common/status/status.h"
#include "common/value/time_units.h"

namespace chartly {
namespace {

using Arguments = std::vector<std::string>;

// The arguments of to_timestamp and its like: formats that are tried in turn, and a zone for texts without one.
struct TimeForms {
  std::vector<TimeFormat> formats;
  absl::TimeZone zone = absl::UTCTimeZone();
  std::string text;  // for messages

  bool Parse(absl::string_view input, CivilTime& out) const {
    return std::any_of(formats.begin(), formats.end(),
                       [&](const TimeFormat& format) { return format.Parse(input, out); });
  }
};

bool IsFormat(absl::string_view argument) {
  return argument == "rfc3339" || argument == "rfc822" || absl::StrContains(argument, "%");
}

// Names of the zone database only: a name must not reach a file, nor mean the zone of the machine.
bool IsZoneName(absl::string_view name) {
  return !name.empty() && absl::ascii_isalpha(static_cast<unsigned char>(name[0])) && name != "localtime" &&
         !absl::StrContains(name, "..") && std::all_of(name.begin(), name.end(), [](char c) {
           return absl::ascii_isalnum(c) || absl::StrContains("_+-/", absl::string_view(&c, 1));
         });
}

absl::StatusOr<TimeForms> CompileForms(const Arguments& arguments, bool takes_zone) {
  TimeForms forms;
  for (size_t i = 0; i < arguments.size(); ++i) {
    const std::string& argument = arguments[i];
    if (IsFormat(argument)) {
      absl::StatusOr<TimeFormat> format = TimeFormat::Compile(argument);
      if (!format.ok()) return format.status();
      forms.formats.push_back(*std::move(format));
    } else if (!takes_zone || i + 1 < arguments.size()) {
      return WrongArguments(absl::StrCat("\"", argument.substr(0, 64), "\" is no format; one has parts like %Y"));
    } else if (!IsZoneName(argument) || !absl::LoadTimeZone(argument, &forms.zone)) {
      return WrongArguments(absl::StrCat("unknown zone \"", argument.substr(0, 64),
                                         "\"; write a name of the zone database, as America/New_York"));
    }
  }
  if (forms.formats.empty()) {
    absl::StatusOr<TimeFormat> format = TimeFormat::Compile("rfc3339");
    if (!format.ok()) return format.status();
    forms.formats.push_back(*std::move(format));
  }
  forms.text = arguments.empty() ? "rfc3339" : absl::StrJoin(arguments, " or ");
  return forms;
}

// The time of the text in its own zone, or in that of the forms. False where a zone's clocks skip it.
bool InstantOf(const CivilTime& civil, const absl::TimeZone& zone, Timestamp& out) {
  absl::Time instant;
  if (civil.offset_minutes) {
    instant = absl::FromCivil(civil.second, absl::UTCTimeZone()) - absl::Minutes(*civil.offset_minutes);
    out.offset_minutes = static_cast<int16_t>(*civil.offset_minutes);
  } else {
    absl::TimeZone::TimeInfo info = zone.At(civil.second);
    if (info.kind == absl::TimeZone::TimeInfo::SKIPPED) return false;
    instant = info.pre;
    out.offset_minutes = static_cast<int16_t>(zone.At(instant).offset / 60);
  }
  out.micros = absl::ToUnixMicros(instant) + civil.micros;
  return true;
}

// The text of a cell to parse, or nothing if the cell is typed already. Empty text makes the cell null.
bool TextToParse(Cell& cell, absl::string_view& text) {
  if (cell.kind == Cell::Kind::kTyped) return false;
  text = absl::StripAsciiWhitespace(cell.text);
  if (text.empty()) cell.SetNull();
  return !text.empty();
}

absl::StatusOr<FunctionPtr> MakeToTimestamp(const Arguments& arguments) {
  if (arguments.empty()) {
    return MakeFunction([](Cell& cell, Scratch& scratch) { return CoerceCell(ValueType::kTimestamp, cell, scratch); });
  }
  absl::StatusOr<TimeForms> forms = CompileForms(arguments, true);
  if (!forms.ok()) return forms.status();
  return MakeFunction([forms = *std::move(forms)](Cell& cell, Scratch& scratch) {
    absl::string_view text;
    if (!TextToParse(cell, text)) return CoerceCell(ValueType::kTimestamp, cell, scratch);
    CivilTime civil;
    Timestamp timestamp;
    if (!forms.Parse(text, civil)) return RefusedValue(text, absl::StrCat("is not a time like ", forms.text));
    if (!InstantOf(civil, forms.zone, timestamp))
      return RefusedValue(text, "is a time that the clocks of the zone skip");
    cell.SetTyped(Value::Of(timestamp));
    return absl::OkStatus();
  });
}

// The local day of a timestamp: the day its source wrote.
Date DayOf(Timestamp timestamp) {
  int64_t local = timestamp.micros + timestamp.offset_minutes * kMicrosPerMinute;
  int64_t days = local / kMicrosPerDay - (local % kMicrosPerDay < 0 ? 1 : 0);
  return Date{static_cast<int32_t>(days)};
}

Date DayOf(const CivilTime& civil) {
  return Date{static_cast<int32_t>(absl::CivilDay(civil.second) - absl::CivilDay(1970, 1, 1))};
}

// Makes the cell a date, also from a time. Empty text gives null.
absl::Status ToDate(Cell& cell, Scratch& scratch) {
  bool date_form = cell.kind != Cell::Kind::kTyped && absl::StripAsciiWhitespace(cell.text).size() <= 10;
  if (date_form || (cell.kind == Cell::Kind::kTyped && cell.value.type() == ValueType::kDate)) {
    return CoerceCell(ValueType::kDate, cell, scratch);
  }
  RETURN_IF_ERROR(CoerceCell(ValueType::kTimestamp, cell, scratch));
  cell.SetTyped(Value::Of(DayOf(cell.value.timestamp())));
  return absl::OkStatus();
}

absl::StatusOr<FunctionPtr> MakeToDate(const Arguments& arguments) {
  if (arguments.empty()) return MakeFunction(ToDate);
  absl::StatusOr<TimeForms> forms = CompileForms(arguments, false);
  if (!forms.ok()) return forms.status();
  return MakeFunction([forms = *std::move(forms)](Cell& cell, Scratch& scratch) {
    absl::string_view text;
    if (cell.kind == Cell::Kind::kTyped) return ToDate(cell, scratch);
    if (!TextToParse(cell, text)) return absl::OkStatus();
    CivilTime civil;
    if (!forms.Parse(text, civil)) return RefusedValue(text, absl::StrCat("is not a date like ", forms.text));
    cell.SetTyped(Value::Of(DayOf(civil)));
    return absl::OkStatus();
  });
}

absl::StatusOr<FunctionPtr> MakeToYearMonth(const Arguments& arguments) {
  const Arguments usual = {"%Y-%m", "%Y/%m", "%YM%m", "%Y-M%m", "%Y%m",     "%B[,] %Y",
                           "%B-%Y", "%Y %B", "%m/%Y", "%Y%m%d", "%Y/%m/%d", "rfc3339"};
  absl::StatusOr<TimeForms> forms = CompileForms(arguments.empty() ? usual : arguments, false);
  if (!forms.ok()) return forms.status();
  return MakeFunction([forms = *std::move(forms)](Cell& cell, Scratch& scratch) {
    absl::string_view text;
    CivilTime civil;
    if (cell.kind == Cell::Kind::kTyped) {
      RETURN_IF_ERROR(ToDate(cell, scratch));
      civil.second = absl::CivilSecond(absl::CivilDay(1970, 1, 1) + cell.value.date().days);
    } else if (!TextToParse(cell, text)) {
      return absl::OkStatus();
    } else if (!forms.Parse(text, civil)) {
      return RefusedValue(text, "is not a month like 2024-07, 2024M07 or July 2024");
    }
    const int year = static_cast<int>(civil.second.year());
    const int month = civil.second.month();
    std::string& out = scratch.Next();
    for (int power : {1000, 100, 10, 1}) out += static_cast<char>('0' + year / power % 10);
    out += '-';
    out += static_cast<char>('0' + month / 10);
    out += static_cast<char>('0' + month % 10);
    cell.SetText(out);
    return absl::OkStatus();
  });
}

// 1 to 12 from 7, 07, M07, July or Jul; 0 otherwise.
int MonthOf(absl::string_view text) {
  absl::string_view name = text;
  int named = TakeMonthName(name);
  if (named > 0) return name.empty() ? named : 0;
  if (text.size() > 1 && (text[0] == 'M' || text[0] == 'm')) text.remove_prefix(1);
  int number = 0;
  if (text.empty() || text.size() > 2) return 0;
  for (char c : text) {
    if (!absl::ascii_isdigit(static_cast<unsigned char>(c))) return 0;
    number = number * 10 + (c - '0');
  }
  return number <= 12 ? number : 0;
}

absl::StatusOr<FunctionPtr> MakeToMonth(const Arguments&) {
  return MakeFunction([](Cell& cell, Scratch& scratch) {
    absl::string_view text = absl::StripAsciiWhitespace(CellText(cell, scratch));
    if (text.empty()) {
      cell.SetNull();
      return absl::OkStatus();
    }
    int month = MonthOf(text);
    if (month == 0) return RefusedValue(text, "is not a month like 7, M07, July or Jul");
    cell.SetTyped(Value::Integer(month));
    return absl::OkStatus();
  });
}

absl::StatusOr<FunctionPtr> MakeDatePart(const Arguments& arguments) {
  const std::string& part = arguments[0];
  if (part != "year" && part != "month" && part != "day") return WrongArguments("the part is year, month or day");
  return MakeFunction([part](Cell& cell, Scratch& scratch) {
    RETURN_IF_ERROR(ToDate(cell, scratch));
    if (cell.is_null()) return absl::OkStatus();
    absl::CivilDay day = absl::CivilDay(1970, 1, 1) + cell.value.date().days;
    cell.SetTyped(Value::Integer(part == "year" ? day.year() : part == "month" ? day.month() : day.day()));
    return absl::OkStatus();
  });
}

// Microseconds since 1970 from a count of `kMicros` since then.
template <int64_t kMicros>
absl::StatusOr<FunctionPtr> MakeEpoch(const Arguments&) {
  return MakeFunction([](Cell& cell, Scratch& scratch) {
    RETURN_IF_ERROR(CoerceCell(ValueType::kInteger, cell, scratch));
    if (cell.is_null()) return absl::OkStatus();
    // The years 0001 to 9999: what RFC 3339 can write.
    constexpr int64_t kLeast = -62'135'596'800'000'000, kMost = 253'402'300'799'999'999;
    int64_t count = cell.value.type() == ValueType::kInteger ? cell.value.integer() : kMost;
    if (count < kLeast / kMicros || count > kMost / kMicros) {
      return RefusedValue(cell.value.ToText(), "is not a time between the years 1 and 9999");
    }
    cell.SetTyped(Value::Of(Timestamp{count * kMicros, 0}));
    return absl::OkStatus();
  });
}

}  // namespace

std::vector<FunctionSpec> TimeFunctions() {
  return {
      {"to_timestamp", 0, 16,
       "`to_timestamp FORMAT... ZONE`: a time, in the first format that fits (`rfc3339` or a date if none is given); "
       "texts without a zone are in ZONE, or in UTC",
       MakeToTimestamp},
      {"to_date", 0, 16,
       "`to_date FORMAT...`: a date, in the first format that fits; without one from 2026-01-31, or the local day of a "
       "time",
       MakeToDate},
      {"to_year_month", 0, 16,
       "`to_year_month FORMAT...`: a month as the text 2024-07, from 2024-07, 2024M07, July 2024, or a date",
       MakeToYearMonth},
      {"to_month", 0, 0, "`to_month`: 1 to 12, from 7, M07, July or Jul", MakeToMonth},
      {"epoch_ms", 0, 0, "`epoch_ms`: a time, from milliseconds since 1970-01-01T00:00:00Z", MakeEpoch<1000>},
      {"epoch_s", 0, 0, "`epoch_s`: a time, from seconds since 1970-01-01T00:00:00Z", MakeEpoch<1'000'000>},
      {"date_part", 1, 1, "`date_part P`: the year, month or day of a date or time as an integer", MakeDatePart},
  };
}

}  // namespace chartly
