// Writes a part: takes rows in their order, cuts them into sealed chunks, and keeps what finds them again. Nothing is
// visible before the store seals what Finish gives. Not thread-safe.
#ifndef CHARTLY_CONTROL_AGGREGATOR_PART_WRITER_H_
#define CHARTLY_CONTROL_AGGREGATOR_PART_WRITER_H_

#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "common/chunk/chunk.h"
#include "common/chunk/row_gatherer.h"
#include "control/aggregator/record_store.h"

namespace chartly::aggregator {

class PartWriter {
 public:
  // `meta`: profile, range of batches and key; the rest is made anew. `rows`: how many will come. `with_ids`: whether
  // the part gets filters over the ids of its rows.
  PartWriter(RecordStore& store, PartMeta meta, uint64_t rows, uint32_t chunk_rows, bool with_ids);

  // Appends rows, in order of (sort key, batch, row) over all calls. `ids`: of all rows of each source; none if they
  // are to be computed. The same in all calls.
  absl::Status Append(absl::Span<const ColumnSet* const> sources, absl::Span<const RowRef> rows,
                      absl::Span<const RecordIds* const> ids = {});
  absl::StatusOr<Part> Finish();
  uint64_t id() const { return part_.meta.id(); }

 private:
  absl::Status WriteChunk();
  // Takes the ids of rows that came to the chunk under way.
  void TakeIds(absl::Span<const RowRef> rows, absl::Span<const RecordIds* const> ids);
  // Of the chunk under way, which has these columns.
  void FillFilters(const ColumnSet& columns);
  void AddRange(const ChunkColumn& column, std::map<std::string, DimRange>& ranges) const;

  RecordStore& store_;
  const uint32_t chunk_rows_;
  Part part_;
  std::shared_ptr<PartFilter> filter_;
  std::shared_ptr<IdFilters> ids_;  // null: without
  std::vector<std::string> key_;
  RowGatherer gatherer_;
  std::vector<Hash128> chunk_ids_;  // of the rows of the chunk under way, if they are known and there are filters
  bool ids_known_ = false;
  std::map<std::string, DimRange> ranges_;
};

}  // namespace chartly::aggregator

#endif  // CHARTLY_CONTROL_AGGREGATOR_PART_WRITER_H_
