// Values to and from their message.
#include <cmath>

#include "chartly/v1/record.pb.h"
#include "common/status/status.h"
#include "common/value/value.h"

namespace chartly {

void ToProto(const Value& value, v1::Value& out) {
  switch (value.type()) {
    case ValueType::kNull:
      out.clear_kind();
      return;
    case ValueType::kText:
      out.set_text(value.text());
      return;
    case ValueType::kInteger:
      out.set_integer(value.integer());
      return;
    case ValueType::kDecimal:
      out.set_decimal(FormatDecimal(value.decimal()));
      return;
    case ValueType::kFloat:
      out.set_float_(value.float_value());
      return;
    case ValueType::kBoolean:
      out.set_boolean(value.boolean());
      return;
    case ValueType::kTimestamp:
      out.set_timestamp(FormatTimestamp(value.timestamp()));
      return;
    case ValueType::kDate:
      out.set_date(FormatDate(value.date()));
      return;
  }
}

absl::StatusOr<Value> FromProto(const v1::Value& message) {
  switch (message.kind_case()) {
    case v1::Value::KIND_NOT_SET:
      return Value();
    case v1::Value::kText:
      return Value::Text(message.text());
    case v1::Value::kInteger:
      return Value::Integer(message.integer());
    case v1::Value::kDecimal: {
      absl::StatusOr<Decimal> decimal = ParseDecimal(message.decimal());
      if (!decimal.ok()) {
        return Error(absl::StatusCode::kInvalidArgument, "VALUE_INVALID", decimal.status().message());
      }
      return Value::Of(*decimal);
    }
    case v1::Value::kFloat:
      if (!std::isfinite(message.float_())) {
        return Error(absl::StatusCode::kInvalidArgument, "VALUE_INVALID", "a float must be finite");
      }
      return Value::Float(message.float_());
    case v1::Value::kBoolean:
      return Value::Boolean(message.boolean());
    case v1::Value::kTimestamp: {
      ASSIGN_OR_RETURN(Timestamp timestamp, ParseTimestamp(message.timestamp()));
      return Value::Of(timestamp);
    }
    case v1::Value::kDate: {
      ASSIGN_OR_RETURN(Date date, ParseDate(message.date()));
      return Value::Of(date);
    }
  }
  return Value();
}

}  // namespace chartly
