// The threads that seal, while ingest goes on: one turns unsealed batches into parts, one merges parts, so that ingest
// never waits for a long merge. The first takes a profile whose unsealed batches have made a part of full size for a
// while, or make several, so that a burst of ingest has the processors to itself; any profile when the dedupe index
// runs out of room; and, once nothing came in for a while, those that have enough rows for a chunk. The second also
// makes the filters of the parts anew after a start.
//
// Thread-safe.
#ifndef CHARTLY_CONTROL_AGGREGATOR_SEALER_H_
#define CHARTLY_CONTROL_AGGREGATOR_SEALER_H_

#include <functional>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "control/aggregator/committer.h"
#include "control/aggregator/part_merge.h"
#include "control/aggregator/record_store.h"

namespace chartly::aggregator {

struct SealerOptions {
  MergeOptions merge;
  uint64_t burst_parts = 4;                       // parts of full size that are sealed at once
  absl::Duration burst = absl::Seconds(2);        // that fewer of them wait
  uint64_t idle_rows = 65536;                     // unsealed rows of a profile that are worth a part when all is quiet
  absl::Duration idle_after = absl::Seconds(10);  // without a commit
};

class Sealer {
 public:
  // Both must outlive it. Start begins the work.
  Sealer(RecordStore& store, Committer& committer, const SealerOptions& options);
  ~Sealer() { Stop(); }
  void Start();
  // Ends what is under way, and the threads. Safe twice.
  void Stop();

  // Makes the filters that lack, seals unsealed batches of profiles with at least that many unsealed rows, and merges
  // what is worth it, before it returns. Not while the threads run.
  absl::Status SealNow(uint64_t min_rows);

 private:
  // Takes one step after another, or waits to be woken if `wakes`; a step says whether there was something to do.
  void Run(bool wakes, const std::function<absl::StatusOr<bool>()>& step);
  void Wake();
  absl::StatusOr<bool> SealNext();
  absl::StatusOr<bool> MergeNext();
  // The profile to seal next; empty if none.
  std::string Next();
  absl::Status SealOne(const std::string& profile_id);
  // Makes a filter of a part that lacks it since the store was opened: all those over keys before those over ids, for
  // ingest asks for them.
  absl::StatusOr<bool> FilterNext();
  absl::StatusOr<bool> IdsNext();
  absl::StatusOr<bool> MergeOne(const std::string& profile_id);
  bool stopping() const;

  RecordStore& store_;
  Committer& committer_;
  const SealerOptions options_;
  PartMerge merge_;
  std::set<uint64_t> unmergeable_;                  // parts with damage
  absl::Time full_since_ = absl::InfiniteFuture();  // when a profile came to have a part of full size; of the first
  mutable absl::Mutex mu_;
  bool stopping_ ABSL_GUARDED_BY(mu_) = false;
  bool woken_ ABSL_GUARDED_BY(mu_) = false;
  std::vector<std::thread> threads_;
};

}  // namespace chartly::aggregator

#endif  // CHARTLY_CONTROL_AGGREGATOR_SEALER_H_
