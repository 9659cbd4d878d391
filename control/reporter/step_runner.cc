#include "control/reporter/step_runner.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/status/status.h"
#include "control/reporter/key_spelling.h"
#include "control/reporter/row_order.h"

namespace chartly::reporter {
namespace {

absl::Status RunFilter(const FilterStep& step, Table& table) {
  std::vector<const Column*> columns;
  for (const std::string& name : step.condition.names()) {
    ASSIGN_OR_RETURN(const Column* column, table.Require(name));
    columns.push_back(column);
  }
  std::vector<uint32_t> rows;
  for (uint32_t row = 0; row < table.rows; ++row) {
    if (step.condition.Matches([&](size_t name) { return columns[name]->Get(row); })) rows.push_back(row);
  }
  if (rows.size() < table.rows) table = table.Gather(rows);
  return absl::OkStatus();
}

absl::StatusOr<std::vector<SortColumn>> Resolve(const std::vector<SortKey>& keys, const Table& table) {
  std::vector<SortColumn> by;
  for (const SortKey& key : keys) {
    ASSIGN_OR_RETURN(const Column* column, table.Require(key.column));
    by.push_back({column, key.descending});
  }
  return by;
}

absl::Status RunSort(const SortStep& step, Table& table) {
  ASSIGN_OR_RETURN(std::vector<SortColumn> by, Resolve(step.keys, table));
  table = table.Gather(OrderRows(table.rows, by));
  return absl::OkStatus();
}

// The first rows of each partition in the order wanted; rows without a value of it never are among them.
absl::Status RunTop(const TopStep& step, Table& table) {
  ASSIGN_OR_RETURN(const Column* by, table.Require(step.by.column));
  std::vector<Column> partitions;
  for (const std::string& name : step.per) {
    ASSIGN_OR_RETURN(const Column* column, table.Require(name));
    partitions.push_back(AsKey(*column));
  }
  std::vector<SortColumn> order;
  for (const Column& partition : partitions) order.push_back({&partition});
  order.push_back({by, step.by.descending});
  std::vector<uint32_t> rows;
  int64_t taken = 0;
  uint32_t previous = kNoRow;
  for (uint32_t row : OrderRows(table.rows, order)) {
    bool same = previous != kNoRow && std::all_of(partitions.begin(), partitions.end(), [&](const Column& partition) {
                  return partition.codes[previous] == partition.codes[row];
                });
    if (!same) taken = 0;
    previous = row;
    if (taken == step.count || by->IsNull(row)) continue;
    ++taken;
    rows.push_back(row);
  }
  table = table.Gather(rows);
  return absl::OkStatus();
}

absl::Status RunSelect(const SelectStep& step, Table& table) {
  Table selected;
  selected.rows = table.rows;
  for (const SelectStep::Item& item : step.items) {
    ASSIGN_OR_RETURN(const Column* column, table.Require(item.column));
    Column copy = *column;
    copy.name = FreeName(selected, item.name);
    selected.columns.push_back(std::move(copy));
  }
  table = std::move(selected);
  return absl::OkStatus();
}

absl::Status RunDerive(const DeriveStep& step, Table& table) {
  ASSIGN_OR_RETURN(ValueColumn values, step.arithmetic.Evaluate(table));
  table.Put(Column::Measure(step.name, std::move(values)));
  return absl::OkStatus();
}

absl::Status RunStep(const Step& step, Table& table, std::vector<std::string>& warnings) {
  if (const auto* filter = std::get_if<FilterStep>(&step)) return RunFilter(*filter, table);
  if (const auto* derive = std::get_if<DeriveStep>(&step)) return RunDerive(*derive, table);
  if (const auto* sort = std::get_if<SortStep>(&step)) return RunSort(*sort, table);
  if (const auto* top = std::get_if<TopStep>(&step)) return RunTop(*top, table);
  if (const auto* select = std::get_if<SelectStep>(&step)) return RunSelect(*select, table);
  if (const auto* regress = std::get_if<RegressStep>(&step)) return RunRegress(*regress, table);
  if (const auto* group = std::get_if<GroupStep>(&step)) {
    ASSIGN_OR_RETURN(table, RunGroup(*group, table));
  } else if (const auto* pivot = std::get_if<PivotStep>(&step)) {
    ASSIGN_OR_RETURN(table, RunPivot(*pivot, table));
  } else {
    ASSIGN_OR_RETURN(Column column, RunWindow(std::get<WindowStep>(step), table, warnings));
    table.Put(std::move(column));
  }
  return absl::OkStatus();
}

// Orders and copies that a step makes of each row, beside the rows themselves.
constexpr int64_t kStepRowBytes = 24;

}  // namespace

Column AsKey(const Column& column) {
  if (column.is_key) return column;
  std::vector<Value> values;
  values.reserve(column.size());
  for (size_t row = 0; row < column.size(); ++row) values.push_back(KeySpelling(column.Get(row)));
  return Column::KeyOf(column.name, values);
}

absl::Status RunSteps(const std::vector<Step>& steps, Reservation& reservation, Table& table,
                      std::vector<std::string>& warnings) {
  return RunSteps(steps, 0, steps.size(), reservation, table, warnings);
}

absl::Status RunSteps(const std::vector<Step>& steps, size_t begin, size_t end, Reservation& reservation, Table& table,
                      std::vector<std::string>& warnings) {
  for (size_t i = begin; i < end; ++i) {
    const int64_t bytes = table.bytes();
    const int64_t beside = bytes + static_cast<int64_t>(table.rows) * kStepRowBytes;
    RETURN_IF_ERROR(reservation.Grow(beside));
    RETURN_IF_ERROR(Annotate(RunStep(steps[i], table, warnings), absl::StrCat("steps[", i, "]")));
    // What is left of it is the new table in place of the old one.
    reservation.Shrink(beside + bytes - table.bytes());
    RETURN_IF_ERROR(reservation.Grow(0));
  }
  return absl::OkStatus();
}

}  // namespace chartly::reporter
