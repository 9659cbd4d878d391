// Orders of the rows of a table, and runs of equal rows. Pure functions; every order is stable, so equal tables give
// equal orders.
#ifndef CHARTLY_CONTROL_REPORTER_ROW_ORDER_H_
#define CHARTLY_CONTROL_REPORTER_ROW_ORDER_H_

#include <cstdint>
#include <vector>

#include "control/reporter/table.h"

namespace chartly::reporter {

using RowList = BigVector<uint32_t>;

struct SortColumn {
  const Column* column;
  bool descending = false;
};

// Negative, zero or positive as row a of the column comes before row b. Null comes last, also when descending.
int CompareRows(const SortColumn& by, uint32_t a, uint32_t b);

// The rows in order of the first column, of equals by the second, and so on.
RowList OrderRows(size_t rows, const std::vector<SortColumn>& by);
// As OrderRows with all columns, keys first: the one order of a table that does not depend on how its rows came in.
RowList CanonicalOrder(const Table& table);
// Puts the rows in their canonical order.
void SortCanonically(Table& table);

// Some rows of a table: a list of them, or a run. The list must outlive it.
class RowSpan {
 public:
  static RowSpan Run(size_t first, size_t count) { return RowSpan(nullptr, first, count); }
  static RowSpan List(const uint32_t* rows, size_t count) { return RowSpan(rows, 0, count); }
  size_t size() const { return count_; }
  uint32_t operator[](size_t i) const { return rows_ == nullptr ? static_cast<uint32_t>(first_ + i) : rows_[i]; }
  bool is_run() const { return rows_ == nullptr; }

 private:
  RowSpan(const uint32_t* rows, size_t first, size_t count) : rows_(rows), first_(first), count_(count) {}
  const uint32_t* rows_;
  size_t first_;
  size_t count_;
};

// Rows that are equal in all key columns given, in order of those.
struct RowGroups {
  RowList order;                 // rows, group by group, within a group in the order of the table; empty if that is it
  std::vector<uint32_t> starts;  // of each group in that order, and the end
  size_t size() const { return starts.size() - 1; }
  RowSpan Rows(size_t group) const {
    const size_t begin = starts[group], count = starts[group + 1] - begin;
    return order.empty() ? RowSpan::Run(begin, count) : RowSpan::List(order.data() + begin, count);
  }
  uint32_t First(size_t group) const { return order.empty() ? starts[group] : order[starts[group]]; }
};
RowGroups GroupRows(size_t rows, const std::vector<const Column*>& keys);

}  // namespace chartly::reporter

#endif  // CHARTLY_CONTROL_REPORTER_ROW_ORDER_H_
