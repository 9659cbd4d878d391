// The group commit, in two steps. The commit thread takes what waits and stages it in order as a group; it owns the
// dedupe index, so that deciding what is new needs no lock. The write thread makes the group durable with one synced
// write and answers, while the commit thread stages the next one. So at most two groups are not durable, and the second
// was decided as if the first were: when a write fails, the group behind it is refused with the same status, and the
// index is as before both.
//
// Thread-safe. Callbacks run on one of these threads, one at a time for each caller and in the order of its requests,
// and must be quick. After Shutdown requests are answered with Unavailable (AGGREGATOR_STOPPING).
#ifndef CHARTLY_CONTROL_AGGREGATOR_COMMITTER_H_
#define CHARTLY_CONTROL_AGGREGATOR_COMMITTER_H_

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "common/clock/clock.h"
#include "control/aggregator/commit_group.h"
#include "control/aggregator/part_merge.h"
#include "control/aggregator/record_store.h"
#include "control/aggregator/sealed_index.h"
#include "control/aggregator/unsealed_batches.h"

namespace chartly::aggregator {

// Batches of one commit, and the most of all that are not answered; less where the index is small.
inline constexpr size_t kMaxGroupBytes = size_t{8} << 20;
inline constexpr size_t kMaxPendingBytes = size_t{64} << 20;

class Committer {
 public:
  using Done = std::function<void(const CommitResult&)>;

  // Reads the unsealed batches into the index and starts the threads. Damaged ones are left out and counted: their
  // records are stored anew when they are sent again. `dedupe_bytes` bounds the index, the filters of parts and the
  // chunks that look-ups keep, together. The store and the clock must outlive it.
  static absl::StatusOr<std::unique_ptr<Committer>> Open(RecordStore& store, const Clock& clock, size_t dedupe_bytes);
  ~Committer();

  // `done` is called once, from one of the threads or at once, and let go then. Requests of one caller commit in the
  // order given.
  void Submit(CommitRequest request, Done done);
  // Waits for room, submits, waits for the result.
  CommitResult Commit(CommitRequest request);
  // True if there is room for more to wait; else false, and `room` is called once when there is room again.
  bool HasRoom(std::function<void()> room);

  // What is not sealed yet.
  struct Unsealed {
    std::map<std::string, uint64_t> rows;  // by profile
    absl::Time last_commit;
    bool needs_room = false;  // commits wait until something is sealed
  };
  Unsealed unsealed() const;
  // What is known of the batches among it.
  const UnsealedBatches& unsealed_batches() const { return unsealed_batches_; }
  // Takes over what was sealed: the index forgets these batches and reads the parts of the store anew. Returns when
  // that is done; the parts that were replaced are not read any more then.
  void Adopt(const Sealed& sealed);
  // Reads the parts of the store anew: their filters changed. Returns when that is done.
  void RereadParts();
  // Does a step of a deletion while nothing is being committed: what is committed next is decided without these
  // batches. As RecordStore::Erase; Unavailable (AGGREGATOR_STOPPING).
  absl::Status Erase(const Erasure& erasure);
  // Commits that find the index full wait for Adopt from now on. `wake` is called, in between, when one does, and after
  // those that leave at least that many rows of a profile unsealed; it must be quick and take no lock that is held
  // around a call here.
  void ExpectSealing(uint64_t rows, std::function<void()> wake);
  // `wake` is not called any more, and not under way when this returns.
  void ExpectNoWaking();

  // Empty, or why the store does not take records, for people.
  std::string Health() const;
  // Empty, or what is wrong with the store and no restart mends: no room, damage that was set aside.
  std::string Amiss() const;
  // Commits what waits and ends the threads. Safe twice.
  void Shutdown();

