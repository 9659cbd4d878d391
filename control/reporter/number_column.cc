#include "control/reporter/number_column.h"

#include <algorithm>
#include <cstring>
#include <numeric>
#include <optional>

#include "absl/numeric/int128.h"
#include "control/reporter/key_sort.h"

namespace chartly::reporter {
namespace {

// The value as a whole number, if it is one: 5, 5.00, and 5.0 alike.
std::optional<absl::int128> WholeNumber(const Value& value) {
  if (value.type() == ValueType::kInteger) return absl::int128(value.integer());
  if (value.type() != ValueType::kDecimal) return std::nullopt;
  Decimal decimal = value.decimal();
  while (decimal.scale > 0 && decimal.unscaled % 10 == 0) {
    decimal.unscaled /= 10;
    --decimal.scale;
  }
  if (decimal.scale > 0) return std::nullopt;
  return decimal.unscaled;
}

// Whole numbers in the order of the doubles; both zeros give the same.
uint64_t SortableBits(double number) {
  uint64_t bits;
  number += 0.0;
  std::memcpy(&bits, &number, sizeof(bits));
  uint64_t sign = uint64_t{1} << 63;
  return (bits & sign) != 0 ? ~bits : bits | sign;
}

}  // namespace

NumberColumn NumberColumn::Of(const ValueColumn& values) {
  NumberColumn column;
  if (values.AllFloats()) {
    column.AddFloats(values, 0, values.size());
    return column;
  }
  column.Reserve(values.size());
  for (size_t i = 0; i < values.size(); ++i) {
    if (values.IsFloat(i)) {
      column.AddDouble(values.Double(i));
    } else {
      column.Add(values.Get(i));
    }
  }
  return column;
}

void NumberColumn::AddDouble(double number) {
  if (!low_.empty()) low_.push_back(0);
  high_.push_back(number);
}

void NumberColumn::AddFloats(const ValueColumn& values, size_t first, size_t count) {
  const size_t before = size();
  high_.resize(before + count);
  values.CopyFloats(first, count, high_.data() + before);
  if (!low_.empty()) low_.resize(size(), 0);
}

void NumberColumn::Add(const Value& value) {
  if (value.type() == ValueType::kFloat) return AddDouble(value.float_value());
  double high = value.ToDouble();
  double low = 0;
  if (std::optional<absl::int128> whole = WholeNumber(value)) {
    high = static_cast<double>(*whole);
    low = static_cast<double>(*whole - absl::int128(high));
  }
  if (low != 0 && low_.empty()) low_.resize(high_.size(), 0);
  if (low != 0 || !low_.empty()) low_.push_back(low);
  high_.push_back(high);
}

bool NumberColumn::Less(size_t a, size_t b) const {
  if (high_[a] != high_[b]) return high_[a] < high_[b];
  return !low_.empty() && low_[a] < low_[b];
}

bool NumberColumn::IsConstant() const {
  for (size_t i = 1; i < size(); ++i) {
    if (!Equal(i, 0)) return false;
  }
  return true;
}

BigVector<uint32_t> NumberColumn::Order() const {
  if (low_.empty()) {
    BigVector<uint64_t> keys(size());
    for (size_t i = 0; i < keys.size(); ++i) keys[i] = SortableBits(high_[i]);
    return SortedByKey(keys);
  }
  BigVector<uint32_t> order(size());
  std::iota(order.begin(), order.end(), 0);
  std::sort(order.begin(), order.end(), [this](uint32_t a, uint32_t b) { return Less(a, b); });
  return order;
}

BigVector<int64_t> NumberColumn::DoubledMidRanks() const {
  BigVector<uint32_t> order = Order();
  BigVector<int64_t> ranks(size());
  for (size_t begin = 0; begin < order.size();) {
    size_t end = begin + 1;
    while (end < order.size() && Equal(order[begin], order[end])) ++end;
    // Ranks begin + 1 .. end; twice their mean is the sum of the first and the last.
    int64_t doubled = static_cast<int64_t>(begin + 1 + end);
    for (size_t i = begin; i < end; ++i) ranks[order[i]] = doubled;
    begin = end;
  }
  return ranks;
}

}  // namespace chartly::reporter
