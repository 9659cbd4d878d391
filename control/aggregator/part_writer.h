// Writes a part: takes its chunks in order, and keeps what finds their rows again. Nothing is visible before the store
// seals what Finish gives. Not thread-safe.
#ifndef CHARTLY_CONTROL_AGGREGATOR_PART_WRITER_H_
#define CHARTLY_CONTROL_AGGREGATOR_PART_WRITER_H_

#include <map>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "control/aggregator/chunk_maker.h"
#include "control/aggregator/record_store.h"

namespace chartly::aggregator {

class PartWriter {
 public:
  // `meta`: profile, range of batches and key; the rest is made anew. `rows`: how many will come. `with_ids`: whether
  // the part gets filters over the ids of its rows, which its chunks have then.
  PartWriter(RecordStore& store, PartMeta meta, uint64_t rows, bool with_ids);

  // The next chunk. The error of the store.
  absl::Status Add(MadeChunk chunk);
  Part Finish();
  const PartMeta& meta() const { return part_.meta; }

 private:
  RecordStore& store_;
  Part part_;
  std::shared_ptr<PartFilter> filter_;
  std::shared_ptr<IdFilters> ids_;  // null: without
  std::map<std::string, DimRange> ranges_;
};

}  // namespace chartly::aggregator

#endif  // CHARTLY_CONTROL_AGGREGATOR_PART_WRITER_H_
