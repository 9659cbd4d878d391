// Backfills as tables of partitions, one row each: what waits, what runs as which run, what came of it. What succeeded
// never begins again, whatever happens to the process, because a row and its run are written in one transaction.
//
// Knows nothing of drones and schedules: the coordinator asks what is due, begins it, and tells how runs ended. Not
// thread-safe: the coordinator guards it.
#ifndef CHARTLY_CONTROL_COORDINATOR_BACKFILL_TABLE_H_
#define CHARTLY_CONTROL_COORDINATOR_BACKFILL_TABLE_H_

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "chartly/v1/backfill.pb.h"
#include "chartly/v1/coordinator.pb.h"
#include "common/rpc/project_scope.h"
#include "common/state/state_store.h"

namespace chartly::coordinator {

inline constexpr char kBackfillPrefix[] = "backfill/";
inline constexpr char kPartitionPrefix[] = "partition/";

struct BackfillLimits {
  size_t partitions_of_one = 10'000;
  size_t partitions = 50'000;  // of all that are held; the oldest that ended give way
  size_t held = 200;
  size_t open = 50;  // that have not ended
};

// A partition by its place.
struct PartitionAt {
  std::string backfill_id;
  size_t index = 0;
};

class BackfillTable {
 public:
  explicit BackfillTable(const BackfillLimits& limits = {}) : limits_(limits) {}
  // DataLoss (STATE_CORRUPT).
  absl::Status Load(const StateStore& store);

  // Takes up a backfill: `wanted` has id, profile, range, step, at_most, creator and create_time. InvalidArgument
  // (BACKFILL_INVALID), AlreadyExists (BACKFILL_OVERLAPS), ResourceExhausted (BACKFILLS_TOO_MANY).
  absl::StatusOr<v1::Backfill> Create(v1::Backfill wanted);
  // OK if it is of a profile of these projects; NotFound (BACKFILL_NOT_FOUND), as all that follow.
  absl::Status Check(absl::string_view id, const rpc::ProjectScope& projects) const;
  absl::StatusOr<v1::Backfill> Get(absl::string_view id) const;
  // Those before `before` (all if empty), newest first, of profiles of these projects.
  std::vector<v1::Backfill> List(absl::string_view before, size_t limit, absl::string_view profile_id,
                                 const rpc::ProjectScope& projects = {}) const;
  // Those from `from` on, of that state (any if unspecified).
  absl::StatusOr<std::vector<v1::Partition>> Partitions(absl::string_view id, size_t from, size_t limit,
                                                        v1::PartitionState state) const;
  // FailedPrecondition: BACKFILL_NOT_RUNNING, BACKFILL_NOT_PAUSED, BACKFILL_ENDED, BACKFILL_NOTHING_TO_RETRY.
  absl::StatusOr<v1::Backfill> Pause(absl::string_view id, absl::string_view reason, absl::string_view message);
  absl::StatusOr<v1::Backfill> Resume(absl::string_view id);
  // Its runs are the caller's to stop (RunsOf).
  absl::StatusOr<v1::Backfill> Cancel(absl::string_view id, absl::string_view reason, absl::Time now);
  absl::StatusOr<v1::Backfill> Retry(absl::string_view id);
  // Undoes Create, if it could not be written.
  void Forget(absl::string_view id);

  // Partitions that may begin now, oldest backfill and earliest time first, no more than each may run at once.
  std::vector<PartitionAt> Due(absl::Time now) const;
  // A run covers it now. Requires: it waits.
  void Begin(const PartitionAt& at, const std::string& run_id);
  // It waits until then. Requires: it waits.
  void PutOff(const PartitionAt& at, absl::Time until);
  // Partitions that run.
  std::vector<PartitionAt> Running() const;
  // The run of a partition that runs, or of one that waits to run again, came to its end. Failed runs are followed by
  // another one at `retry_at`, unless that is never. Does nothing if another run covers it meanwhile.
  void End(const PartitionAt& at, const v1::Run& run, absl::Time retry_at, absl::Time now);

  // As Partition tells it. Requires: both are known.
  v1::Partition At(const PartitionAt& at) const;
  const v1::Backfill& Of(const PartitionAt& at) const { return tables_.find(at.backfill_id)->second.info; }
  // Backfills of the profile that have not ended.
  std::vector<std::string> OpenOf(absl::string_view profile_id) const;
  // Partitions by their state, of backfills that have not ended.
  std::map<v1::PartitionState, int64_t> Totals() const;

  void AddTo(StateTransaction& transaction) const;
  void Written();

 private:
  struct Row {
    v1::PartitionState state = v1::PARTITION_STATE_WAITING;
    int32_t attempts = 0;
    std::string run_id;
    std::string error_reason;
    std::string error;
    absl::Time retry_time = absl::InfinitePast();
    int64_t records = 0;
  };
  struct Table {
    v1::Backfill info;               // without counts
    std::vector<absl::Time> bounds;  // one more than rows
    std::vector<Row> rows;
    std::map<v1::PartitionState, std::set<size_t>> by_state;
    size_t Count(v1::PartitionState state) const {
      auto found = by_state.find(state);
      return found == by_state.end() ? 0 : found->second.size();
    }
  };
  using Tables = std::map<std::string, Table, std::less<>>;

  absl::Status LoadRow(const StateEntry& entry);
  absl::StatusOr<Table*> Find(absl::string_view id);
  absl::StatusOr<const Table*> Find(absl::string_view id) const;
  // Whether another one of the profile that has not ended covers part of it.
  absl::Status CheckOverlap(const v1::Backfill& info) const;
  static v1::Backfill Describe(const Table& table);
  static v1::Partition Describe(const Table& table, size_t index);
  void SetState(Table& table, size_t index, v1::PartitionState state);
  void Touch(const Table& table) { unwritten_.insert(table.info.backfill_id()); }
  // Ends it once no partition waits or runs.
  void Settle(Table& table, absl::Time now);
  // Whether it ended, and nothing of it runs on.
  static bool MayGiveWay(const Table& table);
  // Whether there is room once all that may has given way.
  absl::Status CheckRoom(size_t partitions) const;
  void MakeRoom(size_t partitions);

  const BackfillLimits limits_;
  Tables tables_;
  std::set<std::string> unwritten_;
  std::set<std::pair<std::string, size_t>> unwritten_rows_;
  std::vector<std::string> deleted_;  // keys
};

bool IsOpen(v1::BackfillState state);
// Whether a final run leaves nothing of its partition to be fetched again.
bool CoversPartition(const v1::Run& run);

}  // namespace chartly::coordinator

#endif  // CHARTLY_CONTROL_COORDINATOR_BACKFILL_TABLE_H_
