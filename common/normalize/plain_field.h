// The short way of a field from its row to its column: for fields that are taken as they are, or only get a type, and
// values in the plain forms that nearly all have. Whatever is not plain, or wrong, goes the long way (normalizer.cc),
// which gives the same where both give something. Internal to this folder. Not thread-safe.
#ifndef CHARTLY_COMMON_NORMALIZE_PLAIN_FIELD_H_
#define CHARTLY_COMMON_NORMALIZE_PLAIN_FIELD_H_

#include <cstddef>
#include <cstdint>

#include "absl/strings/ascii.h"
#include "absl/strings/string_view.h"
#include "common/batch/column_value.h"
#include "common/normalize/profile_compiler.h"
#include "common/normalize/row.h"
#include "common/text/short_text.h"
#include "common/value/plain_value.h"

namespace chartly {

class PlainField {
 public:
  explicit PlainField(const CompiledField& field);

  // Whether any value may be plain.
  bool possible() const { return form_ != Form::kNone; }
  // Of the field in a row. Requires: possible().
  size_t slot() const { return slot_; }
  // The value of the field, null included, if it is plain and fit for the record. False leaves `value` undefined.
  bool Read(const Field& field, ColumnValue& value) {
    if (form_ == Form::kNone || !ReadForm(field, value)) return false;
    if (required_ && (value.is_null() || (value.type == ValueType::kText && value.low == 0))) return false;
    return !bounded_ || value.is_null() || IsWithinBounds(value);
  }
  // The same for `count` fields of further rows; plain[i] becomes false where Read gives that.
  void ReadAll(const Field* fields, size_t count, ColumnValue* values, bool* plain);

 private:
  enum class Form : uint8_t {
    kNone,  // always the long way
    kUntyped,
    kText,
    kNumber,
    kInteger,
    kDecimal,
    kFloat,
    kBoolean,
    kTimestamp,
    kDate
  };
  // A bound that is a plain number.
  struct Bound {
    bool is = false;
    int64_t unscaled = 0;
    uint8_t scale = 0;
  };
  // Times repeat from row to row: the last one and what it meant.
  struct LastTime {
    size_t size = 0;
    char text[kShortTextBytes];
    ColumnValue value;
  };

  // Most texts have no blanks around them, which one look at both ends shows.
  static absl::string_view Stripped(absl::string_view text) {
    const bool bare = !text.empty() && text.front() > ' ' && text.back() > ' ';
    return bare ? text : absl::StripAsciiWhitespace(text);
  }
  static Form FormOf(const CompiledField& field);
  bool SetBound(const std::optional<Value>& value, Bound& bound);
  bool IsWithinBounds(const ColumnValue& value) const;
  void ReadTexts(const Field* fields, size_t count, ColumnValue* values, bool* plain);
  void ReadDecimals(const Field* fields, size_t count, ColumnValue* values, bool* plain);
  void ReadTimes(const Field* fields, size_t count, ColumnValue* values, bool* plain);
  bool ReadTime(absl::string_view text, ColumnValue& value);

  bool ReadForm(const Field& field, ColumnValue& value) {
    switch (field.kind) {
      case Field::Kind::kMissing:
      case Field::Kind::kNull:
        value.type = ValueType::kNull;
        return true;
      case Field::Kind::kText:
        if (form_ <= Form::kText) {
          value.SetText(field.text);
          return true;
        }
        return ReadTyped(form_, Stripped(field.text), value);
      case Field::Kind::kNumber:
        if (form_ == Form::kText) {
          value.SetText(field.text);
          return true;
        }
        return ReadTyped(form_ == Form::kUntyped ? Form::kNumber : form_, field.text, value);
      case Field::Kind::kBoolean:
        value = ColumnValue::Boolean(field.text == "true");
        return form_ == Form::kUntyped || form_ == Form::kBoolean;
      case Field::Kind::kComposite:
        break;
    }
    return false;
  }

  bool ReadTyped(Form form, absl::string_view text, ColumnValue& value) {
    if (text.empty()) {
      value.type = ValueType::kNull;
      return true;
    }
    if (form >= Form::kTimestamp && IsSameText(text, {last_.text, last_.size})) {
      value = last_.value;
      return true;
    }
    if (form >= Form::kFloat) return ReadRarer(text, value);
    PlainNumber number;
    if (!ReadPlainNumber(text, number)) return false;
    if (form == Form::kDecimal || (form == Form::kNumber && number.has_point)) {
      value.SetDecimal(number.unscaled, number.scale);
      return true;
    }
    value.SetInteger(number.unscaled);
    return !number.has_point;
  }

  bool ReadRarer(absl::string_view text, ColumnValue& value);

  Form form_;
  bool required_;
  bool bounded_;
  size_t slot_ = 0;
  Bound min_;
  Bound max_;
  LastTime last_;
};

}  // namespace chartly

#endif  // CHARTLY_COMMON_NORMALIZE_PLAIN_FIELD_H_
