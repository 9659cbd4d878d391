// How profiles with rings take their revisions: which revision a drone is to do, and whether a new one may go on. What
// is decided is durable with the next transaction, with the text of the revision before, so that going back needs
// nobody else.
//
// A rollout begins when a revision comes and the one before it has rings and has shown good runs: the rings are those
// of the revision before, so that no revision can do without them. Not thread-safe: the coordinator guards it.
#ifndef CHARTLY_CONTROL_COORDINATOR_ROLLOUT_TABLE_H_
#define CHARTLY_CONTROL_COORDINATOR_ROLLOUT_TABLE_H_

#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "chartly/storage/v1/coordinator.pb.h"
#include "chartly/v1/aggregator.pb.h"
#include "chartly/v1/coordinator.pb.h"
#include "common/profile/profile.h"
#include "common/rpc/project_scope.h"
#include "common/state/state_store.h"
#include "control/coordinator/profile_table.h"
#include "control/coordinator/rollout_judge.h"

namespace chartly::coordinator {

inline constexpr char kRolloutPrefix[] = "rollout/";

// A drone that holds a profile, as far as rings look at it.
struct RingDrone {
  std::string id;
  std::map<std::string, std::string> labels;
};

class RolloutTable {
 public:
  absl::Status Load(const StateStore& store);

  // A revision came.
  void SetProfile(const ProfileEntry& profile, absl::Time now);
  void RemoveProfile(absl::string_view profile_id);
  // Which revision a drone is to do: the profile's, or that of before. `holders` are the drones of the plan, in its
  // order; a profile that nobody holds is done in its target revision wherever it runs.
  struct Choice {
    std::string revision;
    std::shared_ptr<const std::string> content;
  };
  Choice ChoiceFor(const ProfileEntry& profile, const std::vector<RingDrone>& holders,
                   absl::string_view drone_id) const;
  // Whether rings judge a revision of the profile now; else the choice asks for no holders.
  bool IsRunning(absl::string_view profile_id) const;
  // Whether the revision went back: no drone is to begin it any more.
  bool IsRefused(absl::string_view profile_id, absl::string_view revision) const;
  // The text of a revision that is in use; null if it is not.
  std::shared_ptr<const std::string> ContentOf(const ProfileEntry& profile, absl::string_view revision) const;
  // The end of a run that came to its final state. Says whether the rollout of its profile changed.
  bool TakeEnd(const v1::Run& run, const v1::RunEnd& end, absl::Time now);

  // NotFound (ROLLOUT_NOT_FOUND).
  absl::StatusOr<v1::Rollout> Get(absl::string_view profile_id) const;
  // Those of profiles after `after` and of these projects, in order.
  std::vector<v1::Rollout> List(absl::string_view after, size_t limit, const rpc::ProjectScope& projects = {}) const;
  // FailedPrecondition (ROLLOUT_NOT_RUNNING, ROLLOUT_IN_USE) as AbortRollout and AcceptRollout say.
  absl::StatusOr<v1::Rollout> Abort(absl::string_view profile_id, const std::string& why, absl::Time now);
  absl::StatusOr<v1::Rollout> Accept(const ProfileEntry& profile, absl::Time now);
  size_t running() const;

  void AddTo(StateTransaction& transaction) const;
  void Written() {
    unwritten_.clear();
    deleted_.clear();
  }

 private:
  struct Entry {
    std::string profile_id;
    storage::v1::StoredRollout stored;
    std::shared_ptr<const std::string> stable_content;
    std::shared_ptr<const std::string> target_content;  // null until the profile was told
    RolloutConfig policy;                               // of the stable revision
    bool counts_vary = false;                           // the source gives what is new since the last run
    bool running() const { return stored.rollout().state() == v1::ROLLOUT_STATE_RUNNING; }
  };
  static void ReadStable(Entry& entry);
  void Touch(const Entry& entry) { unwritten_.insert(entry.profile_id); }
  void MakeStable(Entry& entry, const std::string& revision, std::shared_ptr<const std::string> content);
  void Begin(const ProfileEntry& profile, Entry& entry, absl::Time now);
  void End(Entry& entry, v1::RolloutState state, absl::string_view reason, absl::string_view message, absl::Time now);
  bool JudgeEnd(Entry& entry, const v1::Run& run, const v1::RunEnd& end, absl::Time now);
  void TakeGoodRun(Entry& entry, const RunStats& stats, absl::Time now);

  std::map<std::string, Entry, std::less<>> entries_;
  std::set<std::string> unwritten_;
  std::set<std::string> deleted_;
};

}  // namespace chartly::coordinator

#endif  // CHARTLY_CONTROL_COORDINATOR_ROLLOUT_TABLE_H_
