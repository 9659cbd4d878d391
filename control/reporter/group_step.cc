// Groups and pivots.
#include <algorithm>
#include <memory>
#include <utility>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"
#include "common/status/status.h"
#include "control/reporter/parallel.h"
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

// A column that rows are grouped by: one of the table, or one made of it.
struct MadeKey {
  const Column* column = nullptr;
  std::unique_ptr<const Column> made;
};

absl::StatusOr<MadeKey> KeyOf(const GroupKey& key, const Table& table) {
  ASSIGN_OR_RETURN(const Column* column, table.Require(key.column));
  if (column->is_key && !key.bucket) return MadeKey{column, nullptr};
  Column made = AsKey(*column);
  if (key.bucket) made = Bucketed(made, *key.bucket);
  auto owned = std::make_unique<const Column>(std::move(made));
  const Column* at = owned.get();
  return MadeKey{at, std::move(owned)};
}

// Without keys all rows are one group, also if there are none.
RowGroups Groups(const Table& table, const std::vector<const Column*>& keys) {
  RowGroups groups = GroupRows(table.rows, keys);
  if (keys.empty()) groups.starts = {0, static_cast<uint32_t>(table.rows)};
  return groups;
}

absl::StatusOr<Operands> OperandsOf(const AggregateCall& call, const Table& table) {
  Operands of;
  of.quantile = call.quantile;
  if (!call.column.empty()) {
    ASSIGN_OR_RETURN(of.column, table.Require(call.column));
  }
  if (!call.other.empty()) {
    ASSIGN_OR_RETURN(of.other, table.Require(call.other));
  }
  return of;
}

Value FigureOf(const AggregateCall& call, const Operands& of, const RowGroups& groups, size_t group) {
  return Aggregate(call.function, of, groups.Rows(group));
}

// The figures of all groups in their order, reckoned several at once.
ValueColumn FiguresOf(const AggregateCall& call, const Operands& of, const RowGroups& groups) {
  constexpr size_t kAtATime = size_t{1} << 14;  // groups whose figures wait to be added
  constexpr size_t kPart = 16;
  ValueColumn figures;
  std::vector<Value> waiting;
  for (size_t begin = 0; begin < groups.size(); begin += kAtATime) {
    waiting.assign(std::min(kAtATime, groups.size() - begin), Value());
    InParallel((waiting.size() + kPart - 1) / kPart, [&](size_t part) {
      const size_t end = std::min(waiting.size(), (part + 1) * kPart);
      for (size_t i = part * kPart; i < end; ++i) waiting[i] = FigureOf(call, of, groups, begin + i);
    });
    for (const Value& figure : waiting) figures.Add(figure);
  }
  return figures;
}

}  // namespace

absl::StatusOr<Table> RunGroup(const GroupStep& step, const Table& table) {
  std::vector<MadeKey> keys;
  std::vector<const Column*> columns;
  for (const GroupKey& key : step.keys) {
    ASSIGN_OR_RETURN(MadeKey made, KeyOf(key, table));
    columns.push_back(made.column);
    keys.push_back(std::move(made));
  }
  RowGroups groups = Groups(table, columns);
  std::vector<uint32_t> firsts;
  for (size_t g = 0; g < groups.size(); ++g) {
    if (!keys.empty()) firsts.push_back(groups.First(g));
  }
  Table out;
  out.rows = groups.size();
  for (size_t k = 0; k < keys.size(); ++k) {
    out.columns.push_back(keys[k].column->Gather(firsts));
    out.columns.back().name = step.keys[k].name;
  }
  for (const AggregateCall& call : step.calls) {
    ASSIGN_OR_RETURN(Operands of, OperandsOf(call, table));
    out.columns.push_back(Column::Measure(FreeName(out, call.name), FiguresOf(call, of, groups)));
  }
  return out;
}

absl::StatusOr<Table> RunPivot(const PivotStep& step, const Table& table) {
  ASSIGN_OR_RETURN(const Column* spread, table.Require(step.column));
  ASSIGN_OR_RETURN(Operands value, OperandsOf(step.call, table));
  Column across = AsKey(*spread);
  std::vector<const Column*> keys;
  for (const Column& column : table.columns) {
    if (column.is_key && &column != spread) keys.push_back(&column);
  }
  size_t row_keys = keys.size();
  keys.push_back(&across);
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
  RowGroups cells = GroupRows(table.rows, keys);
  keys.pop_back();
  RowGroups lines = Groups(table, keys);
  Table out;
  out.rows = lines.size();
  std::vector<uint32_t> firsts;
  for (size_t g = 0; g < lines.size() && row_keys > 0; ++g) firsts.push_back(lines.First(g));
  for (const Column* key : keys) out.columns.push_back(key->Gather(firsts));
  std::vector<std::vector<Value>> made(seen.size());
  for (size_t code = 0; code < seen.size(); ++code) made[code].resize(seen[code] ? lines.size() : 0);
  for (size_t cell = 0, line = 0; cell < cells.size(); ++cell) {
    while (line + 1 < lines.size() && cells.starts[cell] >= lines.starts[line + 1]) ++line;
    uint32_t code = across.codes[cells.First(cell)];
    if (code == kNullCode) continue;
    made[code][line] = FigureOf(step.call, value, cells, cell);
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
