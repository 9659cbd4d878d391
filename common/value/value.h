// Typed values of records. Integers and decimals are exact to 128 bits; times keep the offset of their source.
//
// Numbers have one canonical form whatever their type: integer 5, decimal 5.00 and float 5.0 are the same value for
// keys, joins and record ids, while each prints with the digits it came with. Value is a plain value type; all
// functions are thread-safe and pure.
#ifndef CHARTLY_COMMON_VALUE_VALUE_H_
#define CHARTLY_COMMON_VALUE_VALUE_H_

#include <cstdint>
#include <string>
#include <variant>

#include "absl/numeric/int128.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace chartly {

namespace v1 {
class Value;
}

// unscaled * 10^-scale, with the scale the source wrote: 12.50 is {1250, 2}.
struct Decimal {
  absl::int128 unscaled = 0;
  uint8_t scale = 0;  // 0..38
  bool operator==(const Decimal&) const = default;
};

// Microseconds since 1970-01-01T00:00:00Z, and the offset of the source from UTC in minutes.
struct Timestamp {
  int64_t micros = 0;
  int16_t offset_minutes = 0;
  bool operator==(const Timestamp&) const = default;
};

// Days since 1970-01-01.
struct Date {
  int32_t days = 0;
  bool operator==(const Date&) const = default;
};

// The order is stored in batches (batch.proto Type); never change it.
enum class ValueType : uint8_t {
  kNull = 0,
  kText = 1,
  kInteger = 2,
  kDecimal = 3,
  kFloat = 4,
  kBoolean = 5,
  kTimestamp = 6,
  kDate = 7,
};

// "text", "integer", ...
absl::string_view ValueTypeName(ValueType type);

class Value {
 public:
  Value() = default;  // null
  static Value Text(absl::string_view text) { return Value(std::string(text)); }
  static Value Integer(int64_t integer) { return Value(integer); }
  static Value Of(Decimal decimal) { return Value(decimal); }
  static Value Float(double number) { return Value(number); }
  static Value Boolean(bool boolean) { return Value(boolean); }
  static Value Of(Timestamp timestamp) { return Value(timestamp); }
  static Value Of(Date date) { return Value(date); }

  ValueType type() const { return static_cast<ValueType>(data_.index()); }
  bool is_null() const { return type() == ValueType::kNull; }
  bool is_number() const { return type() >= ValueType::kInteger && type() <= ValueType::kFloat; }

  // Requires: the value has that type.
  const std::string& text() const { return std::get<std::string>(data_); }
  int64_t integer() const { return std::get<int64_t>(data_); }
  Decimal decimal() const { return std::get<Decimal>(data_); }
  double float_value() const { return std::get<double>(data_); }
  bool boolean() const { return std::get<bool>(data_); }
  Timestamp timestamp() const { return std::get<Timestamp>(data_); }
  Date date() const { return std::get<Date>(data_); }

  // The nearest double of a number. Requires: is_number().
  double ToDouble() const;
  // The value for people and for CSV: digits as they came, RFC 3339 for times, "true"; empty for null.
  std::string ToText() const;
  // Appends type class and value so that equal values, and only they, give equal bytes. Numbers share one class.
  void AppendCanonical(std::string& out) const;
  // Same type and same content; 5 and 5.0 differ here.
  bool operator==(const Value&) const = default;

 private:
  using Data = std::variant<std::monostate, std::string, int64_t, Decimal, double, bool, Timestamp, Date>;
  template <typename T>
  explicit Value(T data) : data_(std::move(data)) {}
  Data data_;
};

// AppendCanonical of a text, without making a Value.
void AppendCanonicalText(absl::string_view text, std::string& out);
// The same of the number unscaled * 10^-scale, which always takes so many bytes.
inline constexpr size_t kCanonicalNumberBytes = 19;
void StoreCanonicalNumber(int64_t unscaled, uint8_t scale, char* to);

// Order by value: numbers numerically and exactly across types, text by bytes, times by instant; false < true.
// Values of different classes order by class: null, boolean, number, date, timestamp, text.
int CompareValues(const Value& a, const Value& b);

// Parsers take the whole text without surrounding blanks; anything else is InvalidArgument and names the text (cut at
// 64 bytes). "NaN", "inf", thousands separators and hex are refused.
absl::StatusOr<int64_t> ParseInteger(absl::string_view text);  // OutOfRange past 64 bits
absl::StatusOr<Decimal> ParseDecimal(absl::string_view text);  // also 1.5e6; OutOfRange past 38 digits
absl::StatusOr<double> ParseFloat(absl::string_view text);     // finite only
absl::StatusOr<bool> ParseBoolean(absl::string_view text);     // true false yes no 1 0, any case
absl::StatusOr<Date> ParseDate(absl::string_view text);        // 2026-01-31
// RFC 3339, also with a blank for T, without seconds or fraction, and without a zone (taken as UTC).
absl::StatusOr<Timestamp> ParseTimestamp(absl::string_view text);
// An integer if the text is one of 64 bits, else a decimal, else a float if it loses no digit (1e300), else
// InvalidArgument: how a JSON number becomes a value.
absl::StatusOr<Value> ParseNumber(absl::string_view text);

std::string FormatDecimal(Decimal decimal);    // "12.50"
std::string FormatTimestamp(Timestamp value);  // "2026-01-31T09:00:00.5+01:00", "Z" for offset 0
std::string FormatDate(Date value);            // "2026-01-31"

// To and from the message. A malformed message is InvalidArgument.
void ToProto(const Value& value, v1::Value& out);
absl::StatusOr<Value> FromProto(const v1::Value& message);

}  // namespace chartly

#endif  // CHARTLY_COMMON_VALUE_VALUE_H_
