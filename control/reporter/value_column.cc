#include "control/reporter/value_column.h"

#include <algorithm>
#include <cstring>
#include <limits>

namespace chartly::reporter {
namespace {

bool Fits64(absl::int128 number) {
  return number >= std::numeric_limits<int64_t>::min() && number <= std::numeric_limits<int64_t>::max();
}

int64_t WordOf(double number) {
  int64_t word;
  std::memcpy(&word, &number, sizeof(word));
  return word;
}

double DoubleOf(int64_t word) {
  double number;
  std::memcpy(&number, &word, sizeof(number));
  return number;
}

}  // namespace

void ValueColumn::Push(uint8_t tag, int64_t word) {
  if (words_.empty()) tag_ = tag;
  if (tags_.empty() && tag != tag_) tags_.assign(words_.size(), tag_);
  if (!tags_.empty()) tags_.push_back(tag);
  words_.push_back(word);
}

void ValueColumn::PushAll(uint8_t tag, const void* words, size_t count) {
  if (count == 0) return;
  if (words_.empty()) tag_ = tag;
  if (tags_.empty() && tag != tag_) tags_.assign(words_.size(), tag_);
  if (!tags_.empty()) tags_.insert(tags_.end(), count, tag);
  size_t before = words_.size();
  MakeRoom(words_, count);
  words_.resize(before + count);
  std::memcpy(words_.data() + before, words, count * sizeof(int64_t));
}

bool ValueColumn::AddColumn(const ColumnData& column, uint32_t first, uint32_t count) {
  static_assert(sizeof(double) == sizeof(int64_t));
  switch (column.type) {
    case ValueType::kInteger:
      PushAll(kInteger, column.integers.data() + first, count);
      return true;
    case ValueType::kFloat:
      PushAll(kFloat, column.floats.data() + first, count);
      return true;
    case ValueType::kDecimal:
      if (!column.wide.empty() || !column.scales.empty()) return false;
      PushAll(static_cast<uint8_t>(kDecimal + column.scale), column.integers.data() + first, count);
      return true;
    default:
      return false;
  }
}

void ValueColumn::CopyFloats(size_t first, size_t count, double* out) const {
  if (count > 0) std::memcpy(out, words_.data() + first, count * sizeof(double));
}

void ValueColumn::AddFloat(double number) { Push(kFloat, WordOf(number)); }

int64_t ValueColumn::Add(const Value& value) {
  switch (value.type()) {
    case ValueType::kNull:
      Push(kNull, 0);
      return 0;
    case ValueType::kInteger:
      Push(kInteger, value.integer());
      return 0;
    case ValueType::kFloat:
      AddFloat(value.float_value());
      return 0;
    case ValueType::kDecimal:
      if (!Fits64(value.decimal().unscaled)) break;
      Push(static_cast<uint8_t>(kDecimal + value.decimal().scale), static_cast<int64_t>(value.decimal().unscaled));
      return 0;
    default:
      break;
  }
  Push(kAside, static_cast<int64_t>(aside_.size()));
  aside_.push_back(value);
  return static_cast<int64_t>(sizeof(Value) + (value.type() == ValueType::kText ? value.text().size() : 0));
}

ValueColumn ValueColumn::Gather(absl::Span<const uint32_t> rows) const {
  ValueColumn out;
  const bool packed = tags_.empty() && tag_ != kAside && !words_.empty();
  if (packed && std::find(rows.begin(), rows.end(), kNoRow) == rows.end()) {
    out.tag_ = tag_;
    out.words_.resize(rows.size());
    for (size_t i = 0; i < rows.size(); ++i) out.words_[i] = words_[rows[i]];
    return out;
  }
  out.words_.reserve(rows.size());
  for (uint32_t row : rows) {
    if (row == kNoRow) {
      out.Push(kNull, 0);
    } else {
      out.AddFrom(*this, row);
    }
  }
  return out;
}

ValueColumn ValueColumn::Gather(const RowRuns& rows) const {
  ValueColumn out;
  if (tags_.empty() && tag_ != kAside && !words_.empty() && !rows.some_missing()) {
    out.tag_ = tag_;
    out.words_.resize(rows.size());
    rows.ForEach([&](size_t place, uint32_t first, size_t count) {
      std::copy(words_.data() + first, words_.data() + first + count, out.words_.data() + place);
    });
    return out;
  }
  out.words_.reserve(rows.size());
  rows.ForEach([&](size_t, uint32_t first, size_t count) {
    for (size_t i = 0; i < count; ++i) first == kNoRow ? out.Push(kNull, 0) : out.AddFrom(*this, first + i);
  });
  return out;
}

void ValueColumn::AddFrom(const ValueColumn& other, size_t i) {
  uint8_t tag = other.TagOf(i);
  if (tag != kAside) return Push(tag, other.words_[i]);
  Add(other.aside_[static_cast<size_t>(other.words_[i])]);
}

void ValueColumn::AddAll(const ValueColumn& other) {
  if (other.tags_.empty() && other.tag_ != kAside) return PushAll(other.tag_, other.words_.data(), other.size());
  for (size_t i = 0; i < other.size(); ++i) AddFrom(other, i);
}

Value ValueColumn::Get(size_t i) const {
  switch (TagOf(i)) {
    case kNull:
      return Value();
    case kInteger:
      return Value::Integer(words_[i]);
    case kFloat:
      return Value::Float(DoubleOf(words_[i]));
    case kAside:
      return aside_[static_cast<size_t>(words_[i])];
    default:
      return Value::Of(Decimal{words_[i], static_cast<uint8_t>(TagOf(i) - kDecimal)});
  }
}

double ValueColumn::Double(size_t i) const {
  uint8_t tag = TagOf(i);
  if (tag == kFloat) return DoubleOf(words_[i]);
  if (tag == kInteger) return static_cast<double>(words_[i]);
  Value value = Get(i);
  return value.is_number() ? value.ToDouble() : std::numeric_limits<double>::quiet_NaN();
}

}  // namespace chartly::reporter
