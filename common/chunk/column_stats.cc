#include "common/chunk/column_stats.h"

#include <algorithm>

#include "common/chunk/number_range.h"
#include "common/text/utf8.h"

namespace chartly {
namespace {

__extension__ typedef __int128 Wide;

// A number times a power of ten up to this one fits into 128 bits if it fits into 64.
constexpr int kSafeShift = 19;

struct Extremes {
  std::optional<uint32_t> min;
  std::optional<uint32_t> max;
};

// Rows of the first smallest and the first largest value; `less` compares rows.
template <typename Less>
Extremes FindExtremes(const ColumnData& column, Less less) {
  Extremes found;
  for (uint32_t row = 0; row < column.rows; ++row) {
    if (column.IsNull(row)) continue;
    if (!found.min || less(row, *found.min)) found.min = row;
    if (!found.max || less(*found.max, row)) found.max = row;
  }
  return found;
}

// The same of numbers whose order is that of the values.
template <typename T>
Extremes NumberExtremes(const ColumnData& column, const std::vector<T>& numbers) {
  if (!column.nulls.empty() || numbers.empty()) {
    return FindExtremes(column, [&](uint32_t a, uint32_t b) { return numbers[a] < numbers[b]; });
  }
  const auto [least, most] = LeastAndMost(absl::MakeConstSpan(numbers));
  auto row_of = [&](T number) {
    return static_cast<uint32_t>(std::find(numbers.begin(), numbers.end(), number) - numbers.begin());
  };
  return {row_of(least), row_of(most)};
}

int LargestScale(const ColumnData& column) {
  if (column.scales.empty()) return column.scale;
  int largest = 0;
  for (uint32_t row = 0; row < column.rows; ++row) {
    if (!column.IsNull(row)) largest = std::max<int>(largest, column.scales[row]);
  }
  return largest;
}

int SmallestScale(const ColumnData& column) {
  if (column.scales.empty()) return column.scale;
  int smallest = 38;
  for (uint32_t row = 0; row < column.rows; ++row) {
    if (!column.IsNull(row)) smallest = std::min<int>(smallest, column.scales[row]);
  }
  return smallest;
}

// The unscaled value at another scale. Requires: it fits.
Wide AtScale(const ColumnData& column, uint32_t row, int scale) {
  static const std::vector<int64_t> powers = [] {
    std::vector<int64_t> all(kSafeShift, 1);
    for (int i = 1; i < kSafeShift; ++i) all[i] = all[i - 1] * 10;
    return all;
  }();
  const int own = column.scales.empty() ? column.scale : column.scales[row];
  return static_cast<Wide>(column.integers[row]) * powers[scale - own];
}

Extremes DecimalExtremes(const ColumnData& column) {
  if (column.wide.empty() && column.scales.empty()) return NumberExtremes(column, column.integers);
  const int scale = LargestScale(column);
  if (column.wide.empty() && scale - SmallestScale(column) < kSafeShift) {
    return FindExtremes(column,
                        [&](uint32_t a, uint32_t b) { return AtScale(column, a, scale) < AtScale(column, b, scale); });
  }
  return FindExtremes(column, [&](uint32_t a, uint32_t b) { return CompareValues(column.Get(a), column.Get(b)) < 0; });
}

Extremes ExtremesOf(const ColumnData& column) {
  switch (column.type) {
    case ValueType::kText:
      if (!column.codes.empty()) return NumberExtremes(column, column.codes);
      return FindExtremes(column, [&](uint32_t a, uint32_t b) { return column.Text(a) < column.Text(b); });
    case ValueType::kDecimal:
      return DecimalExtremes(column);
    case ValueType::kFloat:
      return FindExtremes(column, [&](uint32_t a, uint32_t b) { return column.floats[a] < column.floats[b]; });
    default:
      return NumberExtremes(column, column.integers);
  }
}

// Of numbers whose sum fits into 64 bits whatever they are; nulls are zeros.
std::optional<int64_t> NarrowSumOf(const ColumnData& column) {
  static_assert(uint64_t{kMaxChunkRows} << 46 < uint64_t{1} << 63, "so many numbers of 46 bits cannot overflow");
  constexpr uint64_t kLimit = uint64_t{1} << 46;
  if (!column.wide.empty() || !column.scales.empty()) return std::nullopt;
  uint64_t sum = 0;
  uint64_t beyond = 0;
  for (int64_t value : column.integers) {
    beyond |= (static_cast<uint64_t>(value) + kLimit) >> 47;
    sum += static_cast<uint64_t>(value);
  }
  return beyond != 0 ? std::nullopt : std::optional<int64_t>(static_cast<int64_t>(sum));
}

std::optional<Decimal> SumOf(const ColumnData& column) {
  const int scale = column.type == ValueType::kDecimal ? LargestScale(column) : 0;
  if (const std::optional<int64_t> sum = NarrowSumOf(column)) {
    return Decimal{absl::int128(*sum), static_cast<uint8_t>(scale)};
  }
  Wide sum = 0;
  for (uint32_t row = 0; row < column.rows; ++row) {
    if (column.IsNull(row)) continue;
    Wide value = column.wide.empty() ? column.integers[row] : static_cast<Wide>(column.wide[row]);
    int missing = column.scales.empty() ? 0 : scale - column.scales[row];
    for (; missing > 0; --missing) {
      if (__builtin_mul_overflow(value, 10, &value)) return std::nullopt;
    }
    if (__builtin_add_overflow(sum, value, &sum)) return std::nullopt;
  }
  return Decimal{absl::int128(sum), static_cast<uint8_t>(scale)};
}

std::optional<ExactSum> FloatSumOf(const ColumnData& column) {
  ExactSum sum;
  for (uint32_t row = 0; row < column.rows; ++row) {
    if (!column.IsNull(row)) sum.Add(column.floats[row]);
  }
  if (!sum.finite()) return std::nullopt;
  return sum;
}

void CutTexts(ColumnStats& stats) {
  if (stats.min.type() != ValueType::kText) return;
  if (stats.min.text().size() > kMaxStatsTextBytes) {
    stats.min = Value::Text(CutAtCharacter(stats.min.text(), kMaxStatsTextBytes));
  }
  if (stats.max.text().size() > kMaxStatsTextBytes) {
    stats.max = Value::Text(CutAtCharacter(stats.max.text(), kMaxStatsTextBytes));
    stats.max_cut = true;
  }
}

}  // namespace

ColumnStats ComputeStats(const ColumnData& column) {
  ColumnStats stats;
  stats.nulls = column.NullCount();
  const Extremes extremes = ExtremesOf(column);
  if (!extremes.min) return stats;
  stats.min = column.Get(*extremes.min);
  stats.max = column.Get(*extremes.max);
  CutTexts(stats);
  if (column.type == ValueType::kInteger || column.type == ValueType::kDecimal) stats.sum = SumOf(column);
  if (column.type == ValueType::kFloat) stats.float_sum = FloatSumOf(column);
  return stats;
}

bool ColumnStats::MayHold(const Value& low, const Value& high) const {
  if (max.is_null()) return false;
  if (!high.is_null() && CompareValues(high, min) < 0) return false;
  if (low.is_null()) return true;
  if (max_cut && low.type() == ValueType::kText) {
    return absl::string_view(low.text()).substr(0, max.text().size()) <= max.text();
  }
  return CompareValues(low, max) <= 0;
}

}  // namespace chartly
