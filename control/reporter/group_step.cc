// Groups and pivots.
#include <algorithm>
#include <utility>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"
#include "common/status/status.h"
#include "control/reporter/row_order.h"
#include "control/reporter/step_runner.h"

namespace chartly::reporter {
namespace {

// A key with each value replaced by the bucket it falls into; that is done once a value, not once a row.
Column Bucketed(const Column& column, const TimeBucket& bucket) {
  DictionaryBuilder builder;
  BigVector<uint32_t> places;
  places.reserve(column.dictionary->size());
  for (const Value& value : *column.dictionary) places.push_back(builder.Intern(bucket.Of(value)));
  Column out = column;
  out.dictionary = builder.Finish(places);
  for (uint32_t& code : out.codes) {
    if (code != kNullCode) code = places[code];
  }
  return out;
}

absl::StatusOr<std::vector<Column>> KeysOf(const GroupStep& step, const Table& table) {
  std::vector<Column> keys;
  for (const GroupKey& key : step.keys) {
    ASSIGN_OR_RETURN(const Column* column, table.Require(key.column));
    keys.push_back(AsKey(*column));
    if (key.bucket) keys.back() = Bucketed(keys.back(), *key.bucket);
    keys.back().name = key.name;
  }
  return keys;
}

std::vector<const Column*> Pointers(const std::vector<Column>& columns) {
  std::vector<const Column*> pointers;
  for (const Column& column : columns) pointers.push_back(&column);
  return pointers;
}

// Without keys all rows are one group, also if there are none.
RowGroups Groups(const Table& table, const std::vector<Column>& keys) {
  RowGroups groups = GroupRows(table.rows, Pointers(keys));
  if (keys.empty()) groups.starts = {0, static_cast<uint32_t>(table.rows)};
  return groups;
}

absl::StatusOr<const Column*> ColumnOf(const AggregateCall& call, const Table& table) {
  if (call.column.empty()) return nullptr;
  return table.Require(call.column);
}

Value AggregateRun(const AggregateCall& call, const Column* column, const RowGroups& groups, size_t begin, size_t end) {
  return Aggregate(call.function, column, call.quantile, groups.order.data() + begin, end - begin);
}

}  // namespace

absl::StatusOr<Table> RunGroup(const GroupStep& step, const Table& table) {
  ASSIGN_OR_RETURN(std::vector<Column> keys, KeysOf(step, table));
  RowGroups groups = Groups(table, keys);
  std::vector<uint32_t> firsts;
  for (size_t g = 0; g < groups.size(); ++g) {
    if (!keys.empty()) firsts.push_back(groups.order[groups.starts[g]]);
  }
  Table out;
  out.rows = groups.size();
  for (const Column& key : keys) {
    out.columns.push_back(key.Gather(firsts));
    out.columns.back().name = key.name;
  }
  for (const AggregateCall& call : step.calls) {
    ASSIGN_OR_RETURN(const Column* column, ColumnOf(call, table));
    ValueColumn values;
    for (size_t g = 0; g < groups.size(); ++g) {
      values.Add(AggregateRun(call, column, groups, groups.starts[g], groups.starts[g + 1]));
    }
    out.columns.push_back(Column::Measure(FreeName(out, call.name), std::move(values)));
  }
  return out;
}

absl::StatusOr<Table> RunPivot(const PivotStep& step, const Table& table) {
  ASSIGN_OR_RETURN(const Column* spread, table.Require(step.column));
  ASSIGN_OR_RETURN(const Column* value, ColumnOf(step.call, table));
  Column across = AsKey(*spread);
  std::vector<Column> keys;
  for (const Column& column : table.columns) {
    if (column.is_key && &column != spread) keys.push_back(column);
  }
  size_t row_keys = keys.size();
  keys.push_back(across);
  std::vector<bool> seen(across.dictionary->size(), false);
  for (uint32_t code : across.codes) {
    if (code != kNullCode) seen[code] = true;
  }
  size_t wide = static_cast<size_t>(std::count(seen.begin(), seen.end(), true));
  if (wide > kMaxPivotColumns) {
    return Error(absl::StatusCode::kInvalidArgument, "REPORT_STEP_INVALID",
                 absl::StrCat(step.column, " has ", wide, " values; a pivot makes at most ", kMaxPivotColumns,
                              " columns, so filter or group it first"));
  }
  // Runs of equal row keys, each with runs of equal values across.
  RowGroups cells = GroupRows(table.rows, Pointers(keys));
  keys.pop_back();
  RowGroups lines = Groups(table, keys);
  Table out;
  out.rows = lines.size();
  std::vector<uint32_t> firsts;
  for (size_t g = 0; g < lines.size() && row_keys > 0; ++g) firsts.push_back(lines.order[lines.starts[g]]);
  for (const Column& key : keys) out.columns.push_back(key.Gather(firsts));
  std::vector<std::vector<Value>> made(seen.size());
  for (size_t code = 0; code < seen.size(); ++code) made[code].resize(seen[code] ? lines.size() : 0);
  for (size_t cell = 0, line = 0; cell < cells.size(); ++cell) {
    while (line + 1 < lines.size() && cells.starts[cell] >= lines.starts[line + 1]) ++line;
    uint32_t code = across.codes[cells.order[cells.starts[cell]]];
    if (code == kNullCode) continue;
    made[code][line] = AggregateRun(step.call, value, cells, cells.starts[cell], cells.starts[cell + 1]);
  }
  for (size_t code = 0; code < seen.size(); ++code) {
    if (!seen[code]) continue;
    ValueColumn values;
    for (const Value& cell : made[code]) values.Add(cell);
    out.columns.push_back(Column::Measure(FreeName(out, (*across.dictionary)[code].ToText()), std::move(values)));
  }
  return out;
}

}  // namespace chartly::reporter
