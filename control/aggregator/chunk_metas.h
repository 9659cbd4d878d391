// The descriptions of batches, for those who ask about one row after another. Not thread-safe.
#ifndef CHARTLY_CONTROL_AGGREGATOR_CHUNK_METAS_H_
#define CHARTLY_CONTROL_AGGREGATOR_CHUNK_METAS_H_

#include <cstdint>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "common/batch/batch.h"
#include "control/aggregator/record_store.h"

namespace chartly::aggregator {

// Writes down where the rows of a batch come from, as its header says it.
void SetOrigin(const BatchHeader& header, ChunkMeta& meta);

class ChunkMetas {
 public:
  // The view must outlive it.
  explicit ChunkMetas(const RecordReader& view) : view_(view) {}

  // With its origin; empty if it could not be read, which status() tells. Valid until the next call.
  const ChunkMeta& Of(uint64_t batch);
  // The first failure.
  const absl::Status& status() const { return status_; }

 private:
  absl::StatusOr<ChunkMeta> Read(uint64_t batch) const;

  const RecordReader& view_;
  absl::flat_hash_map<uint64_t, ChunkMeta> known_;  // of a bounded number of batches
  absl::Status status_;
};

}  // namespace chartly::aggregator

#endif  // CHARTLY_CONTROL_AGGREGATOR_CHUNK_METAS_H_
