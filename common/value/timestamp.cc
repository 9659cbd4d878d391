// Dates and times from text and to text.
#include <cstdlib>
#include <string>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/time/civil_time.h"
#include "common/status/status.h"
#include "common/value/quote_text.h"
#include "common/value/time_units.h"
#include "common/value/value.h"

namespace chartly {
namespace {

// Reads parts of a text from the left; each call says whether the part was there.
class Scanner {
 public:
  explicit Scanner(absl::string_view text) : rest_(text) {}
  bool AtEnd() const { return rest_.empty(); }
  bool Take(char expected) {
    if (rest_.empty() || rest_[0] != expected) return false;
    rest_.remove_prefix(1);
    return true;
  }
  bool TakeAnyOf(absl::string_view characters, char& taken) {
    if (rest_.empty() || characters.find(rest_[0]) == absl::string_view::npos) return false;
    taken = rest_[0];
    rest_.remove_prefix(1);
    return true;
  }
  // Exactly `count` digits.
  bool TakeNumber(size_t count, int& number) {
    if (rest_.size() < count) return false;
    number = 0;
    for (size_t i = 0; i < count; ++i) {
      if (!absl::ascii_isdigit(static_cast<unsigned char>(rest_[i]))) return false;
      number = number * 10 + (rest_[i] - '0');
    }
    rest_.remove_prefix(count);
    return true;
  }
  // One digit or more after the point, to microseconds; further digits are cut off.
  bool TakeFraction(int64_t& micros) {
    size_t count = 0;
    micros = 0;
    for (; count < rest_.size() && absl::ascii_isdigit(static_cast<unsigned char>(rest_[count])); ++count) {
      if (count < 6) micros = micros * 10 + (rest_[count] - '0');
    }
    for (size_t i = count; i < 6; ++i) micros *= 10;
    rest_.remove_prefix(count);
    return count > 0;
  }

 private:
  absl::string_view rest_;
};

bool TakeDate(Scanner& scanner, int64_t& days) {
  int year = 0;
  int month = 0;
  int day = 0;
  bool read = scanner.TakeNumber(4, year) && scanner.Take('-') && scanner.TakeNumber(2, month) && scanner.Take('-') &&
              scanner.TakeNumber(2, day);
  if (!read || year == 0) return false;
  absl::CivilDay civil(year, month, day);  // normalises 02-30; a valid date stays as it is
  if (civil.month() != month || civil.day() != day) return false;
  days = civil - absl::CivilDay(1970, 1, 1);
  return true;
}

// Time of day in microseconds. Second 60, a leap second, counts as the next second.
bool TakeTime(Scanner& scanner, int64_t& micros) {
  int hour = 0;
  int minute = 0;
  int second = 0;
  int64_t fraction = 0;
  if (!scanner.TakeNumber(2, hour) || !scanner.Take(':') || !scanner.TakeNumber(2, minute)) return false;
  if (scanner.Take(':')) {
    if (!scanner.TakeNumber(2, second)) return false;
    if (scanner.Take('.') && !scanner.TakeFraction(fraction)) return false;
  }
  if (hour > 23 || minute > 59 || second > 60) return false;
  micros = (int64_t{hour} * 3600 + minute * 60 + second) * kMicrosPerSecond + fraction;
  return true;
}

// "Z", "+01:00", "+0100", "+01", or nothing, which is UTC.
bool TakeZone(Scanner& scanner, int& offset_minutes) {
  offset_minutes = 0;
  char sign = 0;
  if (scanner.AtEnd() || scanner.Take('Z') || scanner.Take('z')) return true;
  int hours = 0;
  int minutes = 0;
  if (!scanner.TakeAnyOf("+-", sign) || !scanner.TakeNumber(2, hours)) return false;
  if (!scanner.AtEnd()) {
    scanner.Take(':');
    if (!scanner.TakeNumber(2, minutes)) return false;
  }
  if (hours > 23 || minutes > 59) return false;
  offset_minutes = (hours * 60 + minutes) * (sign == '-' ? -1 : 1);
  return true;
}

// The rest of a division that rounds down.
int64_t FloorMod(int64_t number, int64_t divisor) {
  int64_t rest = number % divisor;
  return rest < 0 ? rest + divisor : rest;
}

std::string FormatFraction(int64_t micros) {
  if (micros == 0) return "";
  std::string digits = absl::StrFormat(".%06d", micros);
  digits.erase(digits.find_last_not_of('0') + 1);
  return digits;
}

std::string FormatOffset(int offset_minutes) {
  if (offset_minutes == 0) return "Z";
  int minutes = std::abs(offset_minutes);
  return absl::StrFormat("%c%02d:%02d", offset_minutes < 0 ? '-' : '+', minutes / 60, minutes % 60);
}

std::string FormatDays(int64_t days) {
  absl::CivilDay civil = absl::CivilDay(1970, 1, 1) + days;
  return absl::StrFormat("%04d-%02d-%02d", civil.year(), civil.month(), civil.day());
}

}  // namespace

absl::StatusOr<Date> ParseDate(absl::string_view text) {
  Scanner scanner(text);
  int64_t days = 0;
  if (!TakeDate(scanner, days) || !scanner.AtEnd()) {
    return Error(absl::StatusCode::kInvalidArgument, "VALUE_INVALID",
                 absl::StrCat(QuoteText(text), " is not a date like 2026-01-31"));
  }
  return Date{static_cast<int32_t>(days)};
}

absl::StatusOr<Timestamp> ParseTimestamp(absl::string_view text) {
  Scanner scanner(text);
  int64_t days = 0;
  int64_t micros = 0;
  int offset = 0;
  char between = 0;
  bool read = TakeDate(scanner, days) && scanner.TakeAnyOf("Tt ", between) && TakeTime(scanner, micros) &&
              TakeZone(scanner, offset) && scanner.AtEnd();
  if (!read) {
    return Error(absl::StatusCode::kInvalidArgument, "VALUE_INVALID",
                 absl::StrCat(QuoteText(text), " is not a time like 2026-01-31T09:00:00Z"));
  }
  return Timestamp{days * kMicrosPerDay + micros - offset * kMicrosPerMinute, static_cast<int16_t>(offset)};
}

std::string FormatTimestamp(Timestamp value) {
  // Split before adding the offset: the extremes of 64 bits must not overflow.
  int64_t of_day = FloorMod(value.micros, kMicrosPerDay);
  int64_t days = (value.micros / kMicrosPerDay) - (value.micros % kMicrosPerDay < 0 ? 1 : 0);
  int64_t local = of_day + value.offset_minutes * kMicrosPerMinute;
  int64_t local_of_day = FloorMod(local, kMicrosPerDay);
  days += (local - local_of_day) / kMicrosPerDay;
  int64_t seconds = local_of_day / kMicrosPerSecond;
  return absl::StrCat(FormatDays(days),
                      absl::StrFormat("T%02d:%02d:%02d", seconds / 3600, seconds / 60 % 60, seconds % 60),
                      FormatFraction(local_of_day % kMicrosPerSecond), FormatOffset(value.offset_minutes));
}

std::string FormatDate(Date value) { return FormatDays(value.days); }

}  // namespace chartly
