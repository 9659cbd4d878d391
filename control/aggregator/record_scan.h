// The rows that a question is about, in the order in which they were stored, block by block: the one way in which
// pages, exports and explanations read records.
//
// A scan sees the store as it was once some batch number was its last, and nothing of later commits. Thread-safe; the
// store must outlive it.
#ifndef CHARTLY_CONTROL_AGGREGATOR_RECORD_SCAN_H_
#define CHARTLY_CONTROL_AGGREGATOR_RECORD_SCAN_H_

#include <functional>
#include <string>

#include "absl/status/statusor.h"
#include "common/batch/batch.h"
#include "control/aggregator/dedupe_index.h"
#include "control/aggregator/record_store.h"
#include "google/protobuf/timestamp.pb.h"

namespace chartly::aggregator {

// Returns true once the caller has gone; a long read then ends with Cancelled.
using Gone = std::function<bool()>;

struct RecordSelection {
  std::string profile_id;  // empty: any, but then run_id is set
  std::string run_id;      // only what this run gave, duplicates of earlier records included
  bool all_versions = false;
  uint64_t as_of = 0;  // the last batch number that it sees
};

// The last batch number that a question for this time sees; that of now without one.
absl::StatusOr<uint64_t> AsOfBatch(const RecordStore& store, bool has_time, const google::protobuf::Timestamp& time);

// Rows of one batch. Valid until the visitor returns.
struct RecordBlock {
  uint64_t chunk = 0;
  const ChunkMeta& meta;
  const Batch& batch;
  const RowSet& rows;      // those asked for
  uint32_t first_row = 0;  // the smaller ones come before the scan
};

class RecordScan {
 public:
  // InvalidArgument (PROFILE_OR_RUN_REQUIRED) if the selection names neither.
  static absl::StatusOr<RecordScan> Create(const RecordStore& store, RecordSelection selection);

  // Visitors return false to stop. Blocks without a row asked for are left out.
  using BlockVisitor = std::function<absl::StatusOr<bool>(const RecordBlock& block)>;
  // The rows behind `after`; from the start if it is 0.
  absl::Status Run(RowLocation after, const Gone& gone, const BlockVisitor& visit) const;
  // The same blocks as bytes, for those who need the header alone.
  using BytesVisitor = std::function<absl::StatusOr<bool>(const std::string& batch)>;
  absl::Status RunBytes(const Gone& gone, const BytesVisitor& visit) const;
  // The rows of a chunk that are the newest version of their record, whatever the selection says of versions.
  absl::StatusOr<RowSet> NewestRows(uint64_t chunk) const;

 private:
  RecordScan(const RecordStore& store, RecordSelection selection) : store_(store), selection_(std::move(selection)) {}
  absl::Status Chunks(uint64_t first, const Gone& gone, const RecordStore::RowsVisitor& visit) const;

  const RecordStore& store_;
  const RecordSelection selection_;
};

}  // namespace chartly::aggregator

#endif  // CHARTLY_CONTROL_AGGREGATOR_RECORD_SCAN_H_
