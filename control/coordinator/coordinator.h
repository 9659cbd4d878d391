// Knows the drones, gives them work, and follows every run to its end.
//
// State lives in memory under one mutex and in the state store; what a caller was told is durable before it is told,
// what the tick decides is durable before a drone is ordered to do it and before those who watch hear of it. The state
// of a run that ended is never asked of the drone: the ledger of the aggregator has the last word. Thread-safe; store,
// clock and events must outlive it.
#ifndef CHARTLY_CONTROL_COORDINATOR_COORDINATOR_H_
#define CHARTLY_CONTROL_COORDINATOR_COORDINATOR_H_

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/random/random.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "chartly/v1/aggregator.pb.h"
#include "chartly/v1/coordinator.pb.h"
#include "chartly/v1/registry.pb.h"
#include "common/clock/clock.h"
#include "common/rpc/project_scope.h"
#include "common/state/state_store.h"
#include "control/coordinator/assignment.h"
#include "control/coordinator/backfill_table.h"
#include "control/coordinator/capture_table.h"
#include "control/coordinator/drone_table.h"
#include "control/coordinator/due_queue.h"
#include "control/coordinator/event_log.h"
#include "control/coordinator/fleet_plan.h"
#include "control/coordinator/profile_health.h"
#include "control/coordinator/profile_table.h"
#include "control/coordinator/quota_table.h"
#include "control/coordinator/rollout_table.h"
#include "control/coordinator/run_table.h"
#include "control/coordinator/shadow_table.h"
#include "control/coordinator/webhook_inbox.h"

namespace chartly::coordinator {

struct CoordinatorOptions {
  absl::Duration heartbeat_interval = absl::Seconds(1);
  absl::Duration lease_min = absl::Seconds(6);    // the lease is this or three intervals, whichever is longer
  absl::Duration lost_grace = absl::Seconds(60);  // for the spool of a drone that registered anew
  absl::Duration late_end = absl::Hours(1);       // how long the end of a lost run is still asked for
  size_t runs_max = 10'000;
  size_t drones_max = 200'000;
  size_t open_runs_of_profile_max = 100;
  WebhookInboxOptions webhooks;
  // A clock that does not jump, for leases and quotas; null: the coordinator's.
  Clock* steady = nullptr;
};

// Is told of drones for which there is something to do, to stop, or to know.
class DroneListener {
 public:
  virtual ~DroneListener() = default;
  // Called while the coordinator is locked: must not wait, and must not ask the coordinator.
  virtual void OnNews(const std::vector<std::string>& drone_ids) = 0;
};

// What came of one beat.
struct HeardBeat {
  absl::Status status;                      // NotFound (DRONE_UNKNOWN), FailedPrecondition (EPOCH_FENCED)
  std::vector<std::string> cancel_run_ids;  // of those that it told of, the ones that are not its own to do
  std::optional<v1::QuotaAnswer> quota;     // if it told what its runs need
};

class Coordinator {
 public:
  Coordinator(const CoordinatorOptions& options, StateStore& store, Clock& clock, EventLog& events);
  // Reads the state. Requires: called once, first.
  absl::Status Load();

