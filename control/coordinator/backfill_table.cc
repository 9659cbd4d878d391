#include "control/coordinator/backfill_table.h"

#include <algorithm>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "chartly/storage/v1/coordinator.pb.h"
#include "common/clock/proto_time.h"
#include "common/status/status.h"
#include "control/coordinator/partition_cut.h"

namespace chartly::coordinator {
namespace {

constexpr int32_t kMostAtOnce = 100;
// Before a partition runs again: no budget counts over more than an hour. What lies further ahead was written by a
// clock that was set back since, and nobody waits until it has caught up.
constexpr absl::Duration kLongestWait = absl::Minutes(65);
constexpr v1::PartitionState kWaiting = v1::PARTITION_STATE_WAITING;
constexpr v1::PartitionState kRunning = v1::PARTITION_STATE_RUNNING;
constexpr v1::PartitionState kSucceeded = v1::PARTITION_STATE_SUCCEEDED;
constexpr v1::PartitionState kFailed = v1::PARTITION_STATE_FAILED;
constexpr v1::PartitionState kCancelled = v1::PARTITION_STATE_CANCELLED;

std::string KeyOf(absl::string_view id) { return absl::StrCat(kBackfillPrefix, id); }
std::string RowKeyOf(absl::string_view id, size_t index) {
  return absl::StrCat(kPartitionPrefix, id, "/", absl::Hex(index, absl::kZeroPad8));
}

absl::Status Corrupt(const std::string& key) {
  return Error(absl::StatusCode::kDataLoss, "STATE_CORRUPT",
               absl::StrCat("what is stored under ", key, " cannot be read; restore the coordinator's folder"));
}

absl::Status Invalid(const std::string& why) {
  return Error(absl::StatusCode::kInvalidArgument, "BACKFILL_INVALID", why);
}

absl::Status Unknown(absl::string_view id) {
  return Error(absl::StatusCode::kNotFound, "BACKFILL_NOT_FOUND", absl::StrCat("there is no backfill ", id),
               {{"backfill_id", id}});
}

absl::Status WrongState(const v1::Backfill& info, const char* reason, absl::string_view what) {
  return Error(absl::StatusCode::kFailedPrecondition, reason, absl::StrCat("backfill ", info.backfill_id(), " ", what),
               {{"backfill_id", info.backfill_id()}});
}

std::vector<absl::Time> BoundsOf(const v1::Backfill& info, size_t most) {
  return CutPartitions(FromTimestamp(info.range().start_time()), FromTimestamp(info.range().end_time()), info.step(),
                       most);
}

bool Overlap(const v1::TimePart& a, const v1::TimePart& b) {
  return FromTimestamp(a.start_time()) < FromTimestamp(b.end_time()) &&
         FromTimestamp(b.start_time()) < FromTimestamp(a.end_time());
}

}  // namespace

// All its rows are where they should be: those in quarantine wait there for whoever mends the profile, and running
// again would put them there again.
bool CoversPartition(const v1::Run& run) {
  return run.status() == v1::RUN_STATUS_SUCCEEDED ||
         (run.status() == v1::RUN_STATUS_PARTIAL && run.error_reason() == "ROWS_QUARANTINED");
}

bool IsOpen(v1::BackfillState state) {
  return state == v1::BACKFILL_STATE_RUNNING || state == v1::BACKFILL_STATE_PAUSED;
}

absl::Status BackfillTable::Load(const StateStore& store) {
  ASSIGN_OR_RETURN(std::vector<StateEntry> found, store.Range(kBackfillPrefix));
  for (const StateEntry& entry : found) {
    storage::v1::StoredBackfill stored;
    if (!stored.ParseFromString(entry.value)) return Corrupt(entry.key);
    Table table;
    table.info = std::move(*stored.mutable_backfill());
    table.bounds = BoundsOf(table.info, limits_.partitions_of_one);
    table.rows.resize(table.bounds.size() - 1);
    for (size_t i = 0; i < table.rows.size(); ++i) table.by_state[kWaiting].insert(i);
    std::string id = table.info.backfill_id();
    tables_[std::move(id)] = std::move(table);
  }
  ASSIGN_OR_RETURN(std::vector<StateEntry> rows, store.Range(kPartitionPrefix));
  for (const StateEntry& entry : rows) RETURN_IF_ERROR(LoadRow(entry));
  return absl::OkStatus();
}

absl::Status BackfillTable::LoadRow(const StateEntry& entry) {
  const std::pair<std::string, std::string> place =
      absl::StrSplit(absl::StripPrefix(absl::string_view(entry.key), kPartitionPrefix), '/');
  storage::v1::StoredPartition stored;
  uint32_t index = 0;
  auto table = tables_.find(place.first);
  if (table == tables_.end() || !absl::SimpleHexAtoi(place.second, &index) || index >= table->second.rows.size() ||
      !stored.ParseFromString(entry.value)) {
    return Corrupt(entry.key);
  }
  const v1::Partition& partition = stored.partition();
  SetState(table->second, index, partition.state());
  unwritten_rows_.clear();
  Row& row = table->second.rows[index];
  row.attempts = partition.attempts();
  row.run_id = partition.run_id();
  row.error_reason = partition.error_reason();
  row.error = partition.error();
  row.records = partition.records();
  if (partition.has_retry_time()) row.retry_time = FromTimestamp(partition.retry_time());
  return absl::OkStatus();
}

absl::StatusOr<v1::Backfill> BackfillTable::Create(v1::Backfill wanted) {
  if (wanted.step() == v1::BACKFILL_STEP_UNSPECIFIED) wanted.set_step(v1::BACKFILL_STEP_DAY);
  if (wanted.at_most() == 0) wanted.set_at_most(1);
  if (!v1::BackfillStep_IsValid(wanted.step())) return Invalid("step must be hour, day, week, month or year");
  if (wanted.at_most() < 1 || wanted.at_most() > kMostAtOnce) {
    return Invalid(absl::StrCat("at_most is ", wanted.at_most(), "; it must be 1 to ", kMostAtOnce));
  }
  if (FromTimestamp(wanted.range().start_time()) >= FromTimestamp(wanted.range().end_time())) {
    return Invalid("end_time must come after start_time");
  }
  Table table;
  table.bounds = BoundsOf(wanted, limits_.partitions_of_one);
  if (table.bounds.back() < FromTimestamp(wanted.range().end_time())) {
    return Invalid(absl::StrCat("this is more than ", limits_.partitions_of_one,
                                " partitions; take a longer step, or several backfills"));
  }
  RETURN_IF_ERROR(CheckOverlap(wanted));
  // Before anything gives way: what is refused takes nothing away.
  RETURN_IF_ERROR(CheckRoom(table.bounds.size() - 1));
  MakeRoom(table.bounds.size() - 1);
  wanted.set_name(absl::StrCat("backfills/", wanted.backfill_id()));
  wanted.set_state(v1::BACKFILL_STATE_RUNNING);
  table.rows.resize(table.bounds.size() - 1);
  for (size_t i = 0; i < table.rows.size(); ++i) table.by_state[kWaiting].insert(i);
  table.info = std::move(wanted);
  Touch(table);
  const std::string id = table.info.backfill_id();
  return Describe(tables_[id] = std::move(table));
}

absl::Status BackfillTable::CheckOverlap(const v1::Backfill& info) const {
  for (const auto& [id, other] : tables_) {
    if (!IsOpen(other.info.state()) || other.info.profile_id() != info.profile_id()) continue;
    if (id == info.backfill_id() || !Overlap(other.info.range(), info.range())) continue;
    return Error(absl::StatusCode::kAlreadyExists, "BACKFILL_OVERLAPS",
                 absl::StrCat("backfill ", id, " of profile ", info.profile_id(),
                              " covers part of that and has not ended; wait for it, or cancel it"),
                 {{"backfill_id", id}});
  }
  return absl::OkStatus();
}

bool BackfillTable::MayGiveWay(const Table& table) { return !IsOpen(table.info.state()) && table.Count(kRunning) == 0; }

absl::Status BackfillTable::CheckRoom(size_t partitions) const {
  size_t open = 0;
  for (const auto& [id, other] : tables_) {
    open += IsOpen(other.info.state()) ? 1 : 0;
    partitions += MayGiveWay(other) ? 0 : other.rows.size();
  }
  if (open < limits_.open && partitions <= limits_.partitions) return absl::OkStatus();
  return Error(absl::StatusCode::kResourceExhausted, "BACKFILLS_TOO_MANY",
               absl::StrCat("at most ", limits_.open, " backfills and ", limits_.partitions,
                            " partitions are open at once; wait for some to end"));
}

void BackfillTable::MakeRoom(size_t partitions) {
  size_t all = partitions;
  for (const auto& [id, table] : tables_) all += table.rows.size();
  // Ids begin with the time, so the oldest come first.
  for (auto it = tables_.begin();
       it != tables_.end() && (all > limits_.partitions || tables_.size() >= limits_.held);) {
    const std::string id = it->first;
    const bool may = MayGiveWay(it->second);
    ++it;
    if (!may) continue;
    all -= tables_.find(id)->second.rows.size();
    Forget(id);
  }
}

void BackfillTable::Forget(absl::string_view id) {
  auto found = tables_.find(id);
  if (found == tables_.end()) return;
  deleted_.push_back(KeyOf(id));
  for (size_t i = 0; i < found->second.rows.size(); ++i) {
    unwritten_rows_.erase({std::string(id), i});
    deleted_.push_back(RowKeyOf(id, i));
  }
  unwritten_.erase(std::string(id));
  tables_.erase(found);
}

absl::StatusOr<BackfillTable::Table*> BackfillTable::Find(absl::string_view id) {
  auto found = tables_.find(id);
  if (found != tables_.end()) return &found->second;
  return Unknown(id);
}

absl::StatusOr<const BackfillTable::Table*> BackfillTable::Find(absl::string_view id) const {
  auto found = tables_.find(id);
  if (found != tables_.end()) return &found->second;
  return Unknown(id);
}

absl::StatusOr<v1::Backfill> BackfillTable::Get(absl::string_view id) const {
  ASSIGN_OR_RETURN(const Table* table, Find(id));
  return Describe(*table);
}

absl::Status BackfillTable::Check(absl::string_view id, const rpc::ProjectScope& projects) const {
  ASSIGN_OR_RETURN(const Table* table, Find(id));
  return projects.Includes(table->info.profile_id()) ? absl::OkStatus() : Unknown(id);
}

std::vector<v1::Backfill> BackfillTable::List(absl::string_view before, size_t limit, absl::string_view profile_id,
                                              const rpc::ProjectScope& projects) const {
  std::vector<v1::Backfill> found;
  auto it = before.empty() ? tables_.end() : tables_.lower_bound(before);
  while (it != tables_.begin() && found.size() < limit) {
    --it;
    const std::string& of = it->second.info.profile_id();
    if ((profile_id.empty() || of == profile_id) && projects.Includes(of)) found.push_back(Describe(it->second));
  }
  return found;
}

absl::StatusOr<std::vector<v1::Partition>> BackfillTable::Partitions(absl::string_view id, size_t from, size_t limit,
                                                                     v1::PartitionState state) const {
  ASSIGN_OR_RETURN(const Table* table, Find(id));
  std::vector<v1::Partition> found;
  for (size_t i = from; i < table->rows.size() && found.size() < limit; ++i) {
    if (state == v1::PARTITION_STATE_UNSPECIFIED || table->rows[i].state == state) found.push_back(Describe(*table, i));
  }
  return found;
}

absl::StatusOr<v1::Backfill> BackfillTable::Pause(absl::string_view id, absl::string_view reason,
                                                  absl::string_view message) {
  ASSIGN_OR_RETURN(Table * table, Find(id));
  if (table->info.state() != v1::BACKFILL_STATE_RUNNING) {
    return WrongState(table->info, "BACKFILL_NOT_RUNNING", "does not run; there is nothing to pause");
  }
  table->info.set_state(v1::BACKFILL_STATE_PAUSED);
  table->info.set_reason(std::string(reason));
  table->info.set_message(std::string(message));
  Touch(*table);
  return Describe(*table);
}

absl::StatusOr<v1::Backfill> BackfillTable::Resume(absl::string_view id) {
  ASSIGN_OR_RETURN(Table * table, Find(id));
  if (table->info.state() != v1::BACKFILL_STATE_PAUSED) {
    return WrongState(table->info, "BACKFILL_NOT_PAUSED", "is not paused");
  }
  table->info.set_state(v1::BACKFILL_STATE_RUNNING);
  table->info.clear_reason();
  table->info.clear_message();
  Touch(*table);
  return Describe(*table);
}

absl::StatusOr<v1::Backfill> BackfillTable::Cancel(absl::string_view id, absl::string_view reason, absl::Time now) {
  ASSIGN_OR_RETURN(Table * table, Find(id));
  if (!IsOpen(table->info.state())) return WrongState(table->info, "BACKFILL_ENDED", "has ended");
  table->info.set_state(v1::BACKFILL_STATE_CANCELLED);
  table->info.set_reason(std::string(reason));
  table->info.clear_message();
  *table->info.mutable_finish_time() = ToTimestamp(now);
  const std::set<size_t> waiting = table->by_state[kWaiting];
  for (size_t index : waiting) SetState(*table, index, kCancelled);
  Touch(*table);
  return Describe(*table);
}

absl::StatusOr<v1::Backfill> BackfillTable::Retry(absl::string_view id) {
  ASSIGN_OR_RETURN(Table * table, Find(id));
  std::set<size_t> again = table->by_state[kFailed];
  again.insert(table->by_state[kCancelled].begin(), table->by_state[kCancelled].end());
  if (again.empty()) {
    return WrongState(table->info, "BACKFILL_NOTHING_TO_RETRY", "has no partition that failed or was cancelled");
  }
  if (!IsOpen(table->info.state())) RETURN_IF_ERROR(CheckOverlap(table->info));
  for (size_t index : again) {
    SetState(*table, index, kWaiting);
    table->rows[index].attempts = 0;
    table->rows[index].retry_time = absl::InfinitePast();
  }
  // What an operator paused stays so.
  if (!IsOpen(table->info.state())) {
    table->info.set_state(v1::BACKFILL_STATE_RUNNING);
    table->info.clear_reason();
    table->info.clear_message();
  }
  table->info.clear_finish_time();
  Touch(*table);
  return Describe(*table);
}

std::vector<PartitionAt> BackfillTable::Due(absl::Time now) const {
  std::vector<PartitionAt> due;
  for (const auto& [id, table] : tables_) {
    if (table.info.state() != v1::BACKFILL_STATE_RUNNING || table.Count(kWaiting) == 0) continue;
    auto places = static_cast<int64_t>(table.info.at_most()) - static_cast<int64_t>(table.Count(kRunning));
    for (size_t index : table.by_state.find(kWaiting)->second) {
      if (places <= 0) break;
      const absl::Time retry = table.rows[index].retry_time;
      if (retry > now && retry <= now + kLongestWait) continue;
      due.push_back({id, index});
      --places;
    }
  }
  return due;
}

void BackfillTable::Begin(const PartitionAt& at, const std::string& run_id) {
  Table& table = tables_.find(at.backfill_id)->second;
  SetState(table, at.index, kRunning);
  Row& row = table.rows[at.index];
  row.run_id = run_id;
  ++row.attempts;
  row.error_reason.clear();
  row.error.clear();
  row.retry_time = absl::InfinitePast();
}

void BackfillTable::PutOff(const PartitionAt& at, absl::Time until) {
  Table& table = tables_.find(at.backfill_id)->second;
  table.rows[at.index].retry_time = until;
  unwritten_rows_.insert({at.backfill_id, at.index});
}

std::vector<PartitionAt> BackfillTable::Running() const {
  std::vector<PartitionAt> running;
  for (const auto& [id, table] : tables_) {
    auto found = table.by_state.find(kRunning);
    if (found == table.by_state.end()) continue;
    for (size_t index : found->second) running.push_back({id, index});
  }
  return running;
}

void BackfillTable::End(const PartitionAt& at, const v1::Run& run, absl::Time retry_at, absl::Time now) {
  auto found = tables_.find(at.backfill_id);
  if (found == tables_.end() || at.index >= found->second.rows.size()) return;
  Table& table = found->second;
  Row& row = table.rows[at.index];
  const bool follows = row.state == kRunning || row.state == kWaiting;
  if (!follows || row.run_id != run.run_id()) return;
  row.records = run.rows_out();
  row.error_reason = run.error_reason();
  row.error = run.error();
  row.retry_time = absl::InfinitePast();
  const bool again = retry_at != absl::InfiniteFuture() && IsOpen(table.info.state());
  if (CoversPartition(run)) {
    SetState(table, at.index, kSucceeded);
  } else if (again) {
    row.retry_time = retry_at;
    SetState(table, at.index, kWaiting);
  } else {
    const bool cancelled = table.info.state() == v1::BACKFILL_STATE_CANCELLED;
    SetState(table, at.index, cancelled ? kCancelled : kFailed);
  }
  Settle(table, now);
}

void BackfillTable::Settle(Table& table, absl::Time now) {
  if (!IsOpen(table.info.state()) || table.Count(kWaiting) > 0 || table.Count(kRunning) > 0) return;
  table.info.set_state(table.Count(kFailed) > 0 ? v1::BACKFILL_STATE_FAILED : v1::BACKFILL_STATE_SUCCEEDED);
  *table.info.mutable_finish_time() = ToTimestamp(now);
  Touch(table);
}

void BackfillTable::SetState(Table& table, size_t index, v1::PartitionState state) {
  Row& row = table.rows[index];
  table.by_state[row.state].erase(index);
  table.by_state[state].insert(index);
  row.state = state;
  unwritten_rows_.insert({table.info.backfill_id(), index});
}

v1::Backfill BackfillTable::Describe(const Table& table) {
  v1::Backfill backfill = table.info;
  auto count = [&](v1::PartitionState state) { return static_cast<int32_t>(table.Count(state)); };
  backfill.set_partitions(static_cast<int32_t>(table.rows.size()));
  backfill.set_waiting(count(kWaiting));
  backfill.set_running(count(kRunning));
  backfill.set_succeeded(count(kSucceeded));
  backfill.set_failed(count(kFailed));
  backfill.set_cancelled(count(kCancelled));
  for (const Row& row : table.rows) backfill.set_records(backfill.records() + row.records);
  return backfill;
}

v1::Partition BackfillTable::Describe(const Table& table, size_t index) {
  const Row& row = table.rows[index];
  v1::Partition partition;
  partition.set_index(static_cast<int32_t>(index));
  *partition.mutable_part()->mutable_start_time() = ToTimestamp(table.bounds[index]);
  *partition.mutable_part()->mutable_end_time() = ToTimestamp(table.bounds[index + 1]);
  partition.set_state(row.state);
  partition.set_run_id(row.run_id);
  partition.set_attempts(row.attempts);
  partition.set_error_reason(row.error_reason);
  partition.set_error(row.error);
  partition.set_records(row.records);
  if (row.retry_time != absl::InfinitePast()) *partition.mutable_retry_time() = ToTimestamp(row.retry_time);
  return partition;
}

v1::Partition BackfillTable::At(const PartitionAt& at) const {
  return Describe(tables_.find(at.backfill_id)->second, at.index);
}

std::vector<std::string> BackfillTable::OpenOf(absl::string_view profile_id) const {
  std::vector<std::string> ids;
  for (const auto& [id, table] : tables_) {
    if (IsOpen(table.info.state()) && table.info.profile_id() == profile_id) ids.push_back(id);
  }
  return ids;
}

std::map<v1::PartitionState, int64_t> BackfillTable::Totals() const {
  std::map<v1::PartitionState, int64_t> totals;
  for (const auto& [id, table] : tables_) {
    if (!IsOpen(table.info.state())) continue;
    for (const auto& [state, rows] : table.by_state) totals[state] += static_cast<int64_t>(rows.size());
  }
  return totals;
}

void BackfillTable::AddTo(StateTransaction& transaction) const {
  for (const std::string& key : deleted_) transaction.deletes.push_back(key);
  for (const std::string& id : unwritten_) {
    storage::v1::StoredBackfill stored;
    *stored.mutable_backfill() = tables_.find(id)->second.info;
    transaction.puts.push_back({KeyOf(id), stored.SerializeAsString()});
  }
  for (const auto& [id, index] : unwritten_rows_) {
    storage::v1::StoredPartition stored;
    *stored.mutable_partition() = Describe(tables_.find(id)->second, index);
    stored.mutable_partition()->clear_index();
    stored.mutable_partition()->clear_part();
    transaction.puts.push_back({RowKeyOf(id, index), stored.SerializeAsString()});
  }
}

void BackfillTable::Written() {
  unwritten_.clear();
  unwritten_rows_.clear();
  deleted_.clear();
}

}  // namespace chartly::coordinator
