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

// Rows that are equal in all key columns given, in order of those.
struct RowGroups {
  RowList order;                 // rows, group by group; within a group in the order of the table
  std::vector<uint32_t> starts;  // of each group in `order`, and the end
  size_t size() const { return starts.size() - 1; }
};
RowGroups GroupRows(size_t rows, const std::vector<const Column*>& keys);

}  // namespace chartly::reporter

#endif  // CHARTLY_CONTROL_REPORTER_ROW_ORDER_H_
