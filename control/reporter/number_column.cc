#include "control/reporter/number_column.h"

#include <algorithm>
#include <optional>

#include "absl/numeric/int128.h"

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

}  // namespace

void NumberColumn::Add(const Value& value) {
  double high = value.ToDouble();
  double low = 0;
  if (std::optional<absl::int128> whole = WholeNumber(value)) {
    high = static_cast<double>(*whole);
    low = static_cast<double>(*whole - absl::int128(high));
  }
  if (low != 0 && low_.empty()) low_.resize(high_.size());
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

std::vector<int64_t> NumberColumn::DoubledMidRanks() const {
  struct Item {
    double high;
    uint32_t index;
  };
  std::vector<Item> items(size());
  for (uint32_t i = 0; i < items.size(); ++i) items[i] = {high_[i], i};
  if (low_.empty()) {
    std::sort(items.begin(), items.end(), [](const Item& a, const Item& b) { return a.high < b.high; });
  } else {
    std::sort(items.begin(), items.end(), [this](const Item& a, const Item& b) { return Less(a.index, b.index); });
  }
  std::vector<int64_t> ranks(size());
  for (size_t begin = 0; begin < items.size();) {
    size_t end = begin + 1;
    while (end < items.size() && Equal(items[begin].index, items[end].index)) ++end;
    // Ranks begin + 1 .. end; twice their mean is the sum of the first and the last.
    int64_t doubled = static_cast<int64_t>(begin + 1 + end);
    for (size_t i = begin; i < end; ++i) ranks[items[i].index] = doubled;
    begin = end;
  }
  return ranks;
}

}  // namespace chartly::reporter
