// Makes parts: out of batches as they arrived, sorted in memory, or out of neighbouring parts, merged chunk by chunk.
// What a question sees is the same before and after. Not thread-safe; memory is bounded by the options.
#ifndef CHARTLY_CONTROL_AGGREGATOR_PART_MERGE_H_
#define CHARTLY_CONTROL_AGGREGATOR_PART_MERGE_H_

#include <functional>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "common/batch/batch.h"
#include "common/batch/record_id.h"
#include "common/chunk/row_gatherer.h"
#include "control/aggregator/part_writer.h"
#include "control/aggregator/record_store.h"
#include "control/aggregator/unsealed_batches.h"

namespace chartly::aggregator {

struct MergeOptions {
  uint32_t chunk_rows = 65536;              // rows of a sealed chunk
  uint64_t seal_rows = uint64_t{1} << 20;   // about that many rows of batches make a part
  size_t seal_bytes = size_t{96} << 20;     // memory of the batches that are sorted together
  size_t seal_threads = 2;                  // that make chunks of them, so that ingest does not wait for one processor
  uint64_t part_rows = uint64_t{32} << 20;  // parts with more rows are not merged again
  int width = 4;                            // neighbours of about one size that are merged
  size_t id_bytes = size_t{256} << 20;      // memory of the filters over ids; parts for which none is left go without
};

// What became a part.
struct Sealed {
  std::string profile_id;
  uint64_t rows = 0;
  std::vector<uint64_t> batches;
  std::vector<uint64_t> parts;  // by id; their chunks are still there
};

class PartMerge {
 public:
  // `stop` is asked now and then; true ends the work with Cancelled, and nothing stays of it. `unsealed`: where the ids
  // of unsealed batches are, which need not be computed again then; may be null.
  PartMerge(RecordStore& store, const MergeOptions& options, std::function<bool()> stop,
            const UnsealedBatches* unsealed = nullptr)
      : store_(store), options_(options), stop_(std::move(stop)), unsealed_(unsealed) {}

  // Seals the first unsealed batches of a profile that belong together. No rows if there are none. Damaged batches stay
  // as they are. Aborted if some of them are deleted meanwhile.
  absl::StatusOr<Sealed> SealBatches(const std::string& profile_id);
  // Neighbours among the parts of a profile that are worth being merged, or one that has deleted rows and is not among
  // the damaged ones, by id; empty if there is nothing to do.
  absl::StatusOr<PartList> Choose(const std::string& profile_id, const std::set<uint64_t>& damaged = {}) const;
  // Merges neighbours, or removes the deleted rows of one part. Aborted if more is deleted meanwhile. DataLoss if a
  // chunk is damaged: it is set aside then, and the parts stay.
  absl::StatusOr<Sealed> MergeParts(const PartList& parts);
  // A filter over the keys of a part, read out of its chunks. The keys of a damaged chunk, which is set aside, are left
  // out, for look-ups find nothing in it either.
  absl::StatusOr<std::shared_ptr<const PartFilter>> MakeFilter(const Part& part);
  // Filters over the ids of a part, likewise. Any id may be in a damaged chunk.
  absl::StatusOr<std::shared_ptr<const IdFilters>> MakeIds(const Part& part);
  // Whether there is memory for those of a part of that many rows, which takes the place of these.
  bool HasRoomForIds(uint64_t rows, const PartList& replaced = {}) const;

 private:
  struct Sources;
  absl::Status Load(const RecordReader& view, const std::string& profile_id, Sources& sources) const;
  std::shared_ptr<const RecordIds> IdsOf(const Batch& batch, uint64_t id) const;
  absl::StatusOr<Part> WriteSorted(const std::string& profile_id, const Sources& sources);
  absl::Status WriteChunks(const Sources& sources, absl::Span<const RowRef> rows, bool with_ids, PartWriter& writer);
  absl::StatusOr<Part> WriteMerged(const RecordReader& view, const PartList& parts);
  absl::Status Install(Seal seal);
  int Tier(uint64_t rows) const;

  RecordStore& store_;
  const MergeOptions options_;
  const std::function<bool()> stop_;
  const UnsealedBatches* const unsealed_;
};

}  // namespace chartly::aggregator

#endif  // CHARTLY_CONTROL_AGGREGATOR_PART_MERGE_H_
