// All runs that are held: by sequence (the order of their making), by id, by profile, by drone. What is durable goes
// to the state store in batches (Flush); progress stays in memory.
//
// Not thread-safe: the coordinator guards it. Records keep their address until they are pruned.
#ifndef CHARTLY_CONTROL_COORDINATOR_RUN_TABLE_H_
#define CHARTLY_CONTROL_COORDINATOR_RUN_TABLE_H_

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "chartly/v1/aggregator.pb.h"
#include "chartly/v1/coordinator.pb.h"
#include "common/rpc/project_scope.h"
#include "common/state/state_store.h"
#include "control/coordinator/scheduler.h"

namespace chartly::coordinator {

inline constexpr char kRunPrefix[] = "run/";

// Of a backfill, or over kept payloads: beside what the profile does by itself, so its schedule and its health do not
// rest on it.
inline bool IsBeside(const v1::Run& run) { return !run.backfill_id().empty() || run.has_replay(); }

struct RunRecord {
  int64_t sequence = 0;
  v1::Run run;              // its balance is set once it is final
  int64_t lease_epoch = 0;  // of the drone it was given to
  bool cancel_requested = false;
  bool ended = false;               // the aggregator has its end
  std::vector<int64_t> deliveries;  // of a webhook, by sequence

  // In memory only.
  std::shared_ptr<const std::string> content;  // profile text of its revision; null after a restart
  v1::RunProgress progress;                    // what its drone told last
  v1::Balance received;                        // what the aggregator told last
  bool stored = false;                         // was written at least once
  bool ordered = false;                        // may have been in an answer to its drone
  // These by a clock that does not jump.
  absl::Time lost_deadline = absl::InfiniteFuture();  // DRONE_LOST if its end is not known by then
  absl::Time reported = absl::InfinitePast();         // when its drone last told that it works on it
  absl::Time next_ledger = absl::InfinitePast();      // when to ask the aggregator again, and how long after that
  absl::Duration ledger_pause = absl::ZeroDuration();
  absl::Time last_ledger = absl::InfiniteFuture();  // of a final run: when to ask no more

  v1::RunStatus status() const { return run.status(); }
  bool external() const { return run.trigger() == kTriggerExternal; }
  bool beside() const { return IsBeside(run); }
  // Whether work on it goes on: not final, and ours.
  bool open() const;
  // Whether it counts as done or to be done: its drone was not lost with it.
  bool counts() const { return run.error_reason() != "DRONE_LOST" || ended; }
};

bool IsFinal(v1::RunStatus status);

class RunTable {
 public:
  using Sequences = std::set<int64_t>;

  absl::Status Load(const StateStore& store);
  // Takes up a new run. Requires: its run_id is not held.
  RunRecord& Add(v1::Run run);
  // Null if unknown.
  RunRecord* Find(absl::string_view run_id);
  RunRecord& At(int64_t sequence) { return *runs_.at(sequence); }
  const RunRecord& At(int64_t sequence) const { return *runs_.at(sequence); }
  // Null if it is not held any more.
  const RunRecord* Held(int64_t sequence) const;
  // Gives a run to a drone, or with an empty id to none. Touches it.
  void Assign(RunRecord& record, const std::string& drone_id, int64_t epoch);
  // Call after a change: sorts the run anew and remembers to write it.
  void Touch(RunRecord& record);
  // Whether the state on disk is older than the one here.
  bool IsDirty(const RunRecord& record) const { return dirty_.count(record.sequence) > 0; }
  // Runs whose state on disk is older.
  const Sequences& dirty() const { return dirty_; }
  // Undoes Add, if what was added could not be written.
  void Remove(RunRecord& record);

  const Sequences& open() const { return open_; }
  const Sequences& OpenOfDrone(absl::string_view drone_id) const;
  const Sequences& OpenOfProfile(absl::string_view profile_id) const;
  // How many of these are not beside the schedule.
  size_t OpenOwn(absl::string_view profile_id) const;
  // The runs of the newest time of a profile's schedule; several if it is redundant.
  const Sequences& OfNewestSlot(absl::string_view profile_id) const;
  // The next run of the profile is the first of another time, even if a clock that was set back gives it the same name.
  void BeginSlot(absl::string_view profile_id);
  // Final runs whose end may still come.
  const Sequences& unended() const { return unended_; }
  // No longer waits for the end of a final run.
  void GiveUpEnd(RunRecord& record) { unended_.erase(record.sequence); }

  ProfileHistory HistoryOf(absl::string_view profile_id) const;
  const RunRecord* NewestOf(absl::string_view profile_id) const;
  const RunRecord* NewestSuccessOf(absl::string_view profile_id) const;
  // The newest that is over.
  const RunRecord* NewestFinalOf(absl::string_view profile_id) const;
  // Runs with a sequence below `before`, newest first, of profiles of these projects.
  std::vector<const RunRecord*> List(int64_t before, size_t limit, absl::string_view profile_id,
                                     absl::string_view drone_id, const rpc::ProjectScope& projects = {}) const;
  // Forgets the oldest final runs over `max_runs`; what the schedule of a profile rests on stays.
  void Prune(size_t max_runs);
  // Profiles whose runs changed since the last call.
  std::set<std::string> TakeChangedProfiles() { return std::exchange(changed_profiles_, {}); }
  // What is written in one transaction with the runs by the next Flush.
  StateTransaction& along() { return along_; }
  // Writes what changed, and `more`, in one transaction. On failure nothing is forgotten; call again.
  absl::Status Flush(StateStore& store, const StateTransaction& more = {});
  size_t size() const { return runs_.size(); }

 private:
  struct ProfileRuns {
    Sequences open;
    Sequences open_beside;         // those beside the schedule
    Sequences retries;             // further attempts
    Sequences of_slot;             // of the newest time of the schedule
    int64_t newest = 0;            // 0: none
    int64_t newest_own = 0;        // not external
    int64_t newest_scheduled = 0;  // first attempt, asked for by the schedule
    int64_t newest_success = 0;
    int64_t newest_final = 0;
  };
  void Index(RunRecord& record);
  void IndexSlot(const RunRecord& record, ProfileRuns& runs);
  bool Needed(const RunRecord& record) const;

  std::map<int64_t, std::unique_ptr<RunRecord>> runs_;
  absl::flat_hash_map<std::string, int64_t> by_id_;
  std::map<std::string, ProfileRuns, std::less<>> by_profile_;
  std::map<std::string, Sequences, std::less<>> open_by_drone_;
  Sequences open_;
  Sequences unended_;
  Sequences dirty_;
  std::set<std::string> changed_profiles_;
  StateTransaction along_;
  int64_t next_sequence_ = 1;
};

}  // namespace chartly::coordinator

#endif  // CHARTLY_CONTROL_COORDINATOR_RUN_TABLE_H_
