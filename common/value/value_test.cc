#include "common/value/value.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>
#include <vector>

#include "chartly/v1/record.pb.h"
#include "common/status/status.h"
#include "test/support/test.h"

namespace chartly {
namespace {

std::string Canonical(const Value& value) {
  std::string bytes;
  value.AppendCanonical(bytes);
  return bytes;
}

Value Number(const char* text) {
  auto value = ParseNumber(text);
  REQUIRE_OK(value);
  return *value;
}

Value DecimalOf(const char* text) {
  auto value = ParseDecimal(text);
  REQUIRE_OK(value);
  return Value::Of(*value);
}

// A value of any kind; few distinct numbers, so that equal ones of different types meet often.
Value RandomValue(std::mt19937_64& random) {
  auto pick = [&](int64_t low, int64_t high) { return std::uniform_int_distribution<int64_t>(low, high)(random); };
  switch (pick(0, 9)) {
    case 0:
      return Value();
    case 1:
      return Value::Boolean(pick(0, 1) == 1);
    case 2:
      return Value::Integer(pick(-5, 5));
    case 3:
      return Value::Integer(static_cast<int64_t>(random()));
    case 4:
      return Value::Of(Decimal{pick(-50, 50), static_cast<uint8_t>(pick(0, 2))});
    case 5:
      return Value::Of(Decimal{absl::MakeInt128(pick(-5'000'000'000'000'000, 5'000'000'000'000'000), random()),
                               static_cast<uint8_t>(pick(0, 38))});
    case 6:
      return Value::Float(static_cast<double>(pick(-20, 20)) / 4);
    case 7:
      return Value::Float(std::ldexp(static_cast<double>(pick(-1000, 1000)), static_cast<int>(pick(-900, 900))));
    case 8:
      return Value::Of(Timestamp{pick(0, 3), static_cast<int16_t>(pick(-60, 60))});
    default:
      return Value::Text(std::string(static_cast<size_t>(pick(0, 3)), static_cast<char>('a' + pick(0, 1))));
  }
}

}  // namespace

TEST_CASE("a number has one canonical form whatever its type and digits") {
  CHECK(Canonical(Value::Integer(5)) == Canonical(DecimalOf("5.00")));
  CHECK(Canonical(Value::Integer(5)) == Canonical(Value::Float(5.0)));
  CHECK(Canonical(Value::Integer(1000)) == Canonical(DecimalOf("1e3")));
  CHECK(Canonical(DecimalOf("0.1")) == Canonical(Value::Float(0.1)));
  CHECK(Canonical(Value::Float(-0.0)) == Canonical(Value::Integer(0)));
  CHECK(Canonical(DecimalOf("0.000")) == Canonical(Value::Integer(0)));
  CHECK(Canonical(Value::Float(1e300)) == Canonical(Number("1e300")));
  CHECK(Canonical(Value::Integer(5)) != Canonical(Value::Integer(50)));
  CHECK(Canonical(Value::Integer(5)) != Canonical(Value::Text("5")));
  CHECK(Canonical(Value::Integer(9007199254740993)) != Canonical(Value::Float(9007199254740992.0)));
  CHECK(Value::Integer(5) != Value::Float(5.0));
}

TEST_CASE("the extremes of 64 and 128 bits are exact") {
  constexpr int64_t kMin = std::numeric_limits<int64_t>::min();
  CHECK(Value::Integer(kMin).ToText() == "-9223372036854775808");
  CHECK(CompareValues(Value::Integer(kMin), DecimalOf("-9223372036854775808.0")) == 0);
  CHECK(CompareValues(Value::Integer(kMin), DecimalOf("-9223372036854775808.1")) == 1);
  Value smallest = Value::Of(Decimal{absl::Int128Min(), 0});
  CHECK(smallest.ToText() == "-170141183460469231731687303715884105728");
  CHECK(CompareValues(smallest, DecimalOf("-99999999999999999999999999999999999999")) == -1);
  CHECK(CompareValues(Value::Of(Decimal{absl::Int128Max(), 38}), Value::Float(9.5)) == -1);
  CHECK(CompareValues(Value::Of(Decimal{absl::Int128Max(), 37}), Value::Float(17.5)) == -1);
}

TEST_CASE("order, canonical bytes and comparison agree for all pairs of values") {
  std::mt19937_64 random(7);
  std::vector<Value> values;
  for (int i = 0; i < 400; ++i) values.push_back(RandomValue(random));
  int broken = 0;
  int equal_across_types = 0;
  for (const Value& a : values) {
    for (const Value& b : values) {
      int order = CompareValues(a, b);
      if (order != -CompareValues(b, a)) ++broken;
      if ((order == 0) != (Canonical(a) == Canonical(b))) ++broken;
      if (order == 0 && a.type() != b.type()) ++equal_across_types;
    }
  }
  CHECK(broken == 0);
  CHECK(equal_across_types > 50);
  std::sort(values.begin(), values.end(), [](const Value& a, const Value& b) { return CompareValues(a, b) < 0; });
  for (size_t i = 0; i + 1 < values.size(); i += 7) {
    for (size_t j = i; j < values.size(); j += 11) {
      if (CompareValues(values[i], values[j]) > 0) ++broken;
    }
  }
  CHECK(broken == 0);
}

TEST_CASE("canonical bytes of several values in a row cannot be mistaken") {
  std::string first = Canonical(Value::Text("a")) + Canonical(Value::Text("bc"));
  std::string second = Canonical(Value::Text("ab")) + Canonical(Value::Text("c"));
  CHECK(first != second);
}

TEST_CASE("decimals keep their digits and doubles come back") {
  std::mt19937_64 random(11);
  for (int i = 0; i < 20000; ++i) {
    auto scale = static_cast<uint8_t>(random() % 39);
    absl::int128 unscaled = absl::MakeInt128(static_cast<int64_t>(random()) >> (random() % 64), random());
    unscaled /= (i % 2 == 0) ? 1'000'000 : 7;
    if (unscaled > 0 && FormatDecimal({unscaled, 0}).size() > 38) continue;
    if (unscaled < 0 && FormatDecimal({unscaled, 0}).size() > 39) continue;
    auto back = ParseDecimal(FormatDecimal({unscaled, scale}));
    REQUIRE_OK(back);
    REQUIRE(*back == Decimal{unscaled, scale});
    double number = std::ldexp(static_cast<double>(random()), static_cast<int>(random() % 1900) - 950);
    auto parsed = ParseFloat(Value::Float(number).ToText());
    REQUIRE_OK(parsed);
    REQUIRE(*parsed == number);
    REQUIRE(Value::Of(Decimal{unscaled, scale}).ToDouble() ==
            std::strtod(FormatDecimal({unscaled, scale}).c_str(), nullptr));
  }
}

TEST_CASE("decimals print with the scale they came with") {
  CHECK(DecimalOf("12.50").ToText() == "12.50");
  CHECK(DecimalOf("-0.05").ToText() == "-0.05");
  CHECK(DecimalOf(".5").ToText() == "0.5");
  CHECK(DecimalOf("+7").ToText() == "7");
  CHECK(DecimalOf("1.5e6").ToText() == "1500000");
  CHECK(DecimalOf("1.5e-3").ToText() == "0.0015");
  CHECK(DecimalOf("0.00").ToText() == "0.00");
  CHECK(DecimalOf("1.0000000000000000000000000000000000000000000").ToText() ==
        "1.0000000000000000000000000000000000000");
}

TEST_CASE("a JSON number becomes an integer, a decimal, or a float without loss") {
  CHECK(Number("42") == Value::Integer(42));
  CHECK(Number("-9223372036854775808").type() == ValueType::kInteger);
  CHECK(Number("9223372036854775808").type() == ValueType::kDecimal);
  CHECK(Number("1.10").ToText() == "1.10");
  CHECK(Number("2.5e3").ToText() == "2500");
  CHECK(Number("1.25e-45") == Value::Float(1.25e-45));
  CHECK(ParseNumber("1e999").status().code() == absl::StatusCode::kInvalidArgument);
  CHECK(ParseNumber("1.23456789012345678901234567890123456789012345").status().code() ==
        absl::StatusCode::kInvalidArgument);
}

TEST_CASE("what is not a number is refused and named") {
  std::string text = GENERATE("", " 1", "1 ", "NaN", "inf", "-inf", "1,000", "0x10", "1e", "--1", "1.2.3", ".", "-",
                              "e5", "1_000", "five");
  INFO(text);
  for (const absl::Status& status : {ParseInteger(text).status(), ParseDecimal(text).status(),
                                     ParseFloat(text).status(), ParseNumber(text).status()}) {
    CHECK(status.code() == absl::StatusCode::kInvalidArgument);
    CHECK(Reason(status) == "VALUE_INVALID");
    CHECK(std::string(status.message()).find("\"" + text + "\"") == 0);
  }
}

TEST_CASE("numbers past their bounds are out of range") {
  CHECK(ParseInteger("9223372036854775808").status().code() == absl::StatusCode::kOutOfRange);
  CHECK(ParseDecimal("123456789012345678901234567890123456789").status().code() == absl::StatusCode::kOutOfRange);
  CHECK(ParseDecimal("1e39").status().code() == absl::StatusCode::kOutOfRange);
  CHECK(ParseDecimal("1e-39").status().code() == absl::StatusCode::kOutOfRange);
  CHECK(ParseDecimal("1e999999999999").status().code() == absl::StatusCode::kOutOfRange);
  CHECK(ParseFloat("1e309").status().code() == absl::StatusCode::kOutOfRange);
  CHECK_OK(ParseDecimal("0e999999999999"));
}

TEST_CASE("messages cut long text between characters") {
  std::string text(63, 'x');
  text += "\xC3\xA9\xC3\xA9";
  std::string message(ParseInteger(text).status().message());
  CHECK(message == "\"" + std::string(63, 'x') + "...\" is not an integer");
}

TEST_CASE("booleans are read in any case and nothing else is") {
  CHECK(*ParseBoolean("TRUE"));
  CHECK(*ParseBoolean("Yes"));
  CHECK(*ParseBoolean("1"));
  CHECK_FALSE(*ParseBoolean("no"));
  CHECK_FALSE(*ParseBoolean("False"));
  CHECK_FALSE(ParseBoolean("y").ok());
  CHECK_FALSE(ParseBoolean("").ok());
}

TEST_CASE("times keep their offset and compare by instant") {
  auto with_offset = ParseTimestamp("2026-01-31T09:00:00.5+01:00");
  auto utc = ParseTimestamp("2026-01-31 08:00:00.500000Z");
  REQUIRE_OK(with_offset);
  REQUIRE_OK(utc);
  CHECK(FormatTimestamp(*with_offset) == "2026-01-31T09:00:00.5+01:00");
  CHECK(FormatTimestamp(*utc) == "2026-01-31T08:00:00.5Z");
  CHECK(CompareValues(Value::Of(*with_offset), Value::Of(*utc)) == 0);
  CHECK(Canonical(Value::Of(*with_offset)) == Canonical(Value::Of(*utc)));
  CHECK(Value::Of(*with_offset) != Value::Of(*utc));
  CHECK(ParseTimestamp("2026-01-31T09:00")->micros == ParseTimestamp("2026-01-31T09:00:00Z")->micros);
  CHECK(ParseTimestamp("2016-12-31T23:59:60Z")->micros == ParseTimestamp("2017-01-01T00:00:00Z")->micros);
  CHECK(ParseTimestamp("1969-12-31T23:59:59.999999Z")->micros == -1);
  CHECK(FormatTimestamp({-1, 0}) == "1969-12-31T23:59:59.999999Z");
  CHECK(FormatTimestamp({-1, -90}) == "1969-12-31T22:29:59.999999-01:30");
  CHECK(ParseTimestamp("2026-01-31T09:00:00.1234567Z")->micros % 1000000 == 123456);
}

TEST_CASE("what is not a date or a time is refused") {
  std::string text =
      GENERATE("", "2026", "2026-02-30", "2026-13-01", "0000-01-01", "2026-01-31T", "2026-01-31T24:00:00Z",
               "2026-01-31T09:60", "2026-01-31T09:00:00.Z", "2026-01-31T09:00:00+1", "2026-01-31T09:00:00+24:00",
               "2026-01-31T09:00:00Zx", "31.01.2026", "2026-01-31x");
  INFO(text);
  CHECK(ParseTimestamp(text).status().code() == absl::StatusCode::kInvalidArgument);
  CHECK(ParseDate(text).status().code() == absl::StatusCode::kInvalidArgument);
}

TEST_CASE("dates and times come back from their text, and no extreme breaks the printing") {
  std::mt19937_64 random(3);
  for (int i = 0; i < 20000; ++i) {
    Date date{static_cast<int32_t>(random() % 2900000) - 700000};
    REQUIRE(*ParseDate(FormatDate(date)) == date);
    Timestamp time{static_cast<int64_t>(random() % 200'000'000'000'000'000) - 60'000'000'000'000'000,
                   static_cast<int16_t>(static_cast<int>(random() % 2879) - 1439)};
    REQUIRE(*ParseTimestamp(FormatTimestamp(time)) == time);
  }
  for (int64_t micros : {std::numeric_limits<int64_t>::min(), std::numeric_limits<int64_t>::max()}) {
    CHECK_FALSE(FormatTimestamp({micros, std::numeric_limits<int16_t>::min()}).empty());
  }
  CHECK_FALSE(FormatDate({std::numeric_limits<int32_t>::min()}).empty());
}

TEST_CASE("values come back from their message, and malformed messages are refused") {
  std::vector<Value> values = {Value(),
                               Value::Text("Österreich"),
                               Value::Integer(-7),
                               DecimalOf("12.50"),
                               Value::Float(0.1),
                               Value::Boolean(false),
                               Value::Of(*ParseTimestamp("2026-01-31T09:00:00+01:00")),
                               Value::Of(*ParseDate("2026-01-31"))};
  for (const Value& value : values) {
    v1::Value message;
    ToProto(value, message);
    auto back = FromProto(message);
    REQUIRE_OK(back);
    CHECK(*back == value);
  }
  v1::Value bad;
  bad.set_decimal("12,5");
  CHECK(FromProto(bad).status().code() == absl::StatusCode::kInvalidArgument);
  bad.set_float_(std::numeric_limits<double>::quiet_NaN());
  CHECK(FromProto(bad).status().code() == absl::StatusCode::kInvalidArgument);
  bad.set_timestamp("yesterday");
  CHECK(FromProto(bad).status().code() == absl::StatusCode::kInvalidArgument);
  bad.set_date("2026-02-30");
  CHECK(FromProto(bad).status().code() == absl::StatusCode::kInvalidArgument);
}

}  // namespace chartly
