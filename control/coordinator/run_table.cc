#include "control/coordinator/run_table.h"

#include <algorithm>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "chartly/storage/v1/coordinator.pb.h"
#include "common/clock/proto_time.h"
#include "common/status/status.h"

namespace chartly::coordinator {
namespace {

std::string KeyOf(int64_t sequence) { return absl::StrCat(kRunPrefix, absl::Hex(sequence, absl::kZeroPad16)); }

std::string StoredForm(const RunRecord& record) {
  storage::v1::StoredRun stored;
  *stored.mutable_run() = record.run;
  stored.set_lease_epoch(record.lease_epoch);
  stored.set_cancel_requested(record.cancel_requested);
  stored.set_ended(record.ended);
  for (int64_t sequence : record.deliveries) stored.add_deliveries(sequence);
  return stored.SerializeAsString();
}

absl::StatusOr<std::unique_ptr<RunRecord>> ParseStored(const StateEntry& entry) {
  auto record = std::make_unique<RunRecord>();
  storage::v1::StoredRun stored;
  absl::string_view digits = absl::StripPrefix(absl::string_view(entry.key), kRunPrefix);
  if (!absl::SimpleHexAtoi(digits, &record->sequence) || !stored.ParseFromString(entry.value)) {
    return Error(absl::StatusCode::kDataLoss, "STATE_CORRUPT",
                 absl::StrCat("the stored run ", entry.key, " cannot be read; restore the coordinator's folder"));
  }
  record->run = std::move(*stored.mutable_run());
  record->lease_epoch = stored.lease_epoch();
  record->cancel_requested = stored.cancel_requested();
  record->ended = stored.ended();
  record->deliveries.assign(stored.deliveries().begin(), stored.deliveries().end());
  record->stored = true;
  // Whether its drone was told of it is not known any more: take it that it was.
  record->ordered = !record->run.drone_id().empty();
  return record;
}

// The end of a final run may still come if a drone may have worked on it.
bool AwaitsEnd(const RunRecord& record) {
  if (record.external() || record.ended || !IsFinal(record.status()) || record.run.drone_id().empty()) return false;
  return record.status() == v1::RUN_STATUS_CANCELLED || record.run.error_reason() == "DRONE_LOST";
}

const RunTable::Sequences kNoSequences;
// As many as a budget may have (retry.budget).
constexpr size_t kMostRetriesLookedAt = 1000;

}  // namespace

bool IsFinal(v1::RunStatus status) {
  return status != v1::RUN_STATUS_UNSPECIFIED && status != v1::RUN_STATUS_SCHEDULED && status != v1::RUN_STATUS_RUNNING;
}

bool RunRecord::open() const { return !external() && !IsFinal(run.status()); }

absl::Status RunTable::Load(const StateStore& store) {
  ASSIGN_OR_RETURN(std::vector<StateEntry> entries, store.Range(kRunPrefix));
  for (const StateEntry& entry : entries) {
    ASSIGN_OR_RETURN(std::unique_ptr<RunRecord> record, ParseStored(entry));
    next_sequence_ = std::max(next_sequence_, record->sequence + 1);
    by_id_[record->run.run_id()] = record->sequence;
    Index(*record);
    runs_[record->sequence] = std::move(record);
  }
  return absl::OkStatus();
}

RunRecord& RunTable::Add(v1::Run run) {
  auto owned = std::make_unique<RunRecord>();
  RunRecord& record = *owned;
  record.sequence = next_sequence_++;
  record.run = std::move(run);
  by_id_[record.run.run_id()] = record.sequence;
  runs_[record.sequence] = std::move(owned);
  Touch(record);
  return record;
}

RunRecord* RunTable::Find(absl::string_view run_id) {
  auto it = by_id_.find(run_id);
  return it == by_id_.end() ? nullptr : runs_.at(it->second).get();
}

const RunRecord* RunTable::Held(int64_t sequence) const {
  auto it = runs_.find(sequence);
  return it == runs_.end() ? nullptr : it->second.get();
}

void RunTable::Assign(RunRecord& record, const std::string& drone_id, int64_t epoch) {
  if (record.run.drone_id() != drone_id) {
    auto before = open_by_drone_.find(record.run.drone_id());
    if (before != open_by_drone_.end()) before->second.erase(record.sequence);
    record.run.set_drone_id(drone_id);
    record.ordered = false;
  }
  record.lease_epoch = epoch;
  Touch(record);
}

void RunTable::Touch(RunRecord& record) {
  Index(record);
  dirty_.insert(record.sequence);
}

void RunTable::Index(RunRecord& record) {
  int64_t sequence = record.sequence;
  ProfileRuns& runs = by_profile_[record.run.profile_id()];
  changed_profiles_.insert(record.run.profile_id());
  auto raise = [sequence](int64_t& newest) { newest = std::max(newest, sequence); };
  if (!record.beside()) raise(runs.newest);
  if (!record.beside() && !record.external()) raise(runs.newest_own);
  if (record.run.trigger() == kTriggerSchedule && record.run.attempt() <= 1) raise(runs.newest_scheduled);
  if (!record.beside() && record.status() == v1::RUN_STATUS_SUCCEEDED) raise(runs.newest_success);
  if (!record.beside() && IsFinal(record.status())) raise(runs.newest_final);
  if (!record.external() && record.run.attempt() > 1) runs.retries.insert(sequence);
  IndexSlot(record, runs);
  auto keep = [sequence](Sequences& set, bool in) { in ? (void)set.insert(sequence) : (void)set.erase(sequence); };
  keep(open_, record.open());
  keep(runs.open, record.open());
  keep(runs.open_beside, record.open() && record.beside());
  keep(unended_, AwaitsEnd(record));
  if (!record.run.drone_id().empty()) keep(open_by_drone_[record.run.drone_id()], record.open());
}

void RunTable::IndexSlot(const RunRecord& record, ProfileRuns& runs) {
  if (record.external() || !record.run.has_schedule_time()) return;
  if (!runs.of_slot.empty()) {
    const RunRecord& other = At(*runs.of_slot.rbegin());
    const bool same = FromTimestamp(other.run.schedule_time()) == FromTimestamp(record.run.schedule_time());
    if (!same && record.sequence < other.sequence) return;
    if (!same) runs.of_slot.clear();
  }
  runs.of_slot.insert(record.sequence);
}

void RunTable::Remove(RunRecord& record) {
  int64_t sequence = record.sequence;
  auto profile = by_profile_.find(record.run.profile_id());
  ProfileRuns& runs = profile->second;
  changed_profiles_.insert(record.run.profile_id());
  for (int64_t* newest :
       {&runs.newest, &runs.newest_own, &runs.newest_scheduled, &runs.newest_success, &runs.newest_final}) {
    if (*newest == sequence) *newest = 0;
  }
  runs.open.erase(sequence);
  runs.open_beside.erase(sequence);
  runs.retries.erase(sequence);
  runs.of_slot.erase(sequence);
  open_.erase(sequence);
  unended_.erase(sequence);
  dirty_.erase(sequence);
  auto drone = open_by_drone_.find(record.run.drone_id());
  if (drone != open_by_drone_.end()) drone->second.erase(sequence);
  if (record.stored) along_.deletes.push_back(KeyOf(sequence));
  by_id_.erase(record.run.run_id());
  runs_.erase(sequence);
}

const RunTable::Sequences& RunTable::OpenOfDrone(absl::string_view drone_id) const {
  auto it = open_by_drone_.find(std::string(drone_id));
  return it == open_by_drone_.end() ? kNoSequences : it->second;
}

const RunTable::Sequences& RunTable::OfNewestSlot(absl::string_view profile_id) const {
  auto it = by_profile_.find(std::string(profile_id));
  return it == by_profile_.end() ? kNoSequences : it->second.of_slot;
}

void RunTable::BeginSlot(absl::string_view profile_id) {
  auto it = by_profile_.find(profile_id);
  if (it != by_profile_.end()) it->second.of_slot.clear();
}

const RunTable::Sequences& RunTable::OpenOfProfile(absl::string_view profile_id) const {
  auto it = by_profile_.find(std::string(profile_id));
  return it == by_profile_.end() ? kNoSequences : it->second.open;
}

size_t RunTable::OpenOwn(absl::string_view profile_id) const {
  auto it = by_profile_.find(profile_id);
  return it == by_profile_.end() ? 0 : it->second.open.size() - it->second.open_beside.size();
}

ProfileHistory RunTable::HistoryOf(absl::string_view profile_id) const {
  ProfileHistory history;
  auto it = by_profile_.find(std::string(profile_id));
  if (it == by_profile_.end()) return history;
  const ProfileRuns& runs = it->second;
  history.open = runs.open.size() > runs.open_beside.size();
  for (auto retry = runs.retries.rbegin(); retry != runs.retries.rend(); ++retry) {
    if (history.retries.size() >= kMostRetriesLookedAt) break;
    history.retries.push_back(FromTimestamp(At(*retry).run.create_time()));
  }
  if (const RunRecord* scheduled = Held(runs.newest_scheduled)) {
    history.last_scheduled = FromTimestamp(scheduled->run.create_time());
    history.last_scheduled_run = scheduled->run.run_id();
    if (scheduled->run.has_schedule_time()) history.last_slot = FromTimestamp(scheduled->run.schedule_time());
  }
  const RunRecord* newest = Held(runs.newest_own);
  if (newest != nullptr && newest->run.has_finished_at())
    history.last_finished = FromTimestamp(newest->run.finished_at());
  if (newest != nullptr && newest->status() == v1::RUN_STATUS_FAILED) {
    const v1::Run& run = newest->run;
    history.failure = {std::max(run.attempt(), 1), run.error_reason(), run.trigger(), FromTimestamp(run.finished_at()),
                       run.balance().fetched() > 0};
  }
  return history;
}

const RunRecord* RunTable::NewestOf(absl::string_view profile_id) const {
  auto it = by_profile_.find(std::string(profile_id));
  return it == by_profile_.end() ? nullptr : Held(it->second.newest);
}

const RunRecord* RunTable::NewestSuccessOf(absl::string_view profile_id) const {
  auto it = by_profile_.find(std::string(profile_id));
  return it == by_profile_.end() ? nullptr : Held(it->second.newest_success);
}

const RunRecord* RunTable::NewestFinalOf(absl::string_view profile_id) const {
  auto it = by_profile_.find(std::string(profile_id));
  return it == by_profile_.end() ? nullptr : Held(it->second.newest_final);
}

std::vector<const RunRecord*> RunTable::List(int64_t before, size_t limit, absl::string_view profile_id,
                                             absl::string_view drone_id, const rpc::ProjectScope& projects) const {
  std::vector<const RunRecord*> found;
  for (auto it = runs_.lower_bound(before); it != runs_.begin() && found.size() < limit;) {
    const RunRecord& record = *(--it)->second;
    if (!profile_id.empty() && record.run.profile_id() != profile_id) continue;
    if (!projects.Includes(record.run.profile_id())) continue;
    if (!drone_id.empty() && record.run.drone_id() != drone_id) continue;
    found.push_back(&record);
  }
  return found;
}

bool RunTable::Needed(const RunRecord& record) const {
  if (record.open()) return true;
  const ProfileRuns& runs = by_profile_.find(record.run.profile_id())->second;
  int64_t sequence = record.sequence;
  // While a run goes on, who did the others of its time has to be known.
  if (!runs.open.empty() && runs.of_slot.count(sequence) > 0) return true;
  return sequence == runs.newest || sequence == runs.newest_own || sequence == runs.newest_scheduled ||
         sequence == runs.newest_success || sequence == runs.newest_final;
}

void RunTable::Prune(size_t max_runs) {
  for (auto it = runs_.begin(); it != runs_.end() && runs_.size() > max_runs;) {
    RunRecord& record = *it->second;
    ++it;
    if (!Needed(record)) Remove(record);
  }
}

absl::Status RunTable::Flush(StateStore& store, const StateTransaction& more) {
  StateTransaction transaction = along_;
  transaction.puts.insert(transaction.puts.end(), more.puts.begin(), more.puts.end());
  transaction.deletes.insert(transaction.deletes.end(), more.deletes.begin(), more.deletes.end());
  if (dirty_.empty() && transaction.puts.empty() && transaction.deletes.empty()) return absl::OkStatus();
  for (int64_t sequence : dirty_) transaction.puts.push_back({KeyOf(sequence), StoredForm(At(sequence))});
  absl::StatusOr<int64_t> revision = store.Commit(transaction);
  if (!revision.ok()) return Annotate(revision.status(), "write runs");
  for (int64_t sequence : dirty_) At(sequence).stored = true;
  dirty_.clear();
  along_ = StateTransaction();
  return absl::OkStatus();
}

}  // namespace chartly::coordinator
