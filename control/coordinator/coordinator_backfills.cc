#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/clock/proto_time.h"
#include "common/profile/partition.h"
#include "common/status/status.h"
#include "common/telemetry/log.h"
#include "common/telemetry/metrics.h"
#include "control/coordinator/coordinator.h"
#include "control/coordinator/partition_cut.h"

namespace chartly::coordinator {
namespace {

absl::Status NotPartitioned(absl::string_view profile_id) {
  return Error(absl::StatusCode::kFailedPrecondition, "PROFILE_NOT_PARTITIONED",
               absl::StrCat("the source of profile ", profile_id,
                            " has no place for a part of time; write {partition.start} and {partition.end} where it "
                            "asks, and source.partition"),
               {{"profile_id", profile_id}});
}

absl::Status CheckTimes(const v1::CreateBackfillRequest& request) {
  if (request.has_start_time() && request.has_end_time()) return absl::OkStatus();
  return Error(absl::StatusCode::kInvalidArgument, "BACKFILL_INVALID", "start_time and end_time must be given");
}

// A part that is shorter than what the source is told would be fetched several times.
absl::Status CheckStep(const PartitionConfig& config, v1::BackfillStep step) {
  if (ShortestOf(step) >= ShortestPart(config)) return absl::OkStatus();
  return Error(absl::StatusCode::kInvalidArgument, "BACKFILL_INVALID",
               absl::StrCat("the step is shorter than what source.partition.format, ", config.format,
                            ", can tell apart; take a longer step, or another format"));
}

std::string BudgetText(const RequestRate& budget) {
  const char* period = budget.period == absl::Seconds(1) ? "s" : budget.period == absl::Minutes(1) ? "m" : "h";
  return absl::StrCat(budget.requests, "/", period);
}

// Whether another run of the partition may go well.
bool MayHeal(const v1::Run& run) {
  if (run.status() == v1::RUN_STATUS_PARTIAL) return run.error_reason() == "BALANCE_OPEN";
  return run.status() == v1::RUN_STATUS_FAILED && IsRetryable(run.error_reason());
}

}  // namespace

absl::StatusOr<v1::Backfill> Coordinator::CreateBackfill(const std::string& profile_id,
                                                         const v1::CreateBackfillRequest& request,
                                                         const std::string& creator) {
  RETURN_IF_ERROR(CheckTimes(request));
  absl::MutexLock lock(&mu_);
  const ProfileEntry* profile = profiles_.Find(profile_id);
  if (profile == nullptr) {
    return Error(absl::StatusCode::kNotFound, "PROFILE_NOT_FOUND", absl::StrCat("there is no profile ", profile_id),
                 {{"profile_id", profile_id}});
  }
  if (!profile->partition) return NotPartitioned(profile_id);
  RETURN_IF_ERROR(CheckStep(*profile->partition, request.step()));
  v1::Backfill wanted;
  do {
    wanted.set_backfill_id(NewRunId());
  } while (backfills_.Get(wanted.backfill_id()).ok());
  wanted.set_profile_id(profile_id);
  *wanted.mutable_range()->mutable_start_time() = request.start_time();
  *wanted.mutable_range()->mutable_end_time() = request.end_time();
  wanted.set_step(request.step());
  wanted.set_at_most(request.at_most());
  wanted.set_creator(creator);
  *wanted.mutable_create_time() = ToTimestamp(clock_.Now());
  ASSIGN_OR_RETURN(v1::Backfill backfill, backfills_.Create(std::move(wanted)));
  if (absl::Status written = Flush(); !written.ok()) {
    backfills_.Forget(backfill.backfill_id());
    return written;
  }
  LogInfo("backfill begun", {{"backfill", backfill.backfill_id()},
                             {"profile", profile_id},
                             {"partitions", absl::StrCat(backfill.partitions())}});
  return backfill;
}

absl::StatusOr<v1::Backfill> Coordinator::GetBackfill(absl::string_view id) const {
  absl::MutexLock lock(&mu_);
  return backfills_.Get(id);
}

absl::Status Coordinator::CheckBackfill(absl::string_view id, const rpc::ProjectScope& projects) const {
  absl::MutexLock lock(&mu_);
  return backfills_.Check(id, projects);
}

std::vector<v1::Backfill> Coordinator::ListBackfills(absl::string_view before, size_t limit,
                                                     absl::string_view profile_id,
                                                     const rpc::ProjectScope& projects) const {
  absl::MutexLock lock(&mu_);
  return backfills_.List(before, limit, profile_id, projects);
}

absl::StatusOr<std::vector<v1::Partition>> Coordinator::ListPartitions(absl::string_view id, size_t from, size_t limit,
                                                                       v1::PartitionState state) const {
  absl::MutexLock lock(&mu_);
  return backfills_.Partitions(id, from, limit, state);
}

absl::StatusOr<v1::Backfill> Coordinator::PauseBackfill(absl::string_view id, const std::string& why) {
  absl::MutexLock lock(&mu_);
  ASSIGN_OR_RETURN(v1::Backfill backfill, backfills_.Pause(id, "", why));
  // If this cannot be written it is tried again with the next tick, as below.
  RETURN_IF_ERROR(Flush());
  return backfill;
}

absl::StatusOr<v1::Backfill> Coordinator::ResumeBackfill(absl::string_view id) {
  absl::MutexLock lock(&mu_);
  ASSIGN_OR_RETURN(v1::Backfill backfill, backfills_.Resume(id));
  RETURN_IF_ERROR(Flush());
  return backfill;
}

absl::StatusOr<v1::Backfill> Coordinator::CancelBackfill(absl::string_view id) {
  absl::MutexLock lock(&mu_);
  RETURN_IF_ERROR(backfills_.Cancel(id, "", clock_.Now()).status());
  for (const PartitionAt& at : backfills_.Running()) FollowPartition(at);
  RETURN_IF_ERROR(Flush());
  return backfills_.Get(id);
}

absl::StatusOr<v1::Backfill> Coordinator::RetryBackfill(absl::string_view id) {
  absl::MutexLock lock(&mu_);
  ASSIGN_OR_RETURN(v1::Backfill backfill, backfills_.Retry(id));
  RETURN_IF_ERROR(Flush());
  return backfill;
}

void Coordinator::EndBackfillsOf(absl::string_view profile_id) {
  for (const std::string& id : backfills_.OpenOf(profile_id)) {
    absl::Status ended = backfills_.Cancel(id, "PROFILE_DELETED", clock_.Now()).status();
    if (!ended.ok()) LogWarn("backfill not ended", {{"backfill", id}, {"error", ended.ToString()}});
  }
}

void Coordinator::TellPutOff(const ProfileEntry& profile, RunRecord& record, absl::Time until) {
  Count("chartly_retries_put_off_total", 1);
  record.run.set_error(absl::StrCat(record.run.error(), "; the next attempt waits until ",
                                    absl::FormatTime(absl::RFC3339_sec, until, absl::UTCTimeZone()),
                                    ", because retry.budget of the profile, ",
                                    BudgetText(profile.schedule.retry_budget), ", is used up"));
  runs_.Touch(record);
  Publish(record);
}

absl::Time Coordinator::RetryTimeOf(const v1::Partition& partition, RunRecord& record) {
  const ProfileEntry* profile = profiles_.Find(record.run.profile_id());
  const int most = profile == nullptr ? RetryConfig().max_attempts : profile->schedule.max_attempts;
  if (partition.attempts() >= most || !MayHeal(record.run)) return absl::InfiniteFuture();
  const absl::Time now = clock_.Now();
  if (profile == nullptr) return now + RetryDelay(RetryConfig().backoff, partition.attempts());
  const absl::Time due = now + RetryDelay(profile->schedule.backoff, partition.attempts());
  const absl::Time allowed = RetryAllowedAt(profile->schedule.retry_budget, runs_.HistoryOf(profile->id).retries, now);
  if (allowed > due) TellPutOff(*profile, record, allowed);
  return std::max(due, allowed);
}

void Coordinator::FollowPartition(const PartitionAt& at) {
  const v1::Partition partition = backfills_.At(at);
  RunRecord* record = runs_.Find(partition.run_id());
  if (record == nullptr) {
    // A row and its run are written together, so this is a state that was put together by hand.
    v1::Run unknown;
    unknown.set_run_id(partition.run_id());
    unknown.set_status(v1::RUN_STATUS_FAILED);
    unknown.set_error_reason("RUN_NOT_FOUND");
    unknown.set_error("nothing is known of the run");
    return backfills_.End(at, unknown, absl::InfiniteFuture(), clock_.Now());
  }
  const bool cancelled = backfills_.Of(at).state() == v1::BACKFILL_STATE_CANCELLED;
  if (cancelled && record->open() && !record->cancel_requested) Stop(*record, "its backfill was cancelled");
  if (!IsFinal(record->status())) return;
  const absl::Time retry_at = RetryTimeOf(partition, *record);
  backfills_.End(at, record->run, retry_at, clock_.Now());
}

void Coordinator::BeginPartition(const PartitionAt& at) {
  const v1::Backfill& backfill = backfills_.Of(at);
  if (backfill.state() != v1::BACKFILL_STATE_RUNNING) return;
  const ProfileEntry* profile = profiles_.Find(backfill.profile_id());
  // Not known yet, after a restart; or whoever paused the profile wants its source left alone.
  if (profile == nullptr || profile->schedule.paused) return;
  if (!profile->partition || !CheckStep(*profile->partition, backfill.step()).ok()) {
    absl::Status paused =
        backfills_.Pause(at.backfill_id, "PROFILE_NOT_PARTITIONED", "the profile changed, and cannot be asked for it")
            .status();
    if (!paused.ok()) LogWarn("backfill not paused", {{"backfill", at.backfill_id}, {"error", paused.ToString()}});
    return;
  }
  const v1::Partition partition = backfills_.At(at);
  // Its drone was taken as lost, and what it did arrived after all.
  const RunRecord* last = runs_.Find(partition.run_id());
  if (last != nullptr && CoversPartition(last->run)) {
    return backfills_.End(at, last->run, absl::InfiniteFuture(), clock_.Now());
  }
  if (partition.attempts() > 0) {
    const absl::Time allowed =
        RetryAllowedAt(profile->schedule.retry_budget, runs_.HistoryOf(profile->id).retries, clock_.Now());
    if (allowed > clock_.Now()) return backfills_.PutOff(at, allowed);
  }
  v1::Run of;
  of.set_backfill_id(at.backfill_id);
  *of.mutable_partition() = partition.part();
  RunRecord& record = MakeRun(*profile, kTriggerBackfill, partition.attempts() + 1, std::move(of));
  Publish(record);
  backfills_.Begin(at, record.run.run_id());
}

void Coordinator::FollowBackfills() {
  for (const PartitionAt& at : backfills_.Running()) FollowPartition(at);
  for (const PartitionAt& at : backfills_.Due(clock_.Now())) BeginPartition(at);
}

}  // namespace chartly::coordinator
