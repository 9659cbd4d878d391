#include "control/reporter/row_order.h"

#include <algorithm>
#include <numeric>
#include <utility>

#include "control/reporter/key_steps.h"

namespace chartly::reporter {
namespace {

RowList AllRows(size_t rows) {
  RowList order(rows);
  std::iota(order.begin(), order.end(), 0);
  return order;
}

// A stable pass of a radix sort with one bucket a code; null comes last.
void SortByCode(const SortColumn& by, RowList& order) {
  const BigVector<uint32_t>& codes = by.column->codes;
  size_t values = by.column->dictionary->size();
  auto bucket = [&](uint32_t row) -> size_t {
    if (codes[row] == kNullCode) return values;
    return by.descending ? values - 1 - codes[row] : codes[row];
  };
  std::vector<uint32_t> starts(values + 2, 0);
  for (uint32_t row : order) ++starts[bucket(row) + 1];
  for (size_t i = 0; i + 1 < starts.size(); ++i) starts[i + 1] += starts[i];
  RowList sorted(order.size());
  for (uint32_t row : order) sorted[starts[bucket(row)]++] = row;
  order.swap(sorted);
}

bool IsSorted(const std::vector<SortColumn>& by, const RowList& order) {
  for (size_t i = 1; i < order.size(); ++i) {
    for (const SortColumn& column : by) {
      int compared = CompareRows(column, order[i - 1], order[i]);
      if (compared > 0) return false;
      if (compared < 0) break;
    }
  }
  return true;
}

std::vector<const uint32_t*> CodesOf(const std::vector<SortColumn>& keys) {
  std::vector<const uint32_t*> codes;
  for (const SortColumn& key : keys) codes.push_back(key.column->codes.data());
  return codes;
}

// Whether no row has a smaller key than the one before, and none an equal one if `strictly`. Requires: keys alone, none
// descending.
bool AreKeysSorted(size_t rows, const std::vector<SortColumn>& keys, bool strictly) {
  KeySteps steps(CodesOf(keys));
  for (size_t begin = 1; begin < rows; begin += KeySteps::kAtATime) {
    steps.Compare(begin, std::min(rows, begin + KeySteps::kAtATime));
    if (!steps.sorted() || (strictly && !steps.distinct())) return false;
  }
  return true;
}

void SplitColumns(const Table& table, std::vector<SortColumn>& keys, std::vector<SortColumn>& measures) {
  for (const Column& column : table.columns) (column.is_key ? keys : measures).push_back({&column});
}

}  // namespace

int CompareRows(const SortColumn& by, uint32_t a, uint32_t b) {
  const Column& column = *by.column;
  bool null_a = column.IsNull(a), null_b = column.IsNull(b);
  if (null_a || null_b) return static_cast<int>(null_a) - static_cast<int>(null_b);
  int order = 0;
  if (column.is_key) {
    order = column.codes[a] < column.codes[b] ? -1 : column.codes[a] > column.codes[b] ? 1 : 0;
  } else {
    Value left = column.values.Get(a), right = column.values.Get(b);
    order = CompareValues(left, right);
    // 5 and 5.00 are equal and print differently: their order must not depend on which came first.
    if (order == 0 && !(left == right)) order = left.ToText().compare(right.ToText());
  }
  return by.descending ? -order : order;
}

RowList OrderRows(size_t rows, const std::vector<SortColumn>& by) {
  RowList order = AllRows(rows);
  bool keys_only = std::all_of(by.begin(), by.end(), [](const SortColumn& column) { return column.column->is_key; });
  bool ascending = std::none_of(by.begin(), by.end(), [](const SortColumn& column) { return column.descending; });
  if (keys_only && ascending ? AreKeysSorted(rows, by, false) : IsSorted(by, order)) return order;
  if (keys_only) {
    for (auto column = by.rbegin(); column != by.rend(); ++column) SortByCode(*column, order);
    return order;
  }
  std::stable_sort(order.begin(), order.end(), [&](uint32_t a, uint32_t b) {
    for (const SortColumn& column : by) {
      if (int compared = CompareRows(column, a, b); compared != 0) return compared < 0;
    }
    return false;
  });
  return order;
}

RowList CanonicalOrder(const Table& table) {
  std::vector<SortColumn> keys, measures;
  SplitColumns(table, keys, measures);
  RowList order = OrderRows(table.rows, keys);
  auto same_keys = [&](uint32_t a, uint32_t b) {
    return std::all_of(keys.begin(), keys.end(),
                       [&](const SortColumn& key) { return key.column->codes[a] == key.column->codes[b]; });
  };
  // Most keys name one row, so only the runs of equal keys look at their measures.
  for (size_t begin = 0; begin < order.size();) {
    size_t end = begin + 1;
    while (end < order.size() && same_keys(order[begin], order[end])) ++end;
    if (end - begin > 1) {
      std::stable_sort(order.begin() + static_cast<int64_t>(begin), order.begin() + static_cast<int64_t>(end),
                       [&](uint32_t a, uint32_t b) {
                         for (const SortColumn& measure : measures) {
                           if (int compared = CompareRows(measure, a, b); compared != 0) return compared < 0;
                         }
                         return false;
                       });
    }
    begin = end;
  }
  return order;
}

void SortCanonically(Table& table) {
  std::vector<SortColumn> keys, measures;
  SplitColumns(table, keys, measures);
  // Then measures need no look.
  if (AreKeysSorted(table.rows, keys, true)) return;
  RowList order = CanonicalOrder(table);
  if (std::is_sorted(order.begin(), order.end())) return;
  table = table.Gather(order);
}

RowGroups GroupRows(size_t rows, const std::vector<const Column*>& keys) {
  std::vector<SortColumn> by;
  for (const Column* key : keys) by.push_back({key});
  RowGroups groups;
  groups.starts.push_back(0);
  if (rows == 0) return groups;
  KeySteps steps(CodesOf(by));
  bool sorted = true;
  for (size_t begin = 1; begin < rows && sorted; begin += KeySteps::kAtATime) {
    const size_t end = std::min(rows, begin + KeySteps::kAtATime);
    steps.Compare(begin, end);
    sorted = steps.sorted();
    for (size_t row = begin; row < end && !steps.all_equal(); ++row) {
      if (!steps.IsEqual(row - begin)) groups.starts.push_back(static_cast<uint32_t>(row));
    }
  }
  if (!sorted) {
    groups.order = OrderRows(rows, by);
    groups.starts.resize(1);
    auto differs = [&](uint32_t a, uint32_t b) {
      return std::any_of(keys.begin(), keys.end(), [&](const Column* key) { return key->codes[a] != key->codes[b]; });
    };
    for (size_t i = 1; i < rows; ++i) {
      if (differs(groups.order[i - 1], groups.order[i])) groups.starts.push_back(static_cast<uint32_t>(i));
    }
  }
  groups.starts.push_back(static_cast<uint32_t>(rows));
  return groups;
}

}  // namespace chartly::reporter
