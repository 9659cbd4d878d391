#include "control/reporter/value_column.h"

#include <cstring>
#include <limits>

namespace chartly::reporter {
namespace {

bool Fits64(absl::int128 number) {
  return number >= std::numeric_limits<int64_t>::min() && number <= std::numeric_limits<int64_t>::max();
}

}  // namespace

int64_t ValueColumn::Add(const Value& value) {
  uint8_t tag = kAside;
  int64_t word = 0;
  int64_t extra = 0;
  if (value.type() == ValueType::kInteger) {
    tag = kInteger;
    word = value.integer();
  } else if (value.type() == ValueType::kFloat) {
    tag = kFloat;
    double number = value.float_value();
    std::memcpy(&word, &number, sizeof(word));
  } else if (value.type() == ValueType::kDecimal && Fits64(value.decimal().unscaled)) {
    tag = static_cast<uint8_t>(kDecimal + value.decimal().scale);
    word = static_cast<int64_t>(value.decimal().unscaled);
  } else {
    word = static_cast<int64_t>(aside_.size());
    extra = static_cast<int64_t>(sizeof(Value) + (value.type() == ValueType::kText ? value.text().size() : 0));
    aside_.push_back(value);
  }
  tags_.push_back(tag);
  words_.push_back(word);
  return 9 + extra;
}

Value ValueColumn::Get(size_t i) const {
  switch (tags_[i]) {
    case kInteger:
      return Value::Integer(words_[i]);
    case kFloat: {
      double number;
      std::memcpy(&number, &words_[i], sizeof(number));
      return Value::Float(number);
    }
    case kAside:
      return aside_[static_cast<size_t>(words_[i])];
    default:
      return Value::Of(Decimal{words_[i], static_cast<uint8_t>(tags_[i] - kDecimal)});
  }
}

}  // namespace chartly::reporter
