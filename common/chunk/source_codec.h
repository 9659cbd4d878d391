// The columns that say which page and row of the payload a row came from. Sorted by key they look random, but in the
// order in which the rows arrived the page hardly changes, and the row of the payload is the row of the batch and a
// little more: so they are stored in that order, which the system columns give back, and cost next to nothing.
#ifndef CHARTLY_COMMON_CHUNK_SOURCE_CODEC_H_
#define CHARTLY_COMMON_CHUNK_SOURCE_CODEC_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "common/chunk/chunk_scratch.h"
#include "common/chunk/column_data.h"

namespace chartly {

// Rows of a chunk in the order of their batches and of the rows of these. Of two columns, which must outlive it. Not
// thread-safe.
class ArrivalOrder {
 public:
  // Nothing if the columns do not say it: nulls, other types, rows past kMaxChunkRows, batches too far apart.
  static std::optional<ArrivalOrder> Of(const ColumnData& batch, const ColumnData& row);

  // Made when it is first asked for: mostly nobody needs it.
  const std::vector<uint32_t>& order();
  // Row of its batch, of row number `i` of the chunk.
  int64_t BatchRow(uint32_t i) const { return row_->integers[i]; }

 private:
  ArrivalOrder(const ColumnData& batch, const ColumnData& row, int64_t first_batch)
      : batch_(&batch), row_(&row), first_batch_(first_batch) {}
  const ColumnData* batch_;
  const ColumnData* row_;
  int64_t first_batch_;
  std::vector<uint32_t> order_;
};

bool IsSourceColumn(const ColumnData& column);

// As EncodeColumn and DecodeColumn. Requires: IsSourceColumn, no nulls.
std::string EncodeSourceColumn(const ColumnData& column, std::optional<ArrivalOrder>& arrival);
// Whether these bytes need the order.
bool NeedsArrivalOrder(absl::string_view bytes);
bool DecodeSourceColumn(absl::string_view bytes, std::optional<ArrivalOrder>& arrival, ColumnData& out,
                        ChunkScratch& scratch);

}  // namespace chartly

#endif  // CHARTLY_COMMON_CHUNK_SOURCE_CODEC_H_
