// The rows of a batch as columns, ready to be sealed. Pure functions.
#ifndef CHARTLY_COMMON_CHUNK_BATCH_COLUMNS_H_
#define CHARTLY_COMMON_CHUNK_BATCH_COLUMNS_H_

#include <cstdint>

#include "absl/types/span.h"
#include "common/batch/batch.h"
#include "common/chunk/column_data.h"

namespace chartly {

// All columns of the batch and its source columns, with the system columns `batch` (all rows `batch_number`) and `row`
// (the row of the batch). `rows` are taken in the order given; each must be a row of the batch. Columns that are null
// in all of them are left out.
ColumnSet ColumnsOfBatch(const Batch& batch, uint64_t batch_number, absl::Span<const uint32_t> rows);
// The same of all rows.
ColumnSet ColumnsOfBatch(const Batch& batch, uint64_t batch_number);
// One column of a batch with that many rows, all of them.
ColumnData ColumnOfBatch(const BatchColumn& column, uint32_t rows);

}  // namespace chartly

#endif  // CHARTLY_COMMON_CHUNK_BATCH_COLUMNS_H_
