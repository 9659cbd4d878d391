#include "common/normalize/plain_field.h"

#include "common/value/canonical_number.h"
#include "common/value/time_units.h"

namespace chartly {
namespace {

constexpr int kMaxPlainDigits = 18;

// Of numbers of at most 18 digits, so that neither can overflow.
int ComparePlain(int64_t a, int a_scale, int64_t b, int b_scale) {
  absl::int128 wide_a = a;
  absl::int128 wide_b = b;
  if (a_scale < b_scale) wide_a *= static_cast<absl::int128>(PowerOfTen(b_scale - a_scale));
  if (b_scale < a_scale) wide_b *= static_cast<absl::int128>(PowerOfTen(a_scale - b_scale));
  return wide_a < wide_b ? -1 : wide_a > wide_b ? 1 : 0;
}

}  // namespace

PlainField::PlainField(const CompiledField& field)
    : form_(FormOf(field)), required_(field.entry.required), bounded_(field.min || field.max) {
  if (form_ == Form::kNone) return;
  slot_ = field.slots[0];
  const bool plain_bounds = SetBound(field.min, min_) && SetBound(field.max, max_);
  if (!plain_bounds || (bounded_ && form_ == Form::kFloat)) form_ = Form::kNone;
}

PlainField::Form PlainField::FormOf(const CompiledField& field) {
  const bool as_it_is = field.functions.empty() && !field.entry.lookup && field.entry.concat.empty();
  if (!as_it_is || field.entry.constant || field.slots.size() != 1) return Form::kNone;
  if (!field.entry.type) return field.becomes_number ? Form::kNumber : Form::kUntyped;
  switch (*field.entry.type) {
    case ValueType::kNull:
      return Form::kNone;
    case ValueType::kText:
      return Form::kText;
    case ValueType::kInteger:
      return Form::kInteger;
    case ValueType::kDecimal:
      return Form::kDecimal;
    case ValueType::kFloat:
      return Form::kFloat;
    case ValueType::kBoolean:
      return Form::kBoolean;
    case ValueType::kTimestamp:
      return Form::kTimestamp;
    case ValueType::kDate:
      return Form::kDate;
  }
  return Form::kNone;
}

bool PlainField::SetBound(const std::optional<Value>& value, Bound& bound) {
  if (!value) return true;
  const ColumnValue plain = ColumnValue::Of(*value);
  const auto unscaled = static_cast<int64_t>(plain.low);
  const int64_t limit = static_cast<int64_t>(PowerOfTen(kMaxPlainDigits));
  const bool is_decimal = plain.type == ValueType::kDecimal && plain.extra <= kMaxPlainDigits &&
                          plain.high == static_cast<uint64_t>(unscaled >> 63);
  if ((plain.type != ValueType::kInteger && !is_decimal) || unscaled < -limit || unscaled > limit) return false;
  bound = {true, unscaled, static_cast<uint8_t>(plain.extra)};
  return true;
}

bool PlainField::IsWithinBounds(const ColumnValue& value) const {
  const auto unscaled = static_cast<int64_t>(value.low);
  return (!min_.is || ComparePlain(unscaled, value.extra, min_.unscaled, min_.scale) >= 0) &&
         (!max_.is || ComparePlain(unscaled, value.extra, max_.unscaled, max_.scale) <= 0);
}

// Each form that is frequent has a loop of its own, which does for most fields; Read does for the others.
void PlainField::ReadAll(const Field* fields, size_t count, ColumnValue* values, bool* plain) {
  if (form_ == Form::kText || form_ == Form::kUntyped) return ReadTexts(fields, count, values, plain);
  if (form_ == Form::kDecimal && !bounded_) return ReadDecimals(fields, count, values, plain);
  if (form_ >= Form::kTimestamp && !bounded_) return ReadTimes(fields, count, values, plain);
  for (size_t i = 0; i < count; ++i) plain[i] = Read(fields[i], values[i]) && plain[i];
}

void PlainField::ReadTexts(const Field* fields, size_t count, ColumnValue* values, bool* plain) {
  for (size_t i = 0; i < count; ++i) {
    if (fields[i].kind == Field::Kind::kText && !fields[i].text.empty()) {
      values[i].SetText(fields[i].text);
    } else {
      plain[i] = Read(fields[i], values[i]) && plain[i];
    }
  }
}

void PlainField::ReadDecimals(const Field* fields, size_t count, ColumnValue* values, bool* plain) {
  for (size_t i = 0; i < count; ++i) {
    const bool is_text = fields[i].kind == Field::Kind::kText || fields[i].kind == Field::Kind::kNumber;
    PlainNumber number;
    if (is_text && ReadPlainNumber(fields[i].text, number)) {
      values[i].SetDecimal(number.unscaled, number.scale);
    } else {
      plain[i] = Read(fields[i], values[i]) && plain[i];
    }
  }
}

void PlainField::ReadTimes(const Field* fields, size_t count, ColumnValue* values, bool* plain) {
  for (size_t i = 0; i < count; ++i) {
    const bool is_text = fields[i].kind == Field::Kind::kText && last_.size > 0;
    if (is_text && IsSameText(fields[i].text, {last_.text, last_.size})) {
      values[i] = last_.value;
    } else {
      plain[i] = Read(fields[i], values[i]) && plain[i];
    }
  }
}

bool PlainField::ReadRarer(absl::string_view text, ColumnValue& value) {
  if (form_ == Form::kFloat) {
    double number = 0;
    if (!ReadPlainFloat(text, number)) return false;
    value = ColumnValue::Float(number);
    return true;
  }
  if (form_ == Form::kBoolean) {
    value = ColumnValue::Boolean(text == "true" || text == "1");
    return value.low != 0 || text == "false" || text == "0";
  }
  if (!ReadTime(text, value)) return false;
  if (text.size() <= kShortTextBytes) {
    last_.size = text.size();
    CopyText(text, last_.text);
    last_.value = value;
  }
  return true;
}

bool PlainField::ReadTime(absl::string_view text, ColumnValue& value) {
  Date date;
  const bool is_date = ReadPlainDate(text, date);
  if (form_ == Form::kDate) {
    value = ColumnValue::Of(date);
    return is_date;
  }
  Timestamp time;
  if (is_date) {
    time = {date.days * kMicrosPerDay, 0};
  } else if (!ReadPlainTimestamp(text, time)) {
    absl::StatusOr<Timestamp> parsed = ParseTimestamp(text);
    if (!parsed.ok()) return false;
    time = *parsed;
  }
  value = ColumnValue::Of(time);
  return true;
}

}  // namespace chartly
