// The requests of one group commit, staged in order: fences, positions, dedupe and ledgers turn them into one
// StoreWrite. Nothing is visible to readers before the write succeeded.
//
// Not thread-safe; made and thrown away by the committer.
#ifndef CHARTLY_CONTROL_AGGREGATOR_COMMIT_GROUP_H_
#define CHARTLY_CONTROL_AGGREGATOR_COMMIT_GROUP_H_

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "chartly/v1/aggregator.pb.h"
#include "control/aggregator/dedupe_index.h"
#include "control/aggregator/prepared_batch.h"
#include "control/aggregator/record_store.h"
#include "control/aggregator/sealed_index.h"
#include "control/aggregator/unsealed_batches.h"

namespace chartly::aggregator {

// A place in the spool of a drone.
struct SpoolPosition {
  std::string drone_id;
  std::string spool_id;
  int64_t epoch = 0;
  int64_t seq = 0;        // 0: only takes the epoch and asks for the durable position
  int64_t acked_seq = 0;  // with seq 0: the highest position that the drone ever saw acked
};

// What is committed as one: all of it, or nothing.
struct CommitRequest {
  std::optional<SpoolPosition> position;
  std::vector<PreparedBatch> batches;
  std::optional<v1::RunEnd> run_end;
  // Rows that leave quarantine with this commit, as they are kept from now on.
  std::vector<StoreWrite::Redriven> redriven;
  size_t Size() const;
};

// OutOfRange (INGEST_GAP): entries before it are missing. FailedPrecondition (EPOCH_FENCED): a newer drone took over.
// ResourceExhausted (DEDUPE_INDEX_FULL, STORE_FULL): may be tried again.
struct CommitResult {
  absl::Status status;
  int64_t durable_seq = 0;     // of the spool, after the commit
  int64_t stored_batches = 0;  // batches with at least one stored row
  int64_t stored = 0;
  int64_t duplicate = 0;
};

class CommitGroup {
 public:
  // `unwritten`: the states that the group before changes, while it is on its way to the store. `last_batch` is the
  // highest batch number so far.
  CommitGroup(const RecordStore& store, const StoreStates& unwritten, DedupeIndex& index, SealedIndex& sealed,
              uint64_t last_batch);

  // Asks what parts know of the rows of all these requests, which are staged next. Those of before are staged.
  void LookUp(const std::vector<const CommitRequest*>& requests);
  // Takes the next of the requests that were looked up into the group. On an error nothing of it is in the group.
  CommitResult Stage(CommitRequest request);

  // Whether there is anything to write.
  bool dirty() const { return dirty_; }
  uint64_t last_batch() const { return write_.last_batch; }
  const StoreStates& states() const { return write_.states; }
  // All that is to be written, with that time of the ack.
  StoreWrite TakeWrite(int64_t acked_us);
  // What questions may know of its batches with stored rows once they are durable.
  std::vector<std::pair<uint64_t, UnsealedBatches::BatchPtr>> TakeUnsealed() { return std::move(unsealed_); }

 private:
  absl::Status TryStage(CommitRequest& request, size_t first_batch, CommitResult& result);
  // Whether the entry is new; says so by nothing for one that is durable already.
  absl::StatusOr<bool> AdmitPosition(const SpoolPosition& position, CommitResult& result);
  void NoteLoss(const SpoolPosition& position, SpoolState& spool);
  absl::Status LoadRun(const std::string& run_id);
  absl::Status LoadProfile(const std::string& profile_id);
  absl::Status LoadDrone(const std::string& drone_id);
  absl::Status LoadStates(const CommitRequest& request);
  void ApplyBatch(PreparedBatch batch, const SealedVersions& sealed, CommitResult& result);
  void FileRunRows(const BatchHeader& header, uint64_t batch, const DedupeOutcome& outcome);
  void FileSuperseded(const BatchHeader& header, uint64_t batch, const DedupeOutcome& outcome);
  void FileChunk(PreparedBatch& batch, uint64_t number, const DedupeOutcome& outcome);
  void FileQuarantine(const BatchHeader& header, uint64_t run_ordinal, uint64_t batch);
  void ApplyRedriven(StoreWrite::Redriven redriven);
  void ApplyRunEnd(v1::RunEnd end);
  RunState& TouchRun(const std::string& run_id, const std::string& profile_id, const std::string& drone_id);

  const RecordStore& store_;
  const StoreStates& unwritten_;
  DedupeIndex& index_;
  SealedIndex& sealed_;
  std::vector<SealedQuestion> looked_up_;  // of all batches of the requests that are staged next, in order
  size_t next_batch_ = 0;                  // among these
  absl::Status look_up_;
  StoreWrite write_;
  std::vector<std::pair<uint64_t, UnsealedBatches::BatchPtr>> unsealed_;
  bool dirty_ = false;
};

}  // namespace chartly::aggregator

#endif  // CHARTLY_CONTROL_AGGREGATOR_COMMIT_GROUP_H_
