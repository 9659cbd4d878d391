// What a footer says of a column, computed from its values.
#ifndef CHARTLY_COMMON_CHUNK_COLUMN_STATS_H_
#define CHARTLY_COMMON_CHUNK_COLUMN_STATS_H_

#include "common/chunk/chunk.h"
#include "common/chunk/column_data.h"

namespace chartly {

// Requires: CheckColumns was OK.
ColumnStats ComputeStats(const ColumnData& column);

}  // namespace chartly

#endif  // CHARTLY_COMMON_CHUNK_COLUMN_STATS_H_