 private:
  struct Pending {
    CommitRequest request;
    size_t bytes = 0;
    Done done;
  };
  // Requests that are committed as one, staged.
  struct Group;
  Committer(RecordStore& store, const Clock& clock, size_t dedupe_bytes);
  absl::Status Rebuild();
  absl::Status EraseNow(const Erasure& erasure);
  // Makes the index anew if it does not say what the store says.
  absl::Status MendIndex();
  void ShareMemory();
  // Runs it on the commit thread while nothing is being committed, and waits; not at all once that thread stops.
  // Says whether it did.
  bool RunBetweenCommits(const std::function<void()>& task);
  uint64_t UnsealedRows() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  // Of the commit thread.
  void StageGroups();
  void RunTasks();
  // Takes of what waits what a group of that size still has room for.
  std::vector<Pending> Take(size_t group_bytes) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  bool FitsGroup(size_t group_bytes) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // Waits for requests; empty once it stops and nothing is left.
  std::vector<Pending> AwaitRequests();
  // Waits until the group before is written, or until so much waits that it is worth staging now. Gives what joins the
  // group, which may be nothing, and whether the group is to be written then.
  std::pair<std::vector<Pending>, bool> AwaitTurn(size_t group_bytes);
  bool HasRoomFor(const std::vector<Pending>& requests);
  // While much is unsealed, or the index is full, waits a while for the sealer, if there is one.
  void AwaitRoom(const std::vector<Pending>& requests);
  // The next group; null once it stops and nothing is left.
  std::unique_ptr<Group> StageGroup();
  void Stage(std::vector<Pending> requests, Group& group);
  void HandOver(std::unique_ptr<Group> group);
  // Waits until nothing is being written, and takes in what became of it.
  absl::Status Settle();

  // Of the write thread.
  void WriteGroups();
  absl::Status Write(CommitGroup& group);

  void Answer(Group& group);
  void Release(size_t bytes);

  RecordStore& store_;
  const Clock& clock_;
  const size_t dedupe_bytes_;
  const size_t max_pending_bytes_;
  SealedIndex sealed_;  // of the commit thread
  DedupeIndex index_;   // of the commit thread
  UnsealedBatches unsealed_batches_;
  StoreStates unwritten_;      // of the commit thread: what the group that is being written changes
  bool index_stale_ = false;   // of the commit thread
  uint64_t last_batch_ = 0;    // of the commit thread: handed over
  int64_t last_acked_us_ = 0;  // of the write thread

  mutable absl::Mutex mu_;
  std::deque<Pending> pending_ ABSL_GUARDED_BY(mu_);  // not staged
  size_t unstaged_bytes_ ABSL_GUARDED_BY(mu_) = 0;    // of these
  size_t pending_bytes_ ABSL_GUARDED_BY(mu_) = 0;     // of all that is not answered
  std::unique_ptr<Group> writing_ ABSL_GUARDED_BY(mu_);
  bool written_ ABSL_GUARDED_BY(mu_) = false;  // writing_ is, and waits to be taken in
  bool staged_all_ ABSL_GUARDED_BY(mu_) = false;
  std::vector<std::function<void()>> waiting_for_room_ ABSL_GUARDED_BY(mu_);
  bool stopping_ ABSL_GUARDED_BY(mu_) = false;
  std::vector<std::function<void()>> tasks_ ABSL_GUARDED_BY(mu_);  // for the commit thread
  Unsealed unsealed_ ABSL_GUARDED_BY(mu_);
  bool sealing_expected_ ABSL_GUARDED_BY(mu_) = false;
  uint64_t wake_rows_ ABSL_GUARDED_BY(mu_) = 0;
  std::function<void()> wake_ ABSL_GUARDED_BY(mu_);  // of the sealer; may be null
  absl::Status last_write_ ABSL_GUARDED_BY(mu_);
  size_t damaged_chunks_ ABSL_GUARDED_BY(mu_) = 0;
  std::string first_damage_ ABSL_GUARDED_BY(mu_);
  std::thread commit_thread_;
  std::thread write_thread_;
};

}  // namespace chartly::aggregator

#endif  // CHARTLY_CONTROL_AGGREGATOR_COMMITTER_H_
