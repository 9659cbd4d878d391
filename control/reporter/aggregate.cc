#include "control/reporter/aggregate.h"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <optional>

#include "absl/container/flat_hash_set.h"
#include "control/reporter/compensated_sum.h"
#include "control/reporter/correlation.h"
#include "control/reporter/value_sum.h"

namespace chartly::reporter {
namespace {

struct Entry {
  const char* name;
  AggregateFunction function;
};
constexpr Entry kFunctions[] = {
    {"count", AggregateFunction::kCount},       {"distinct", AggregateFunction::kDistinct},
    {"first", AggregateFunction::kFirst},       {"last", AggregateFunction::kLast},
    {"max", AggregateFunction::kMax},           {"mean", AggregateFunction::kMean},
    {"median", AggregateFunction::kMedian},     {"min", AggregateFunction::kMin},
    {"pearson", AggregateFunction::kPearson},   {"quantile", AggregateFunction::kQuantile},
    {"spearman", AggregateFunction::kSpearman}, {"stddev", AggregateFunction::kStddev},
    {"sum", AggregateFunction::kSum},
};

Value FloatOrNull(long double number) {
  double rounded = static_cast<double>(number);
  return std::isfinite(rounded) ? Value::Float(rounded) : Value();
}

// The values of the rows that are there.
class Present {
 public:
  Present(const Column& column, RowSpan rows) : column_(column), rows_(rows) {}
  template <typename Take>
  void Each(Take&& take) const {
    for (size_t i = 0; i < rows_.size(); ++i) {
      if (!column_.IsNull(rows_[i])) take(column_.Get(rows_[i]));
    }
  }
  std::vector<double> Numbers() const {
    std::vector<double> numbers;
    Each([&](const Value& value) {
      if (value.is_number()) numbers.push_back(value.ToDouble());
    });
    return numbers;
  }

 private:
  const Column& column_;
  const RowSpan rows_;
};

Value Count(const Present& present) {
  int64_t count = 0;
  present.Each([&](const Value&) { ++count; });
  return Value::Integer(count);
}

Value Distinct(const Present& present) {
  absl::flat_hash_set<std::string> seen;
  std::string bytes;
  present.Each([&](const Value& value) {
    bytes.clear();
    value.AppendCanonical(bytes);
    seen.insert(bytes);
  });
  return Value::Integer(static_cast<int64_t>(seen.size()));
}

// The sum, or the mean; null without numbers.
Value SumOrMean(const Present& present, bool mean) {
  ValueSum sum;
  int64_t count = 0;
  present.Each([&](const Value& value) {
    if (!value.is_number()) return;
    sum.Add(value);
    ++count;
  });
  if (count == 0) return Value();
  return mean ? FloatOrNull(sum.Number() / static_cast<long double>(count)) : sum.Total();
}

Value Extreme(const Present& present, int sign) {
  Value best;
  present.Each([&](const Value& value) {
    if (best.is_null() || sign * CompareValues(value, best) > 0) best = value;
  });
  return best;
}

Value End(const Present& present, bool last) {
  Value end;
  present.Each([&](const Value& value) {
    if (last || end.is_null()) end = value;
  });
  return end;
}

Value Quantile(std::vector<double> numbers, double quantile) {
  if (numbers.empty()) return Value();
  std::sort(numbers.begin(), numbers.end());
  double place = quantile * static_cast<double>(numbers.size() - 1);
  size_t below = static_cast<size_t>(std::floor(place));
  size_t above = std::min(below + 1, numbers.size() - 1);
  long double part = static_cast<long double>(place) - static_cast<long double>(below);
  long double low = numbers[below], high = numbers[above];
  return FloatOrNull(low + (high - low) * part);
}

Value Stddev(const std::vector<double>& numbers) {
  if (numbers.size() < 2) return Value();
  CompensatedSum sum, rest, squares;
  for (double number : numbers) sum.Add(number);
  long double count = static_cast<long double>(numbers.size());
  long double mean = sum.Total() / count;
  for (double number : numbers) {
    long double difference = number - mean;
    rest.Add(difference);
    squares.Add(difference * difference);
  }
  long double spread = squares.Total() - rest.Total() * rest.Total() / count;
  return FloatOrNull(std::sqrt(std::max(spread, 0.0L) / (count - 1)));
}

// As the statistics of a report have it, of the pairs that are numbers on both sides.
Value Coefficient(AggregateFunction function, const Column& x, const Column& y, RowSpan rows) {
  NumberColumn a, b;
  a.Reserve(rows.size());
  b.Reserve(rows.size());
  const bool measures = !x.is_key && !y.is_key;
  const bool plain = measures && rows.is_run() && rows.size() > 0 && x.values.AllFloats() && y.values.AllFloats();
  if (plain) {
    a.AddFloats(x.values, rows[0], rows.size());
    b.AddFloats(y.values, rows[0], rows.size());
  }
  for (size_t i = 0; i < rows.size() && !plain; ++i) {
    const uint32_t row = rows[i];
    if (measures && x.values.IsFloat(row) && y.values.IsFloat(row)) {
      a.AddDouble(x.values.Double(row));
      b.AddDouble(y.values.Double(row));
      continue;
    }
    Value left = x.Get(row), right = y.Get(row);
    if (!left.is_number() || !right.is_number()) continue;
    a.Add(left);
    b.Add(right);
  }
  std::optional<double> r = function == AggregateFunction::kPearson ? Pearson(a, b) : Spearman(a, b);
  return r ? FloatOrNull(*r) : Value();
}

}  // namespace

bool ParseAggregateFunction(absl::string_view name, AggregateFunction& out) {
  for (const Entry& entry : kFunctions) {
    if (name != entry.name) continue;
    out = entry.function;
    return true;
  }
  return false;
}

std::string AggregateFunctionNames() {
  std::string names;
  for (const Entry& entry : kFunctions) names += (names.empty() ? "" : ", ") + std::string(entry.name);
  return names;
}

Value Aggregate(AggregateFunction function, const Operands& of, RowSpan rows) {
  if (of.column == nullptr) return Value::Integer(static_cast<int64_t>(rows.size()));
  Present present(*of.column, rows);
  switch (function) {
    case AggregateFunction::kCount:
      return Count(present);
    case AggregateFunction::kDistinct:
      return Distinct(present);
    case AggregateFunction::kSum:
      return SumOrMean(present, false);
    case AggregateFunction::kMean:
      return SumOrMean(present, true);
    case AggregateFunction::kMin:
      return Extreme(present, -1);
    case AggregateFunction::kMax:
      return Extreme(present, 1);
    case AggregateFunction::kMedian:
      return Quantile(present.Numbers(), 0.5);
    case AggregateFunction::kQuantile:
      return Quantile(present.Numbers(), of.quantile);
    case AggregateFunction::kStddev:
      return Stddev(present.Numbers());
    case AggregateFunction::kFirst:
      return End(present, false);
    case AggregateFunction::kLast:
      return End(present, true);
    case AggregateFunction::kPearson:
    case AggregateFunction::kSpearman:
      return Coefficient(function, *of.column, *of.other, rows);
  }
  return Value();
}

}  // namespace chartly::reporter
