// The order in which rows of several sets of columns lie in a part: by sort key (sort_key.h), then source, then row. A
// pure function.
#ifndef CHARTLY_COMMON_CHUNK_ROW_ORDER_H_
#define CHARTLY_COMMON_CHUNK_ROW_ORDER_H_

#include <string>
#include <vector>

#include "absl/types/span.h"
#include "common/chunk/column_data.h"
#include "common/chunk/row_gatherer.h"

namespace chartly {

// Puts `rows`, which are in order of (source, row), in order of (sort key, source, row). `key`: names of the key dims;
// all dims if empty. Quick where all sources have the same key dims, each with one type, without nulls, and with few
// distinct texts; any other sources take the way over the bytes of the keys.
void OrderRows(absl::Span<const ColumnSet> sources, absl::Span<const std::string> key, std::vector<RowRef>& rows);

}  // namespace chartly

#endif  // CHARTLY_COMMON_CHUNK_ROW_ORDER_H_
