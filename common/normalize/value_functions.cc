// Functions that make typed values, or change them.
#include <cmath>
#include <limits>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/time/civil_time.h"
#include "common/normalize/function.h"
#include "common/status/status.h"
#include "common/value/quote_text.h"

namespace chartly {
namespace {

using Arguments = std::vector<std::string>;

constexpr int kMaxScale = 38;
constexpr int64_t kMicrosPerDay = int64_t{24} * 3600 * 1'000'000;
constexpr int64_t kMicrosPerMinute = int64_t{60} * 1'000'000;

absl::Status Refused(absl::string_view text, absl::string_view why) {
  return Error(absl::StatusCode::kInvalidArgument, "VALUE_INVALID", absl::StrCat(QuoteText(text), " ", why));
}

template <ValueType kType>
absl::StatusOr<FunctionPtr> MakeCoercion(const Arguments&) {
  return MakeFunction([](Cell& cell, Scratch& scratch) { return CoerceCell(kType, cell, scratch); });
}

// The local day of a timestamp: the day its source wrote.
Date DayOf(Timestamp timestamp) {
  int64_t local = timestamp.micros + timestamp.offset_minutes * kMicrosPerMinute;
  int64_t days = local / kMicrosPerDay - (local % kMicrosPerDay < 0 ? 1 : 0);
  return Date{static_cast<int32_t>(days)};
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

absl::StatusOr<FunctionPtr> MakeToDate(const Arguments&) { return MakeFunction(ToDate); }

absl::StatusOr<FunctionPtr> MakeDatePart(const Arguments& arguments) {
  const std::string& part = arguments[0];
  if (part != "year" && part != "month" && part != "day") {
    return Error(absl::StatusCode::kInvalidArgument, "FUNCTION_ARGUMENTS_INVALID", "the part is year, month or day");
  }
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
    int64_t count = cell.value.integer();
    // The years 0001 to 9999: what RFC 3339 can write.
    constexpr int64_t kLeast = -62'135'596'800'000'000, kMost = 253'402'300'799'999'999;
    if (count < kLeast / kMicros || count > kMost / kMicros) {
      return Refused(absl::StrCat(count), "is not a time between the years 1 and 9999");
    }
    cell.SetTyped(Value::Of(Timestamp{count * kMicros, 0}));
    return absl::OkStatus();
  });
}

// The exact product; false if it does not fit 38 digits.
bool Multiply(Decimal a, Decimal b, Decimal& out) {
  if (a.scale + b.scale > kMaxScale) return false;
  __int128 product = 0;
  if (__builtin_mul_overflow(static_cast<__int128>(a.unscaled), static_cast<__int128>(b.unscaled), &product))
    return false;
  static const absl::int128 kLimit = [] {
    absl::int128 limit = 1;
    for (int i = 0; i < kMaxScale; ++i) limit *= 10;
    return limit;
  }();
  out = Decimal{absl::int128(product), static_cast<uint8_t>(a.scale + b.scale)};
  return out.unscaled < kLimit && out.unscaled > -kLimit;
}

absl::Status Scale(Decimal factor, Cell& cell, Scratch& scratch) {
  RETURN_IF_ERROR(CoerceToNumber(cell, scratch));
  if (cell.is_null()) return absl::OkStatus();
  if (cell.value.type() == ValueType::kFloat) {
    double product = cell.value.float_value() * Value::Of(factor).ToDouble();
    if (!std::isfinite(product)) return Refused(cell.value.ToText(), "times the factor is too large");
    cell.SetTyped(Value::Float(product));
    return absl::OkStatus();
  }
  Decimal number = cell.value.type() == ValueType::kInteger ? Decimal{cell.value.integer(), 0} : cell.value.decimal();
  Decimal product;
  if (!Multiply(number, factor, product))
    return Refused(cell.value.ToText(), "times the factor has more than 38 digits");
  bool is_integer = product.scale == 0 && product.unscaled >= std::numeric_limits<int64_t>::min() &&
                    product.unscaled <= std::numeric_limits<int64_t>::max();
  cell.SetTyped(is_integer ? Value::Integer(static_cast<int64_t>(product.unscaled)) : Value::Of(product));
  return absl::OkStatus();
}

absl::StatusOr<FunctionPtr> MakeScale(const Arguments& arguments) {
  absl::StatusOr<Decimal> factor = ParseDecimal(arguments[0]);
  if (!factor.ok()) return factor.status();
  return MakeFunction([factor = *factor](Cell& cell, Scratch& scratch) { return Scale(factor, cell, scratch); });
}

}  // namespace

std::vector<FunctionSpec> ValueFunctions() {
  return {
      {"to_integer", 0, 0, "`to_integer`: a whole number of 64 bits; 5.0 is one and 5.5 is not",
       MakeCoercion<ValueType::kInteger>},
      {"to_decimal", 0, 0, "`to_decimal`: a number with all its digits, at most 38", MakeCoercion<ValueType::kDecimal>},
      {"to_float", 0, 0, "`to_float`: a double, rounded to the nearest", MakeCoercion<ValueType::kFloat>},
      {"to_text", 0, 0, "`to_text`: text; a number with the digits of the source", MakeCoercion<ValueType::kText>},
      {"to_bool", 0, 0, "`to_bool`: true or false, from true false yes no 1 0 in any case",
       MakeCoercion<ValueType::kBoolean>},
      {"to_date", 0, 0, "`to_date`: a date, from 2026-01-31 or from the local day of a time", MakeToDate},
      {"to_timestamp", 0, 0, "`to_timestamp`: a time, from RFC 3339 or a date; UTC where no zone is given",
       MakeCoercion<ValueType::kTimestamp>},
      {"epoch_ms", 0, 0, "`epoch_ms`: a time, from milliseconds since 1970-01-01T00:00:00Z", MakeEpoch<1000>},
      {"epoch_s", 0, 0, "`epoch_s`: a time, from seconds since 1970-01-01T00:00:00Z", MakeEpoch<1'000'000>},
      {"date_part", 1, 1, "`date_part P`: the year, month or day of a date or time as an integer", MakeDatePart},
      {"scale", 1, 1, "`scale F`: times F, exactly: `scale 1000`, `scale 0.01`", MakeScale},
  };
}

}  // namespace chartly
