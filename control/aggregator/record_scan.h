// The rows that a question is about, block by block: the one way in which pages, exports and explanations read records.
//
// They come in an order that stays: from older batches to newer ones, and among the batches of one part by key. A list
// that stopped goes on where it was, also if what was unsealed then is sealed now, or its part was merged into a larger
// one: no row comes twice, and none is left out.
//
// A scan sees the store as it was once some batch number was its last, and nothing of later commits. Not thread-safe;
// the store must outlive it.
#ifndef CHARTLY_CONTROL_AGGREGATOR_RECORD_SCAN_H_
#define CHARTLY_CONTROL_AGGREGATOR_RECORD_SCAN_H_

#include <functional>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "control/aggregator/chunk_metas.h"
#include "control/aggregator/record_block.h"
#include "control/aggregator/record_store.h"
#include "google/protobuf/timestamp.pb.h"

namespace chartly::aggregator {

using storage::v1::ScanCursor;

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

class RecordScan {
 public:
  // InvalidArgument (PROFILE_OR_RUN_REQUIRED) if the selection names neither.
  static absl::StatusOr<RecordScan> Create(const RecordStore& store, RecordSelection selection);

  // Visitors return false to stop. Blocks without a row asked for are left out. Sealed chunks come loaded, unless the
  // visitor said that it loads them itself.
  void LeaveUnloaded() { loads_ = false; }
  using BlockVisitor = std::function<absl::StatusOr<bool>(const RecordBlock& block)>;
  // The rows behind `after`; from the start if it has no location. Of several profiles one after another.
  // InvalidArgument (PAGE_TOKEN_INVALID) if no list of this store stopped there.
  absl::Status Run(const ScanCursor& after, const Gone& gone, const BlockVisitor& visit);
  // Sealed chunks of at most so many bytes of which every row is asked for go to `take` as they lie, without a look at
  // their columns. It returns false to stop.
  using WholeVisitor = std::function<absl::StatusOr<bool>(std::string chunk)>;
  void GiveWhole(size_t bytes_max, WholeVisitor take) {
    whole_bytes_max_ = bytes_max;
    take_whole_ = std::move(take);
  }
  // Only what is sealed. Requires: the selection names a profile.
  absl::Status Sealed(const Gone& gone, const BlockVisitor& visit);
  // Sealed chunks for which it is false are passed over from now on, before they are read.
  using ChunkGuess = std::function<bool(const Part& part, uint32_t chunk)>;
  void SkipUnless(ChunkGuess may_match) { may_match_ = std::move(may_match); }
  // The same for batches that are not sealed.
  using BatchGuess = std::function<bool(uint64_t batch)>;
  void SkipUnsealedUnless(BatchGuess may_match) { unsealed_may_match_ = std::move(may_match); }
  // Whether the row is the newest version of its record, whatever the selection says of versions.
  absl::StatusOr<bool> IsNewest(const std::string& profile_id, RowLocation location) const;
  // What the scan reads.
  const RecordReader& view() const { return *view_; }

 private:
  struct Walk;
  class RowChoice;
  RecordScan(const RecordStore& store, RecordSelection selection);
  absl::StatusOr<bool> Visit(const Walk& walk, const RecordBlock& block);
  absl::Status RunProfile(const Walk& walk, const ScanCursor& from);
  absl::StatusOr<std::set<std::string>> Profiles() const;
  // What is asked for of a range of batches.
  absl::StatusOr<RowChoice> Choose(const std::string& profile_id, uint64_t first, uint64_t last) const;
  static RowSet Chosen(const PartMeta& part, const RecordBlock::Chunk& chunk, uint64_t first, uint64_t last,
                       const RowChoice& choice);
  absl::StatusOr<bool> VisitPart(const Walk& walk, const Part& part, uint64_t first, const ScanCursor* from);
  absl::StatusOr<bool> VisitUnsealed(const Walk& walk, uint64_t first, uint64_t end);
  absl::StatusOr<bool> VisitUnsealed(const Walk& walk, uint64_t batch, RowSet rows);
  // The rows of one batch behind a row, wherever it lies now.
  absl::StatusOr<bool> VisitRest(const Walk& walk, RowLocation last);
  absl::StatusOr<ColumnSet> ReadSealedBatch(const Part& part, uint64_t batch) const;

  const RecordStore& store_;
  const RecordSelection selection_;
  ChunkGuess may_match_;
  BatchGuess unsealed_may_match_;
  bool loads_ = true;
  size_t whole_bytes_max_ = 0;
  WholeVisitor take_whole_;
  std::unique_ptr<RecordReader> view_;
  std::unique_ptr<ChunkMetas> metas_;
};

// The cursor of a list that gave the rows of a block up to this one.
ScanCursor CursorAt(const RecordBlock& block, uint32_t row);

}  // namespace chartly::aggregator

#endif  // CHARTLY_CONTROL_AGGREGATOR_RECORD_SCAN_H_