  // Drones (coordinator_drones.cc). ResourceExhausted (DRONES_TOO_MANY) past drones_max.
  absl::StatusOr<v1::Drone> RegisterDrone(const v1::RegisterDroneRequest& request);
  // The same for many, in their order and with one synced write for all whose ids differ.
  std::vector<absl::StatusOr<v1::Drone>> RegisterDrones(const std::vector<const v1::RegisterDroneRequest*>& requests);
  // NotFound (DRONE_UNKNOWN): it must register. FailedPrecondition (EPOCH_FENCED): a newer one has its id.
  absl::StatusOr<v1::HeartbeatResponse> Heartbeat(const v1::HeartbeatRequest& request);
  // The two halves of that, for many: takes beats in their order, with one synced write for what they tell of runs; and
  // says what drones are to do and to stop now, by drone and epoch (0: the current one).
  std::vector<HeardBeat> HearBeats(const std::vector<const v1::HeartbeatRequest*>& beats);
  using DroneEpoch = std::pair<std::string, int64_t>;
  std::vector<absl::StatusOr<v1::HeartbeatResponse>> OrdersFor(const std::vector<DroneEpoch>& drones);
  // Tells of drones from now on. Requires: before Load; the listener must outlive the coordinator's use.
  void Listen(DroneListener& listener) { listener_ = &listener; }
  // Drones with an id > `after`, in order.
  std::vector<v1::Drone> ListDrones(absl::string_view after, size_t limit) const;
  absl::StatusOr<v1::Drone> GetDrone(absl::string_view drone_id) const;
  v1::DroneStats DroneStats() const;
  absl::StatusOr<v1::ListDroneWorkResponse> DroneWork(absl::string_view drone_id) const;
  absl::StatusOr<v1::Drone> DrainDrone(absl::string_view drone_id);
  // What would change for active drones (coordinator_preview.cc). Changes nothing.
  v1::PreviewAssignmentsResponse PreviewAssignments(const v1::PreviewAssignmentsRequest& request) const;

  // Runs (coordinator_runs.cc). NotFound (PROFILE_NOT_FOUND), ResourceExhausted (RUNS_TOO_MANY_OPEN).
  absl::StatusOr<v1::Run> ScheduleRun(const std::string& profile_id, const std::string& trigger);
  // Keeps a run that was done elsewhere; the same id again replaces it. AlreadyExists (RUN_EXISTS) if the id is ours.
  absl::StatusOr<v1::Run> RecordRun(const v1::CreateRunRequest& request);
  absl::StatusOr<v1::Run> GetRun(absl::string_view run_id);
  // OK if it is of a profile of these projects; else NotFound (RUN_NOT_FOUND).
  absl::Status CheckRun(absl::string_view run_id, const rpc::ProjectScope& projects);
  // A page of profiles of these projects; `next` is the sequence to go on before, 0 at the end.
  std::vector<v1::Run> ListRuns(int64_t before, size_t limit, absl::string_view profile_id, absl::string_view drone_id,
                                int64_t& next, const rpc::ProjectScope& projects = {}) const;
  // FailedPrecondition (RUN_FINAL) if it has ended.
  absl::StatusOr<v1::Run> CancelRun(absl::string_view run_id);
  absl::StatusOr<v1::ProfileStatus> GetProfileStatus(absl::string_view profile_id) const;

  // Rollouts (coordinator_rollouts.cc), as RolloutTable gives them.
  absl::StatusOr<v1::Rollout> GetRollout(absl::string_view profile_id) const;
  std::vector<v1::Rollout> ListRollouts(absl::string_view after, size_t limit,
                                        const rpc::ProjectScope& projects = {}) const;
  absl::StatusOr<v1::Rollout> AbortRollout(absl::string_view profile_id, const std::string& why);
  absl::StatusOr<v1::Rollout> AcceptRollout(absl::string_view profile_id);

  // Shadows (coordinator_shadows.cc), as ShadowTable gives them; NotFound (PROFILE_NOT_FOUND), too.
  absl::StatusOr<v1::Shadow> AskForShadow(const std::string& profile_id, const v1::ShadowProfileRequest& request);
  absl::StatusOr<v1::Shadow> GetShadow(absl::string_view profile_id) const;

