// Makes sealed chunks of rows: gathers them in the order in which they come, cuts them, and encodes them. Nothing of it
// is in a store yet. Not thread-safe; several may work at once, on rows of one part.
#ifndef CHARTLY_CONTROL_AGGREGATOR_CHUNK_MAKER_H_
#define CHARTLY_CONTROL_AGGREGATOR_CHUNK_MAKER_H_

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/types/span.h"
#include "common/batch/record_id.h"
#include "common/chunk/chunk.h"
#include "common/chunk/row_gatherer.h"
#include "control/aggregator/part_filter.h"
#include "control/aggregator/record_store.h"

namespace chartly::aggregator {

// A chunk, and what its part wants to know of it.
struct MadeChunk {
  std::string bytes;
  storage::v1::SealedChunkMeta meta;
  std::vector<Hash128> keys;            // of all rows
  std::optional<PartFilter> id_filter;  // over their ids, if it was asked for
};

// Takes another range of the same dim in.
void Widen(const DimRange& range, std::map<std::string, DimRange>& ranges);

class ChunkMaker {
 public:
  using Take = absl::FunctionRef<absl::Status(MadeChunk chunk)>;

  // `part`: profile and key of the rows. `with_ids`: whether chunks get filters over the ids of their rows.
  ChunkMaker(const PartMeta& part, uint32_t chunk_rows, bool with_ids);

  // Appends rows, in order of (sort key, batch, row) over all calls, and gives the chunks that are full. `ids`: of all
  // rows of each source; none if they are to be computed. The same in all calls until Finish.
  absl::Status Append(absl::Span<const ColumnSet* const> sources, absl::Span<const RowRef> rows,
                      absl::Span<const RecordIds* const> ids, Take take);
  // Gives what is left as a last chunk, if there is something. Then it may begin anew.
  absl::Status Finish(Take take);

 private:
  absl::StatusOr<MadeChunk> Make();
  // Takes the ids of rows that came to the chunk under way.
  void TakeIds(absl::Span<const RowRef> rows, absl::Span<const RecordIds* const> ids);
  // Those of the chunk under way, which has these columns.
  void FillIds(const ColumnSet& columns, MadeChunk& chunk);
  void AddRange(const ChunkColumn& column, std::map<std::string, DimRange>& ranges) const;

  const std::string profile_id_;
  const std::vector<std::string> key_;
  const uint32_t chunk_rows_;
  const bool with_ids_;
  RowGatherer gatherer_;
  std::vector<Hash128> ids_;   // of the rows of the chunk under way, if they are known and there are filters
  std::vector<Hash128> keys_;  // likewise, with filters or without
  bool ids_known_ = false;
};

}  // namespace chartly::aggregator

#endif  // CHARTLY_CONTROL_AGGREGATOR_CHUNK_MAKER_H_
