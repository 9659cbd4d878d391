#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "common/clock/proto_time.h"
#include "common/status/status.h"
#include "common/telemetry/log.h"
#include "common/telemetry/metrics.h"
#include "control/coordinator/coordinator.h"

namespace chartly::coordinator {
namespace {

// A profile that does not state its freshness promises data within so many of its intervals.
constexpr int kIntervalsOfWindow = 3;

}  // namespace

void Coordinator::Give(RunRecord& record, const DroneEntry& entry) {
  runs_.Assign(record, entry.drone.drone_id(), entry.drone.epoch());
  const ProfileEntry* profile = profiles_.Find(record.run.profile_id());
  // The revision stays that of the moment when a drone may first have heard of the run.
  if (profile == nullptr || record.ordered) return;
  const std::vector<RingDrone> holders =
      rollouts_.IsRunning(profile->id) ? HoldersOf(*profile) : std::vector<RingDrone>();
  RolloutTable::Choice choice = rollouts_.ChoiceFor(*profile, holders, entry.drone.drone_id());
  record.run.set_revision(choice.revision);
  record.content = std::move(choice.content);
}

std::vector<RingDrone> Coordinator::HoldersOf(const ProfileEntry& profile) const {
  std::vector<RingDrone> holders;
  for (const std::string& id : plan_.planner().DronesOf(profile.id)) {
    const DroneEntry* entry = drones_.Find(id);
    if (entry == nullptr) continue;
    holders.push_back({id, {entry->drone.labels().begin(), entry->drone.labels().end()}});
  }
  return holders;
}

void Coordinator::JudgeRollout(const RunRecord& record, const v1::RunEnd& end) {
  if (!rollouts_.TakeEnd(record.run, end, clock_.Now())) return;
  PublishRollout(record.run.profile_id());
}

void Coordinator::TellRollout(absl::string_view profile_id) {
  absl::StatusOr<v1::Rollout> rollout = rollouts_.Get(profile_id);
  if (!rollout.ok()) return;
  if (rollout->state() != v1::ROLLOUT_STATE_RUNNING) {
    absl::string_view state = v1::RolloutState_Name(rollout->state());
    Count("chartly_rollouts_total", 1, absl::AsciiStrToLower(absl::StripPrefix(state, "ROLLOUT_STATE_")));
  }
  LogInfo("rollout changed", {{"profile", std::string(profile_id)},
                              {"state", v1::RolloutState_Name(rollout->state())},
                              {"target", rollout->target_revision()},
                              {"ring", absl::StrCat(rollout->ring())},
                              {"reason", rollout->reason()},
                              {"message", rollout->message()}});
  events_.Append(*std::move(rollout), clock_.Now());
}

absl::StatusOr<v1::Rollout> Coordinator::GetRollout(absl::string_view profile_id) const {
  absl::MutexLock lock(&mu_);
  return rollouts_.Get(profile_id);
}

std::vector<v1::Rollout> Coordinator::ListRollouts(absl::string_view after, size_t limit,
                                                   const rpc::ProjectScope& projects) const {
  absl::MutexLock lock(&mu_);
  return rollouts_.List(after, limit, projects);
}

absl::StatusOr<v1::Rollout> Coordinator::AbortRollout(absl::string_view profile_id, const std::string& why) {
  absl::MutexLock lock(&mu_);
  ASSIGN_OR_RETURN(v1::Rollout rollout, rollouts_.Abort(profile_id, why, clock_.Now()));
  PublishRollout(profile_id);
  // If this cannot be written it is tried again with the next tick.
  RETURN_IF_ERROR(Flush());
  return rollout;
}

absl::StatusOr<v1::Rollout> Coordinator::AcceptRollout(absl::string_view profile_id) {
  absl::MutexLock lock(&mu_);
  const ProfileEntry* profile = profiles_.Find(profile_id);
  if (profile == nullptr) return rollouts_.Get(profile_id);
  ASSIGN_OR_RETURN(v1::Rollout rollout, rollouts_.Accept(*profile, clock_.Now()));
  PublishRollout(profile_id);
  RETURN_IF_ERROR(Flush());
  return rollout;
}

absl::Duration Coordinator::WindowOf(const ProfileEntry& profile) const {
  if (profile.freshness > absl::ZeroDuration()) return profile.freshness;
  absl::Duration interval = profile.schedule.interval;
  if (profile.schedule.cron != nullptr) {
    const absl::Time next = profile.schedule.cron->Next(clock_.Now());
    interval = profile.schedule.cron->Next(next) - next;
  }
  return kIntervalsOfWindow * interval + profile.schedule.jitter;
}

void Coordinator::SetHealth(const ProfileEntry& profile, v1::ProfileStatus& status) const {
  HealthFacts facts;
  facts.scheduled = profile.schedule.enabled && !profile.schedule.paused;
  facts.window = WindowOf(profile);
  facts.since = profile.schedule.since;
  if (status.has_last_success()) facts.last_data = FromTimestamp(status.last_success().finished_at());
  // What is broken stays so until a run has shown that it is not: one that is under way has shown nothing yet.
  const RunRecord* const newest_final = runs_.NewestFinalOf(profile.id);
  const v1::Run& over = newest_final == nullptr ? v1::Run::default_instance() : newest_final->run;
  if (over.status() == v1::RUN_STATUS_PARTIAL) facts.last_data = FromTimestamp(over.finished_at());
  facts.failed = over.status() == v1::RUN_STATUS_FAILED;
  facts.error_reason = over.error_reason();
  facts.error = over.error();
  const v1::Run& last = status.last_run();
  if (last.status() == v1::RUN_STATUS_SCHEDULED && last.drone_id().empty()) {
    facts.unplaced = FromTimestamp(last.create_time());
  }
  if (const DroneEntry* drone = drones_.Find(over.drone_id())) {
    facts.clock_skew = absl::Milliseconds(drone->drone.clock_skew_ms());
  }
  HealthVerdict verdict = JudgeHealth(facts, clock_.Now());
  status.set_health(verdict.health);
  status.set_cause(verdict.cause);
  status.set_detail(verdict.detail);
  if (facts.last_data) *status.mutable_last_data_time() = ToTimestamp(*facts.last_data);
}

}  // namespace chartly::coordinator