  // Backfills (coordinator_backfills.cc), as BackfillTable gives them; NotFound (PROFILE_NOT_FOUND), FailedPrecondition
  // (PROFILE_NOT_PARTITIONED) and InvalidArgument (BACKFILL_INVALID), too.
  absl::StatusOr<v1::Backfill> CreateBackfill(const std::string& profile_id, const v1::CreateBackfillRequest& request,
                                              const std::string& creator);
  absl::StatusOr<v1::Backfill> GetBackfill(absl::string_view id) const;
  absl::Status CheckBackfill(absl::string_view id, const rpc::ProjectScope& projects) const;
  std::vector<v1::Backfill> ListBackfills(absl::string_view before, size_t limit, absl::string_view profile_id,
                                          const rpc::ProjectScope& projects = {}) const;
  absl::StatusOr<std::vector<v1::Partition>> ListPartitions(absl::string_view id, size_t from, size_t limit,
                                                            v1::PartitionState state) const;
  absl::StatusOr<v1::Backfill> PauseBackfill(absl::string_view id, const std::string& why);
  absl::StatusOr<v1::Backfill> ResumeBackfill(absl::string_view id);
  absl::StatusOr<v1::Backfill> CancelBackfill(absl::string_view id);
  absl::StatusOr<v1::Backfill> RetryBackfill(absl::string_view id);

  // Captures (coordinator_captures.cc). ReplayProfile makes a run on each drone that keeps payloads of the profile.
  // NotFound (PROFILE_NOT_FOUND); FailedPrecondition: CAPTURE_NOT_FOUND, CAPTURE_UNREACHABLE, REPLAY_RUNNING.
  absl::StatusOr<v1::ReplayProfileResponse> ReplayProfile(const std::string& profile_id,
                                                          const v1::ReplayProfileRequest& request,
                                                          const std::string& trigger);
  // As CaptureTable lists them.
  std::vector<v1::Capture> ListCaptures(absl::string_view after, size_t limit, absl::string_view profile_id,
                                        const rpc::ProjectScope& projects = {}) const;

  // Quotas of sources with a name after `after`, in order (coordinator_quotas.cc).
  std::vector<v1::SourceQuota> ListQuotas(absl::string_view after, size_t limit) const;

  // Webhooks (coordinator_webhooks.cc). NotFound (WEBHOOK_NOT_FOUND) if there is no such profile, or its source is
  // none.
  absl::StatusOr<WebhookConfig> FindWebhook(absl::string_view profile_id) const;
  // What it says of a profile without one.
  static absl::Status NoWebhook(absl::string_view profile_id);
  // Takes a delivery that was checked; a run of its profile follows. As WebhookInbox::Take.
  absl::StatusOr<bool> TakeDelivery(const std::string& profile_id, const v1::WebhookDelivery& delivery,
                                    absl::Duration remember) {
    return inbox_.Take(profile_id, delivery, remember);
  }

  // What the registry tells.
  void SetProfile(const v1::Profile& profile);
  void RemoveProfile(absl::string_view profile_id);
  void RetainProfiles(const std::set<std::string>& ids);

  // What the aggregator tells: the runs to ask for now, and what it answered. A run is asked for when its drone told
  // something new of it, and else once a second; more often for a moment when its end must be on the way, and every
  // five seconds when it is final without one.
  std::vector<std::string> RunsAwaitingLedger();
  void TakeLedger(const v1::RunLedger& ledger) { TakeLedgers({ledger}); }
  void TakeLedgers(const std::vector<v1::RunLedger>& ledgers);

  // One step of the schedule: leases, lost runs, due runs, placement, history; then writes what changed.
  absl::Status Tick();

