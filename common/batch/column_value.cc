#include "common/batch/column_value.h"

namespace chartly {

ColumnValue ColumnValue::Of(const Value& value) {
  switch (value.type()) {
    case ValueType::kNull:
      break;
    case ValueType::kText:
      return Text(value.text());
    case ValueType::kInteger:
      return Integer(value.integer());
    case ValueType::kDecimal:
      return Of(value.decimal());
    case ValueType::kFloat:
      return Float(value.float_value());
    case ValueType::kBoolean:
      return Boolean(value.boolean());
    case ValueType::kTimestamp:
      return Of(value.timestamp());
    case ValueType::kDate:
      return Of(value.date());
  }
  return {};
}

Value ColumnValue::ToValue() const {
  switch (type) {
    case ValueType::kNull:
      break;
    case ValueType::kText:
      return Value::Text(text());
    case ValueType::kInteger:
      return Value::Integer(static_cast<int64_t>(low));
    case ValueType::kDecimal:
      return Value::Of(Decimal{absl::MakeInt128(static_cast<int64_t>(high), low), static_cast<uint8_t>(extra)});
    case ValueType::kFloat:
      return Value::Float(std::bit_cast<double>(low));
    case ValueType::kBoolean:
      return Value::Boolean(low != 0);
    case ValueType::kTimestamp:
      return Value::Of(Timestamp{static_cast<int64_t>(low), extra});
    case ValueType::kDate:
      return Value::Of(Date{static_cast<int32_t>(static_cast<int64_t>(low))});
  }
  return {};
}

}  // namespace chartly
