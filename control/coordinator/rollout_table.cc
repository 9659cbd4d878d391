#include "control/coordinator/rollout_table.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "common/clock/proto_time.h"
#include "common/profile/profile_parser.h"
#include "common/status/status.h"

namespace chartly::coordinator {
namespace {

constexpr int kBaselineRuns = 5;
// So many runs of a target may fail for what may be no fault of it.
constexpr int kMaxExcused = 2;

bool IsOutside(absl::string_view reason) {
  for (absl::string_view prefix : {"EGRESS_", "CONSENT_", "SECRET_"}) {
    if (absl::StartsWith(reason, prefix)) return true;
  }
  return reason == "SOURCE_UNREACHABLE" || reason == "SOURCE_TIMEOUT" || reason == "SOURCE_THROTTLED" ||
         reason == "SOURCE_CIRCUIT_OPEN" || reason == "SOURCE_TRUNCATED";
}

// Says nothing of the revision that it did.
bool SaysNothing(const v1::Run& run, const v1::RunEnd& end) {
  return run.status() == v1::RUN_STATUS_CANCELLED || end.unmodified() ||
         absl::StartsWith(run.error_reason(), "DRONE_") || absl::StartsWith(run.error_reason(), "SPOOL_");
}

bool IsGood(const v1::Run& run) {
  return run.status() == v1::RUN_STATUS_SUCCEEDED ||
         (run.status() == v1::RUN_STATUS_PARTIAL && run.error_reason() != "EXPECTATION_FAILED");
}

void Keep(google::protobuf::RepeatedPtrField<RunStats>& runs, const RunStats& stats) {
  *runs.Add() = stats;
  if (runs.size() > kBaselineRuns) runs.DeleteSubrange(0, runs.size() - kBaselineRuns);
}

bool HasLabels(const RingDrone& drone, const std::map<std::string, std::string>& wanted) {
  return std::all_of(wanted.begin(), wanted.end(), [&](const auto& label) {
    auto it = drone.labels.find(label.first);
    return it != drone.labels.end() && it->second == label.second;
  });
}

// Whether a ring takes in the drone. One that would take in nobody takes the first.
bool TakesIn(const RolloutRing& ring, const std::vector<RingDrone>& holders, absl::string_view drone_id) {
  auto count = static_cast<size_t>(std::ceil(ring.share * static_cast<double>(holders.size())));
  std::vector<std::string> taken;
  for (const RingDrone& drone : holders) {
    const bool in = ring.labels.empty() ? taken.size() < std::max<size_t>(1, count) : HasLabels(drone, ring.labels);
    if (in) taken.push_back(drone.id);
  }
  if (taken.empty() && !holders.empty()) taken.push_back(holders.front().id);
  return std::find(taken.begin(), taken.end(), drone_id) != taken.end();
}

absl::Status RolloutUnknown(absl::string_view profile_id) {
  return Error(absl::StatusCode::kNotFound, "ROLLOUT_NOT_FOUND",
               absl::StrCat("profile ", profile_id,
                            " has had no rollout; rollout.rings in its text makes one of the next revision"),
               {{"profile_id", profile_id}});
}

}  // namespace

absl::Status RolloutTable::Load(const StateStore& store) {
  ASSIGN_OR_RETURN(std::vector<StateEntry> found, store.Range(kRolloutPrefix));
  for (const StateEntry& stored : found) {
    Entry entry;
    entry.profile_id = std::string(absl::StripPrefix(stored.key, kRolloutPrefix));
    if (!entry.stored.ParseFromString(stored.value)) {
      return Error(
          absl::StatusCode::kDataLoss, "STATE_CORRUPT",
          absl::StrCat("the stored rollout ", stored.key, " cannot be read; restore the coordinator's folder"));
    }
    ReadStable(entry);
    std::string id = entry.profile_id;
    entries_[std::move(id)] = std::move(entry);
  }
  return absl::OkStatus();
}

void RolloutTable::ReadStable(Entry& entry) {
  entry.stable_content = std::make_shared<const std::string>(entry.stored.stable_content());
  ProfileParseResult parsed = ParseProfile(*entry.stable_content);
  if (!parsed.ok()) return;  // of a later version: without rings until it is replaced
  entry.policy = parsed.profile.rollout;
  entry.counts_vary =
      !parsed.profile.source.incremental.field.empty() || parsed.profile.source.type == SourceType::kWebhook;
}

void RolloutTable::MakeStable(Entry& entry, const std::string& revision, std::shared_ptr<const std::string> content) {
  entry.stored.set_stable_revision(revision);
  entry.stored.set_stable_content(*content);
  entry.stored.clear_baseline();
  ReadStable(entry);
  Touch(entry);
}

void RolloutTable::SetProfile(const ProfileEntry& profile, absl::Time now) {
  auto it = entries_.find(profile.id);
  if (it == entries_.end()) {
    if (profile.rollout.rings.empty()) return;
    deleted_.erase(profile.id);
    Entry& added = entries_[profile.id];
    added.profile_id = profile.id;
    return MakeStable(added, profile.revision, profile.content);
  }
  Entry& entry = it->second;
  const v1::Rollout& rollout = entry.stored.rollout();
  if (profile.revision == entry.stored.stable_revision()) {
    if (entry.running()) End(entry, v1::ROLLOUT_STATE_ABORTED, "REVISION_WITHDRAWN", "the profile went back", now);
    return;
  }
  entry.target_content = profile.content;
  if (rollout.target_revision() == profile.revision && rollout.state() != v1::ROLLOUT_STATE_SUCCEEDED) return;
  if (entry.running()) {
    End(entry, v1::ROLLOUT_STATE_ABORTED, "REVISION_REPLACED", absl::StrCat("revision ", profile.revision, " came"),
        now);
  }
  if (entry.policy.rings.empty() || entry.stored.baseline().empty()) {
    return MakeStable(entry, profile.revision, profile.content);
  }
  Begin(profile, entry, now);
}

void RolloutTable::RemoveProfile(absl::string_view profile_id) {
  auto it = entries_.find(profile_id);
  if (it == entries_.end()) return;
  unwritten_.erase(it->first);
  deleted_.insert(it->first);
  entries_.erase(it);
}

void RolloutTable::Begin(const ProfileEntry& profile, Entry& entry, absl::Time now) {
  v1::Rollout rollout;
  rollout.set_name(absl::StrCat("rollouts/", profile.id));
  rollout.set_profile_id(profile.id);
  rollout.set_state(v1::ROLLOUT_STATE_RUNNING);
  rollout.set_base_revision(entry.stored.stable_revision());
  rollout.set_target_revision(profile.revision);
  rollout.set_ring(1);
  rollout.set_rings(static_cast<int32_t>(entry.policy.rings.size()));
  rollout.set_runs_wanted(static_cast<int32_t>(entry.policy.runs));
  *rollout.mutable_create_time() = ToTimestamp(now);
  *entry.stored.mutable_rollout() = std::move(rollout);
  entry.stored.clear_target_runs();
  entry.stored.set_excused(0);
  Touch(entry);
}

void RolloutTable::End(Entry& entry, v1::RolloutState state, absl::string_view reason, absl::string_view message,
                       absl::Time now) {
  v1::Rollout& rollout = *entry.stored.mutable_rollout();
  rollout.set_state(state);
  rollout.set_reason(std::string(reason));
  rollout.set_message(std::string(message));
  *rollout.mutable_end_time() = ToTimestamp(now);
  Touch(entry);
}

RolloutTable::Choice RolloutTable::ChoiceFor(const ProfileEntry& profile, const std::vector<RingDrone>& holders,
                                             absl::string_view drone_id) const {
  Choice target{profile.revision, profile.content};
  auto it = entries_.find(profile.id);
  if (it == entries_.end()) return target;
  const Entry& entry = it->second;
  const v1::Rollout& rollout = entry.stored.rollout();
  if (rollout.target_revision() != profile.revision || rollout.state() == v1::ROLLOUT_STATE_SUCCEEDED) return target;
  if (entry.running()) {
    if (holders.empty()) return target;
    const auto rings = static_cast<int32_t>(entry.policy.rings.size());
    for (int32_t ring = 0; ring < std::min(rollout.ring(), rings); ++ring) {
      if (TakesIn(entry.policy.rings[static_cast<size_t>(ring)], holders, drone_id)) return target;
    }
  }
  return {entry.stored.stable_revision(), entry.stable_content};
}

bool RolloutTable::IsRunning(absl::string_view profile_id) const {
  auto it = entries_.find(profile_id);
  return it != entries_.end() && it->second.running();
}

bool RolloutTable::IsRefused(absl::string_view profile_id, absl::string_view revision) const {
  auto it = entries_.find(profile_id);
  if (it == entries_.end()) return false;
  const v1::Rollout& rollout = it->second.stored.rollout();
  const bool back = rollout.state() == v1::ROLLOUT_STATE_ROLLED_BACK || rollout.state() == v1::ROLLOUT_STATE_ABORTED;
  return back && rollout.target_revision() == revision && it->second.stored.stable_revision() != revision;
}

std::shared_ptr<const std::string> RolloutTable::ContentOf(const ProfileEntry& profile,
                                                           absl::string_view revision) const {
  if (revision == profile.revision) return profile.content;
  auto it = entries_.find(profile.id);
  if (it == entries_.end() || it->second.stored.stable_revision() != revision) return nullptr;
  return it->second.stable_content;
}

bool RolloutTable::TakeEnd(const v1::Run& run, const v1::RunEnd& end, absl::Time now) {
  auto it = entries_.find(run.profile_id());
  if (it == entries_.end() || SaysNothing(run, end)) return false;
  Entry& entry = it->second;
  if (run.revision() == entry.stored.stable_revision()) {
    if (!IsGood(run)) return false;
    Keep(*entry.stored.mutable_baseline(), StatsOf(run, end));
    Touch(entry);
    return false;
  }
  if (!entry.running() || run.revision() != entry.stored.rollout().target_revision()) return false;
  return JudgeEnd(entry, run, end, now);
}

bool RolloutTable::JudgeEnd(Entry& entry, const v1::Run& run, const v1::RunEnd& end, absl::Time now) {
  std::optional<RolloutFault> fault;
  RunStats stats = StatsOf(run, end);
  if (IsGood(run)) {
    std::vector<RunStats> base(entry.stored.baseline().begin(), entry.stored.baseline().end());
    JudgeOptions options;
    options.counts_vary = entry.counts_vary;
    fault = JudgeRun(base, stats, options);
  } else if (IsOutside(run.error_reason()) && entry.stored.excused() < kMaxExcused) {
    entry.stored.set_excused(entry.stored.excused() + 1);
    Touch(entry);
    return false;
  } else {
    fault = {"RUN_FAILED", absl::StrCat("the run failed with ", run.error_reason(), ": ", run.error())};
  }
  if (fault) {
    entry.stored.mutable_rollout()->set_run_id(run.run_id());
    End(entry, v1::ROLLOUT_STATE_ROLLED_BACK, fault->reason, fault->message, now);
  } else {
    TakeGoodRun(entry, stats, now);
  }
  return true;
}

void RolloutTable::TakeGoodRun(Entry& entry, const RunStats& stats, absl::Time now) {
  v1::Rollout& rollout = *entry.stored.mutable_rollout();
  Keep(*entry.stored.mutable_target_runs(), stats);
  rollout.set_good_runs(rollout.good_runs() + 1);
  Touch(entry);
  if (rollout.good_runs() < rollout.runs_wanted()) return;
  if (rollout.ring() < rollout.rings()) {
    rollout.set_ring(rollout.ring() + 1);
    rollout.set_good_runs(0);
    return;
  }
  // Without its text the target cannot be kept; the next good run comes here again.
  if (entry.target_content == nullptr) return;
  google::protobuf::RepeatedPtrField<RunStats> shown = entry.stored.target_runs();
  End(entry, v1::ROLLOUT_STATE_SUCCEEDED, "", "", now);
  MakeStable(entry, rollout.target_revision(), entry.target_content);
  *entry.stored.mutable_baseline() = std::move(shown);
}

absl::StatusOr<v1::Rollout> RolloutTable::Get(absl::string_view profile_id) const {
  auto it = entries_.find(profile_id);
  if (it == entries_.end() || !it->second.stored.has_rollout()) return RolloutUnknown(profile_id);
  return it->second.stored.rollout();
}

std::vector<v1::Rollout> RolloutTable::List(absl::string_view after, size_t limit,
                                            const rpc::ProjectScope& projects) const {
  std::vector<v1::Rollout> found;
  for (auto it = entries_.upper_bound(after); it != entries_.end() && found.size() < limit; ++it) {
    if (it->second.stored.has_rollout() && projects.Includes(it->first)) found.push_back(it->second.stored.rollout());
  }
  return found;
}

absl::StatusOr<v1::Rollout> RolloutTable::Abort(absl::string_view profile_id, const std::string& why, absl::Time now) {
  auto it = entries_.find(profile_id);
  if (it == entries_.end()) return RolloutUnknown(profile_id);
  if (!it->second.running()) {
    return Error(absl::StatusCode::kFailedPrecondition, "ROLLOUT_NOT_RUNNING",
                 absl::StrCat("no rollout of profile ", profile_id, " goes on; there is nothing to end"),
                 {{"profile_id", profile_id}});
  }
  End(it->second, v1::ROLLOUT_STATE_ABORTED, "ABORTED", why.empty() ? "an operator ended it" : why, now);
  return it->second.stored.rollout();
}

absl::StatusOr<v1::Rollout> RolloutTable::Accept(const ProfileEntry& profile, absl::Time now) {
  auto it = entries_.find(profile.id);
  if (it == entries_.end() || !it->second.stored.has_rollout()) return RolloutUnknown(profile.id);
  Entry& entry = it->second;
  if (entry.stored.rollout().target_revision() != profile.revision ||
      entry.stored.stable_revision() == profile.revision) {
    return Error(absl::StatusCode::kFailedPrecondition, "ROLLOUT_IN_USE",
                 absl::StrCat("revision ", profile.revision, " is in use already; there is nothing to accept"),
                 {{"profile_id", profile.id}});
  }
  End(entry, v1::ROLLOUT_STATE_SUCCEEDED, "ACCEPTED", "an operator accepted it", now);
  MakeStable(entry, profile.revision, profile.content);
  return entry.stored.rollout();
}

size_t RolloutTable::running() const {
  return static_cast<size_t>(
      std::count_if(entries_.begin(), entries_.end(), [](const auto& entry) { return entry.second.running(); }));
}

void RolloutTable::AddTo(StateTransaction& transaction) const {
  for (const std::string& id : unwritten_) {
    transaction.puts.push_back(
        {absl::StrCat(kRolloutPrefix, id), entries_.find(id)->second.stored.SerializeAsString()});
  }
  for (const std::string& id : deleted_) transaction.deletes.push_back(absl::StrCat(kRolloutPrefix, id));
}

}  // namespace chartly::coordinator