 private:
  absl::Duration Lease() const;
  // Sets state, last_seen and interval of the answer.
  v1::Drone DescribeDrone(const DroneEntry& entry) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  bool IsActive(const DroneEntry* entry) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // Whether it is active and has the labels that a profile asks for.
  bool MayDo(const DroneEntry* entry, const PlacementConfig& placement) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  int FreePlaces(const DroneEntry& entry) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // The same for one run: a backfill leaves a place of each drone to the schedule.
  int PlacesFor(const RunRecord& record, const DroneEntry& entry) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // Drones that may take the profile, whoever the plan says, with the places that they have.
  std::vector<DroneSlot> SlotsFor(const PlacementConfig& placement) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // After its state became another one: the plan and who watches hear of it.
  void SetState(DroneEntry& entry, v1::DroneState state) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // Those who watch hear of it with the next flush.
  void Publish(const RunRecord& record) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) { told_runs_.insert(record.sequence); }
  // After a run became final: writes, counts, and tells of it.
  void Finish(RunRecord& record) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void Publish(DroneEntry& entry) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  std::string NewRunId() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // `of` says what the run is of, if it goes beside the schedule: its backfill, or its replay.
  RunRecord& MakeRun(const ProfileEntry& profile, const std::string& trigger, int attempt, v1::Run of = {})
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  absl::Status CheckNoReplay(absl::string_view profile_id) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // Gives a run to a drone, in the revision that the drone is to do.
  void Give(RunRecord& record, const DroneEntry& entry) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  std::vector<RingDrone> HoldersOf(const ProfileEntry& profile) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // After the end of a run arrived: the rollout of its profile goes on, or back.
  void JudgeRollout(const RunRecord& record, const v1::RunEnd& end) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void PublishRollout(absl::string_view profile_id) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    told_rollouts_.insert(std::string(profile_id));
  }
  void TellRollout(absl::string_view profile_id) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  absl::Duration WindowOf(const ProfileEntry& profile) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // Sets what the status of a profile says of its data.
  void SetHealth(const ProfileEntry& profile, v1::ProfileStatus& status) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // Gives a run to a drone that holds its profile; if none of these has a place, to any that may take it.
  bool Place(RunRecord& record) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // The drones that have open runs of a run's profile, or did one for the same time of its schedule.
  std::set<std::string> WorkersBeside(const RunRecord& record) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  bool PlaceWithHolder(RunRecord& record) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  bool PlaceElsewhere(RunRecord& record) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // The drone that the next run goes to, as far as is known; empty if none can take it.
  std::string NextDroneOf(const ProfileEntry& profile) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // Writes what changed, then tells of it: those who watch, and whom the drones hear it from.
  absl::Status Flush() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // The same for changes that the next step writes if this could not.
  void FlushOrWarn() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void TellNews(const RunTable::Sequences& written) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void TakeOneLedger(const v1::RunLedger& ledger) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // Whether the ledger is to be asked for a run now; not again before its next pause is over.
  static bool TakeLedgerTurn(RunRecord& record, absl::Duration first, absl::Duration most, absl::Time steady);
  // Whether the end of a final run may still be asked for.
  bool MayStillEnd(RunRecord& record) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // When it runs next: by its schedule, or for the deliveries that wait.
  std::optional<NextRun> NextOf(const ProfileEntry& profile, const ProfileHistory& history, absl::Time now) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  std::vector<int64_t> WaitingDeliveries(const ProfileEntry& profile) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // Adds what the run was given and still waits.
  absl::Status AddDeliveries(const RunRecord& record, v1::RunOrder& order) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // After the end of a run arrived: lets go of its deliveries if all is well, in the transaction that writes the run.
  void SettleDeliveries(RunRecord& record, const v1::RunEnd& end) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void CancelScheduled(const std::set<std::string>& profile_ids) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  // Heartbeat
  absl::StatusOr<DroneEntry*> Admit(absl::string_view drone_id, int64_t epoch) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  HeardBeat Hear(const v1::HeartbeatRequest& request) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void TakeProgress(const DroneEntry& entry, const v1::RunProgress& progress, std::vector<std::string>& cancels)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // Registers those from `first` on whose ids differ, and says how many these were.
  size_t RegisterGroup(const std::vector<const v1::RegisterDroneRequest*>& requests, size_t first,
                       std::vector<absl::StatusOr<v1::Drone>>& results) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  absl::Status CheckNewcomer(const v1::RegisterDroneRequest& request, size_t newcomers) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  v1::Drone TakeUp(DroneEntry entry) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // Who does a profile by a plan, also one that runs by hand only.
  std::vector<std::string> DoersOf(const ProfileEntry& profile, const Planner& planner) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void AddSignatures(const RunRecord& record, v1::RunOrder& order) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void AddOrders(const DroneEntry& entry, v1::HeartbeatResponse& answer) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void AddCancellations(const DroneEntry& entry, v1::HeartbeatResponse& answer) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // What a drone tells of texts that its runs tried.
  void TakeShadows(const v1::HeartbeatRequest& request) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // Runs that ended without a word of what they were to try.
  void FollowShadows() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void AddTurns(const v1::HeartbeatRequest& request, HeardBeat& heard) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  // Tick
  // One step of everything that goes by time; what it decides is on disk when it returns OK.
  absl::Status Step() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void SetGauges() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void UpdateDrones() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void FollowRun(RunRecord& record) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void FollowScheduled(RunRecord& record) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void Replace(RunRecord& record) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  bool StillWorksOn(const DroneEntry& drone, const RunRecord& record) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void FollowRunning(RunRecord& record) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // Reckons anew when profiles are due whose runs, schedule or deliveries changed.
  void UpdateDueTimes() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // Makes the runs of a time of the schedule that are not made yet: one for each drone that holds a redundant profile.
  void MakeCopies(const ProfileEntry& profile, absl::Time slot) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  RunRecord& MakeCopy(const ProfileEntry& profile, absl::Time slot) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // Drones that came to hold a redundant profile while its runs go on do theirs, too.
  void JoinHolders() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void UpdateDueTime(const std::string& profile_id) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void MakeScheduledRuns(const ProfileEntry& profile, const NextRun& next) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void MakeDueRuns() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void PlaceWaitingRuns() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  // Backfills
  void FollowBackfills() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void FollowPartition(const PartitionAt& at) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void BeginPartition(const PartitionAt& at) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // When a partition whose run ended runs again; never if it does not.
  absl::Time RetryTimeOf(const v1::Partition& partition, RunRecord& record) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void EndBackfillsOf(absl::string_view profile_id) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // Says in a failed run that what follows it waits for the budget of its profile.
  void TellPutOff(const ProfileEntry& profile, RunRecord& record, absl::Time until) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // Asks an open run to stop; one that waits is cancelled.
  void Stop(RunRecord& record, const char* why) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  const CoordinatorOptions options_;
  StateStore& store_;
  Clock& clock_;
  Clock& steady_;
  const int64_t steady_epoch_;
  EventLog& events_;
  WebhookInbox inbox_;
  mutable absl::Mutex mu_;
  DroneTable drones_ ABSL_GUARDED_BY(mu_);
  RunTable runs_ ABSL_GUARDED_BY(mu_);
  ProfileTable profiles_ ABSL_GUARDED_BY(mu_);
  FleetPlan plan_ ABSL_GUARDED_BY(mu_);
  RolloutTable rollouts_ ABSL_GUARDED_BY(mu_);
  QuotaTable quotas_ ABSL_GUARDED_BY(mu_);
  ShadowTable shadows_ ABSL_GUARDED_BY(mu_);
  BackfillTable backfills_ ABSL_GUARDED_BY(mu_);
  CaptureTable captures_ ABSL_GUARDED_BY(mu_);
  DueQueue due_runs_ ABSL_GUARDED_BY(mu_);                  // profiles, by when they are due
  DueQueue lease_ends_ ABSL_GUARDED_BY(mu_);                // drones, by when to look whether they were heard
  std::set<std::string> rescheduled_ ABSL_GUARDED_BY(mu_);  // profiles whose due time is to be reckoned anew
  RunTable::Sequences told_runs_ ABSL_GUARDED_BY(mu_);      // to be told of with the next flush
  std::set<std::string> told_rollouts_ ABSL_GUARDED_BY(mu_);
  DroneListener* listener_ = nullptr;  // set before there are threads
  absl::Time last_step_ ABSL_GUARDED_BY(mu_) = absl::InfinitePast();
  absl::Time gauges_set_ ABSL_GUARDED_BY(mu_) = absl::InfinitePast();
  absl::BitGen random_ ABSL_GUARDED_BY(mu_);
};

}  // namespace chartly::coordinator

#endif  // CHARTLY_CONTROL_COORDINATOR_COORDINATOR_H_
