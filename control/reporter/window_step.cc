// Figures that look at other rows: of the partition, or before in its order.
#include <algorithm>
#include <cmath>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/status/status.h"
#include "control/reporter/row_order.h"
#include "control/reporter/step_runner.h"
#include "control/reporter/value_sum.h"

namespace chartly::reporter {
namespace {

using Function = WindowStep::Function;

Value FloatOrNull(double number) { return std::isfinite(number) ? Value::Float(number) : Value(); }

// The rows of one partition in order.
class Partition {
 public:
  Partition(const WindowStep& step, const Column& column, const uint32_t* rows, size_t count)
      : step_(step), column_(column), rows_(rows), count_(count) {}

  // Sets the result of each of its rows.
  void Fill(std::vector<Value>& results) const {
    switch (step_.function) {
      case Function::kLag:
      case Function::kChange:
      case Function::kPercentChange:
        return FillShifted(results);
      case Function::kShare:
        return FillShare(results);
      case Function::kRank:
        return FillRank(results);
      case Function::kRunningSum:
        return FillRunning(results);
      case Function::kMovingMean:
        return FillMoving(results);
    }
  }

 private:
  Value At(size_t i) const { return column_.Get(rows_[i]); }

  void FillShifted(std::vector<Value>& results) const {
    for (size_t i = 0; i < count_; ++i) {
      int64_t other = static_cast<int64_t>(i) - step_.offset;
      if (other < 0 || other >= static_cast<int64_t>(count_)) continue;
      Value before = At(static_cast<size_t>(other));
      if (step_.function == Function::kLag) {
        results[rows_[i]] = before;
        continue;
      }
      Value now = At(i);
      if (now.is_number() && before.is_number()) results[rows_[i]] = Difference(now, before);
    }
  }
  Value Difference(const Value& now, const Value& before) const {
    if (step_.function == Function::kPercentChange) {
      return FloatOrNull(100 * (now.ToDouble() - before.ToDouble()) / before.ToDouble());
    }
    ValueSum sum;
    sum.Add(now);
    sum.Subtract(before);
    return sum.Total();
  }

  void FillShare(std::vector<Value>& results) const {
    ValueSum sum;
    for (size_t i = 0; i < count_; ++i) {
      if (Value value = At(i); value.is_number()) sum.Add(value);
    }
    double total = static_cast<double>(sum.Number());
    for (size_t i = 0; i < count_; ++i) {
      if (Value value = At(i); value.is_number()) results[rows_[i]] = FloatOrNull(value.ToDouble() / total);
    }
  }

  void FillRank(std::vector<Value>& results) const {
    std::vector<uint32_t> order(rows_, rows_ + count_);
    SortColumn by{&column_, true};
    std::stable_sort(order.begin(), order.end(), [&](uint32_t a, uint32_t b) { return CompareRows(by, a, b) < 0; });
    int64_t rank = 0;
    for (size_t i = 0; i < order.size() && !column_.IsNull(order[i]); ++i) {
      if (i == 0 || CompareValues(column_.Get(order[i]), column_.Get(order[i - 1])) != 0) {
        rank = static_cast<int64_t>(i) + 1;
      }
      results[order[i]] = Value::Integer(rank);
    }
  }

  void FillRunning(std::vector<Value>& results) const {
    ValueSum sum;
    for (size_t i = 0; i < count_; ++i) {
      Value value = At(i);
      if (!value.is_number()) continue;
      sum.Add(value);
      results[rows_[i]] = sum.Total();
    }
  }

  // Each window is added up anew, so that no rounding is carried along.
  void FillMoving(std::vector<Value>& results) const {
    size_t width = static_cast<size_t>(step_.offset);
    for (size_t i = width - 1; i < count_; ++i) {
      ValueSum sum;
      bool whole = true;
      for (size_t j = i + 1 - width; j <= i && whole; ++j) {
        Value value = At(j);
        whole = value.is_number();
        if (whole) sum.Add(value);
      }
      if (whole) results[rows_[i]] = FloatOrNull(static_cast<double>(sum.Number() / static_cast<long double>(width)));
    }
  }

  const WindowStep& step_;
  const Column& column_;
  const uint32_t* rows_;
  const size_t count_;
};

// A missing year makes the row before another year than one expects.
bool HasGaps(const Column& by, const uint32_t* rows, size_t count) {
  if (count < 3) return false;
  std::vector<double> steps;
  for (size_t i = 1; i < count; ++i) {
    Value now = by.Get(rows[i]), before = by.Get(rows[i - 1]);
    if (now.type() != ValueType::kInteger || before.type() != ValueType::kInteger) return false;
    steps.push_back(now.ToDouble() - before.ToDouble());
  }
  return std::any_of(steps.begin(), steps.end(), [&](double step) { return step != steps[0]; });
}

}  // namespace

absl::StatusOr<Column> RunWindow(const WindowStep& step, const Table& table, std::vector<std::string>& warnings) {
  ASSIGN_OR_RETURN(const Column* column, table.Require(step.column));
  std::vector<Column> partitions;
  for (const std::string& name : step.over) {
    ASSIGN_OR_RETURN(const Column* partition, table.Require(name));
    partitions.push_back(AsKey(*partition));
  }
  std::vector<SortColumn> order;
  for (const Column& partition : partitions) order.push_back({&partition});
  for (const std::string& name : step.by) {
    ASSIGN_OR_RETURN(const Column* by, table.Require(name));
    order.push_back({by});
  }
  RowList rows = OrderRows(table.rows, order);
  std::vector<Value> results(table.rows);
  size_t gaps = 0;
  auto same = [&](size_t a, size_t b) {
    return std::all_of(partitions.begin(), partitions.end(),
                       [&](const Column& partition) { return partition.codes[rows[a]] == partition.codes[rows[b]]; });
  };
  for (size_t begin = 0; begin < rows.size();) {
    size_t end = begin + 1;
    while (end < rows.size() && same(begin, end)) ++end;
    Partition(step, *column, rows.data() + begin, end - begin).Fill(results);
    bool looks_back = step.function != Function::kShare && step.function != Function::kRank;
    if (looks_back && step.by.size() == 1 && HasGaps(*order.back().column, rows.data() + begin, end - begin)) ++gaps;
    begin = end;
  }
  if (gaps > 0) {
    warnings.push_back(absl::StrCat(step.name, ": ", step.by[0], " has gaps in ", gaps,
                                    gaps == 1 ? " partition" : " partitions",
                                    "; the row before is then not the one before in time"));
  }
  ValueColumn values;
  for (const Value& result : results) values.Add(result);
  return Column::Measure(step.name, std::move(values));
}

}  // namespace chartly::reporter
