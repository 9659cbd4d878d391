#include <algorithm>
#include <limits>
#include <optional>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "common/clock/proto_time.h"
#include "common/status/status.h"
#include "control/coordinator/coordinator.h"
#include "control/coordinator/run_outcome.h"

namespace chartly::coordinator {
namespace {

constexpr size_t kMaxForeignIdBytes = 128;

absl::Status RunUnknown(absl::string_view run_id) {
  return Error(absl::StatusCode::kNotFound, "RUN_NOT_FOUND", absl::StrCat("there is no run ", run_id),
               {{"run_id", run_id}});
}

absl::Status ProfileUnknown(absl::string_view profile_id) {
  return Error(absl::StatusCode::kNotFound, "PROFILE_NOT_FOUND", absl::StrCat("there is no profile ", profile_id),
               {{"profile_id", profile_id}});
}

// Ids of runs done elsewhere are whatever made them, as long as they fit a name.
bool IsForeignId(absl::string_view id) {
  return !id.empty() && id.size() <= kMaxForeignIdBytes && std::all_of(id.begin(), id.end(), [](char c) {
    return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '.' || c == '_' || c == '-' || c == ':';
  });
}

absl::Status CheckRecord(const v1::CreateRunRequest& request) {
  if (request.profile_id().empty()) {
    return Error(absl::StatusCode::kInvalidArgument, "RUN_INVALID", "profile_id is empty; name the profile of the run");
  }
  if (!request.run_id().empty() && !IsForeignId(request.run_id())) {
    return Error(absl::StatusCode::kInvalidArgument, "RUN_INVALID",
                 absl::StrCat("run_id must be 1 to ", kMaxForeignIdBytes, " letters, digits and . _ - :"));
  }
  if (!v1::RunStatus_IsValid(request.status()) || request.rows_out() < 0 || request.duration_ms() < 0) {
    return Error(absl::StatusCode::kInvalidArgument, "RUN_INVALID",
                 "status must be one of RunStatus; rows_out and duration_ms must not be negative");
  }
  return absl::OkStatus();
}

v1::Run ForeignRun(const v1::CreateRunRequest& request, absl::Time now) {
  v1::Run run;
  run.set_run_id(request.run_id());
  run.set_name(absl::StrCat("runs/", request.run_id()));
  run.set_profile_id(request.profile_id());
  run.set_drone_id(request.drone_id());
  run.set_status(request.status());
  *run.mutable_create_time() = ToTimestamp(now);
  if (request.has_started_at()) *run.mutable_started_at() = request.started_at();
  if (request.has_finished_at()) *run.mutable_finished_at() = request.finished_at();
  run.set_rows_out(request.rows_out());
  run.set_duration_ms(request.duration_ms());
  if (request.has_started_at() && request.has_finished_at()) {
    absl::Duration took = FromTimestamp(request.finished_at()) - FromTimestamp(request.started_at());
    run.set_duration_ms(std::max<int64_t>(0, absl::ToInt64Milliseconds(took)));
  }
  run.set_error(request.error());
  run.set_trigger(kTriggerExternal);
  run.set_attempt(1);
  return run;
}

}  // namespace

absl::StatusOr<v1::Run> Coordinator::ScheduleRun(const std::string& profile_id, const std::string& trigger) {
  absl::MutexLock lock(&mu_);
  const ProfileEntry* profile = profiles_.Find(profile_id);
  if (profile == nullptr) return ProfileUnknown(profile_id);
  if (runs_.OpenOwn(profile_id) >= options_.open_runs_of_profile_max) {
    return Error(absl::StatusCode::kResourceExhausted, "RUNS_TOO_MANY_OPEN",
                 absl::StrCat("profile ", profile_id, " has ", options_.open_runs_of_profile_max,
                              " runs that have not ended; wait for them or cancel some"));
  }
  RunRecord& record = MakeRun(*profile, trigger, 1);
  Place(record);
  Publish(record);
  if (absl::Status status = Flush(); !status.ok()) {
    runs_.Remove(record);
    return status;
  }
  return Describe(record);
}

absl::StatusOr<v1::Run> Coordinator::RecordRun(const v1::CreateRunRequest& request) {
  RETURN_IF_ERROR(CheckRecord(request));
  absl::MutexLock lock(&mu_);
  v1::Run run = ForeignRun(request, clock_.Now());
  if (run.run_id().empty()) {
    run.set_run_id(NewRunId());
    run.set_name(absl::StrCat("runs/", run.run_id()));
  }
  RunRecord* held = runs_.Find(run.run_id());
  if (held != nullptr && (!held->external() || held->run.profile_id() != run.profile_id())) {
    return Error(absl::StatusCode::kAlreadyExists, "RUN_EXISTS",
                 absl::StrCat("run ", run.run_id(), " exists and is not the one posted"), {{"run_id", run.run_id()}});
  }
  bool added = held == nullptr;
  v1::Run before;
  if (added) {
    held = &runs_.Add(std::move(run));
  } else {
    *run.mutable_create_time() = held->run.create_time();
    before = std::exchange(held->run, std::move(run));
    runs_.Touch(*held);
  }
  Publish(*held);
  if (absl::Status status = Flush(); !status.ok()) {
    if (added) {
      runs_.Remove(*held);
    } else {
      held->run = std::move(before);
    }
    return status;
  }
  return Describe(*held);
}

absl::StatusOr<v1::Run> Coordinator::GetRun(absl::string_view run_id) {
  absl::MutexLock lock(&mu_);
  const RunRecord* record = runs_.Find(run_id);
  if (record == nullptr) return RunUnknown(run_id);
  return Describe(*record);
}

absl::Status Coordinator::CheckRun(absl::string_view run_id, const rpc::ProjectScope& projects) {
  absl::MutexLock lock(&mu_);
  const RunRecord* record = runs_.Find(run_id);
  const bool is_there = record != nullptr && projects.Includes(record->run.profile_id());
  return is_there ? absl::OkStatus() : RunUnknown(run_id);
}

std::vector<v1::Run> Coordinator::ListRuns(int64_t before, size_t limit, absl::string_view profile_id,
                                           absl::string_view drone_id, int64_t& next,
                                           const rpc::ProjectScope& projects) const {
  absl::MutexLock lock(&mu_);
  // One more than asked for tells whether there is a next page.
  std::vector<const RunRecord*> found = runs_.List(before, limit + 1, profile_id, drone_id, projects);
  next = 0;
  if (found.size() > limit) {
    found.pop_back();
    next = found.back()->sequence;
  }
  std::vector<v1::Run> runs;
  for (const RunRecord* record : found) runs.push_back(Describe(*record));
  return runs;
}

absl::StatusOr<v1::Run> Coordinator::CancelRun(absl::string_view run_id) {
  absl::MutexLock lock(&mu_);
  RunRecord* record = runs_.Find(run_id);
  if (record == nullptr) return RunUnknown(run_id);
  if (!record->open()) {
    return Error(absl::StatusCode::kFailedPrecondition, "RUN_FINAL",
                 absl::StrCat("run ", run_id, " has ended; there is nothing to cancel"), {{"run_id", run_id}});
  }
  Stop(*record, "cancelled before it began");
  // If this cannot be written it is tried again with the next tick; the run is being stopped either way.
  RETURN_IF_ERROR(Flush());
  return Describe(*record);
}

void Coordinator::Stop(RunRecord& record, const char* why) {
  record.cancel_requested = true;
  if (record.status() == v1::RUN_STATUS_SCHEDULED) {
    EndWithoutLedger(record, v1::RUN_STATUS_CANCELLED, "", why, clock_.Now());
    return Finish(record);
  }
  runs_.Touch(record);
  Publish(record);
}

absl::StatusOr<v1::ProfileStatus> Coordinator::GetProfileStatus(absl::string_view profile_id) const {
  absl::MutexLock lock(&mu_);
  const ProfileEntry* profile = profiles_.Find(profile_id);
  const RunRecord* newest = runs_.NewestOf(profile_id);
  if (profile == nullptr && newest == nullptr) return ProfileUnknown(profile_id);
  v1::ProfileStatus status;
  status.set_profile_id(std::string(profile_id));
  if (newest != nullptr) *status.mutable_last_run() = Describe(*newest);
  if (const RunRecord* success = runs_.NewestSuccessOf(profile_id)) *status.mutable_last_success() = Describe(*success);
  if (profile == nullptr) return status;
  ProfileHistory history = runs_.HistoryOf(profile_id);
  bool open = std::exchange(history.open, false);
  // While a run is open the next one is that of the schedule, not earlier than now.
  if (open) history.failure.reset();
  if (std::optional<NextRun> next = NextOf(*profile, history, clock_.Now())) {
    *status.mutable_next_run_time() = ToTimestamp(std::max(next->due, clock_.Now()));
  }
  status.set_drone_id(NextDroneOf(*profile));
  SetHealth(*profile, status);
  if (absl::StatusOr<v1::Rollout> rollout = rollouts_.Get(profile_id); rollout.ok()) {
    *status.mutable_rollout() = *std::move(rollout);
  }
  if (const v1::Shadow* shadow = shadows_.Find(profile_id)) *status.mutable_shadow() = WithoutExamples(*shadow);
  return status;
}

}  // namespace chartly::coordinator
