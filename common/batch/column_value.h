// A value on its way into a column: what a Value holds, without owning its text and without a cost to make or copy.
#ifndef CHARTLY_COMMON_BATCH_COLUMN_VALUE_H_
#define CHARTLY_COMMON_BATCH_COLUMN_VALUE_H_

#include <bit>
#include <cstdint>

#include "absl/numeric/int128.h"
#include "absl/strings/string_view.h"
#include "common/value/value.h"

namespace chartly {

// Made by its functions; which of its members say what is the columns' business. A text is valid as long as what it is
// a view of.
struct ColumnValue {
  ValueType type = ValueType::kNull;
  int16_t extra = 0;  // the scale of a decimal, the offset of a timestamp
  uint64_t low = 0;   // an integer, a double's bits, microseconds, days; of a text its size
  union {
    uint64_t high = 0;  // the upper half of a decimal
    const char* data;   // of a text
  };

  // Writing the members one by one spares a copy of the whole, which would wait for them.
  void SetText(absl::string_view text) {
    type = ValueType::kText;
    extra = 0;
    low = text.size();
    data = text.data();
  }
  void SetInteger(int64_t integer) {
    type = ValueType::kInteger;
    extra = 0;
    low = static_cast<uint64_t>(integer);
    high = 0;
  }
  void SetDecimal(int64_t unscaled, uint8_t scale) {
    type = ValueType::kDecimal;
    extra = scale;
    low = static_cast<uint64_t>(unscaled);
    high = static_cast<uint64_t>(unscaled >> 63);
  }

  static ColumnValue Text(absl::string_view text) {
    ColumnValue value;
    value.SetText(text);
    return value;
  }
  static ColumnValue Integer(int64_t integer) {
    ColumnValue value;
    value.SetInteger(integer);
    return value;
  }
  static ColumnValue Of(Decimal decimal) {
    return {ValueType::kDecimal,
            decimal.scale,
            absl::Int128Low64(decimal.unscaled),
            {static_cast<uint64_t>(absl::Int128High64(decimal.unscaled))}};
  }
  static ColumnValue Float(double number) { return {ValueType::kFloat, 0, std::bit_cast<uint64_t>(number), {}}; }
  static ColumnValue Boolean(bool boolean) { return {ValueType::kBoolean, 0, uint64_t{boolean}, {}}; }
  static ColumnValue Of(Timestamp time) {
    return {ValueType::kTimestamp, time.offset_minutes, static_cast<uint64_t>(time.micros), {}};
  }
  static ColumnValue Of(Date date) { return {ValueType::kDate, 0, static_cast<uint64_t>(int64_t{date.days}), {}}; }
  // Views the text of `value`.
  static ColumnValue Of(const Value& value);

  bool is_null() const { return type == ValueType::kNull; }
  absl::string_view text() const { return {data, low}; }  // Requires: type is kText.
  Value ToValue() const;
};

}  // namespace chartly

#endif  // CHARTLY_COMMON_BATCH_COLUMN_VALUE_H_
