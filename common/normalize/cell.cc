#include "common/normalize/cell.h"

#include <limits>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "common/status/status.h"
#include "common/value/quote_text.h"
#include "common/value/time_units.h"

namespace chartly {
namespace {

absl::Status NotA(absl::string_view text, ValueType type) {
  absl::string_view name = ValueTypeName(type);
  absl::string_view article = type == ValueType::kInteger ? "an " : "a ";
  return Error(absl::StatusCode::kInvalidArgument, "VALUE_INVALID",
               absl::StrCat(QuoteText(text), " is not ", article, absl::string_view(name.data(), name.size())));
}

// The whole number that a decimal without a fraction stands for: an integer of 64 bits, or past that a decimal of
// scale 0, which keeps every digit.
bool WholeOf(Decimal decimal, Value& out) {
  absl::int128 whole = decimal.unscaled;
  for (int i = 0; i < decimal.scale; ++i) {
    if (whole % 10 != 0) return false;
    whole /= 10;
  }
  out = NumberOf(Decimal{whole, 0});
  return true;
}

// A parser that fails builds a message; the form of the text says beforehand which one to ask.
absl::Status IntegerFrom(absl::string_view text, Value& out) {
  constexpr size_t kSurelyFits = 18;
  if (text.size() <= kSurelyFits && text.find_first_of(".eE") == text.npos) {
    ASSIGN_OR_RETURN(int64_t integer, ParseInteger(text));
    out = Value::Integer(integer);
    return absl::OkStatus();
  }
  absl::StatusOr<Decimal> decimal = ParseDecimal(text);
  if (decimal.status().code() == absl::StatusCode::kOutOfRange) return decimal.status();
  if (!decimal.ok() || !WholeOf(*decimal, out)) return NotA(text, ValueType::kInteger);
  return absl::OkStatus();
}

// Times may be given as a date alone, which is its midnight in UTC.
absl::Status TimestampFrom(absl::string_view text, Value& out) {
  if (text.size() == 10) {
    absl::StatusOr<Date> date = ParseDate(text);
    if (date.ok()) {
      out = Value::Of(Timestamp{date->days * kMicrosPerDay, 0});
      return absl::OkStatus();
    }
  }
  ASSIGN_OR_RETURN(Timestamp timestamp, ParseTimestamp(text));
  out = Value::Of(timestamp);
  return absl::OkStatus();
}

absl::Status FromText(ValueType type, absl::string_view text, Value& out) {
  switch (type) {
    case ValueType::kInteger:
      return IntegerFrom(text, out);
    case ValueType::kDecimal: {
      ASSIGN_OR_RETURN(Decimal decimal, ParseDecimal(text));
      out = Value::Of(decimal);
      return absl::OkStatus();
    }
    case ValueType::kFloat: {
      ASSIGN_OR_RETURN(double number, ParseFloat(text));
      out = Value::Float(number);
      return absl::OkStatus();
    }
    case ValueType::kBoolean: {
      ASSIGN_OR_RETURN(bool boolean, ParseBoolean(text));
      out = Value::Boolean(boolean);
      return absl::OkStatus();
    }
    case ValueType::kDate: {
      ASSIGN_OR_RETURN(Date date, ParseDate(text));
      out = Value::Of(date);
      return absl::OkStatus();
    }
    case ValueType::kTimestamp:
      return TimestampFrom(text, out);
    case ValueType::kNull:
    case ValueType::kText:
      break;
  }
  return NotA(text, type);
}

// A typed value in another type, where that loses nothing (a float may round).
absl::StatusOr<Value> FromTyped(ValueType type, const Value& value) {
  if (value.type() == type) return value;
  Value whole;
  if (type == ValueType::kFloat && value.is_number()) return Value::Float(value.ToDouble());
  if (type == ValueType::kDecimal && value.type() == ValueType::kInteger) {
    return Value::Of(Decimal{value.integer(), 0});
  }
  if (type == ValueType::kInteger && value.type() == ValueType::kDecimal && WholeOf(value.decimal(), whole)) {
    return whole;
  }
  if (type == ValueType::kTimestamp && value.type() == ValueType::kDate) {
    return Value::Of(Timestamp{value.date().days * kMicrosPerDay, 0});
  }
  return NotA(value.ToText(), type);
}

}  // namespace

Value NumberOf(Decimal decimal) {
  bool is_integer = decimal.scale == 0 && decimal.unscaled >= std::numeric_limits<int64_t>::min() &&
                    decimal.unscaled <= std::numeric_limits<int64_t>::max();
  return is_integer ? Value::Integer(static_cast<int64_t>(decimal.unscaled)) : Value::Of(decimal);
}

absl::string_view CellText(const Cell& cell, Scratch& scratch) {
  if (cell.kind != Cell::Kind::kTyped) return cell.text;
  std::string& buffer = scratch.Next();
  buffer = cell.value.ToText();
  return buffer;
}

absl::Status CoerceCell(ValueType type, Cell& cell, Scratch& scratch) {
  if (cell.is_null()) return absl::OkStatus();
  if (type == ValueType::kText) {
    cell.SetText(CellText(cell, scratch));
    return absl::OkStatus();
  }
  if (cell.kind == Cell::Kind::kTyped) {
    ASSIGN_OR_RETURN(Value value, FromTyped(type, cell.value));
    cell.SetTyped(std::move(value));
    return absl::OkStatus();
  }
  absl::string_view text = absl::StripAsciiWhitespace(cell.text);
  if (text.empty()) {
    cell.SetNull();
    return absl::OkStatus();
  }
  RETURN_IF_ERROR(FromText(type, text, cell.value));
  cell.kind = Cell::Kind::kTyped;
  return absl::OkStatus();
}

absl::Status CoerceToNumber(Cell& cell, Scratch& scratch) {
  if (cell.is_null()) return absl::OkStatus();
  if (cell.kind == Cell::Kind::kTyped) {
    if (cell.value.is_number()) return absl::OkStatus();
    return Error(absl::StatusCode::kInvalidArgument, "VALUE_INVALID",
                 absl::StrCat(QuoteText(CellText(cell, scratch)), " is not a number; give the field a type"));
  }
  absl::string_view text = absl::StripAsciiWhitespace(cell.text);
  if (text.empty()) {
    cell.SetNull();
    return absl::OkStatus();
  }
  absl::StatusOr<Value> number = ParseNumber(text);
  if (!number.ok()) return number.status();
  cell.SetTyped(*std::move(number));
  return absl::OkStatus();
}

}  // namespace chartly
