#include "control/reporter/report_runner.h"

#include <algorithm>
#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "common/status/status.h"
#include "common/telemetry/metrics.h"
#include "control/reporter/big_memory.h"
#include "control/reporter/input_join.h"
#include "control/reporter/parallel.h"
#include "control/reporter/piece_memory.h"
#include "control/reporter/piece_planner.h"
#include "control/reporter/row_order.h"
#include "control/reporter/statistics.h"
#include "control/reporter/step_runner.h"

namespace chartly::reporter {
namespace {

// What pieces leave for those that come after them. Thread-safe.
class PieceMemories {
 public:
  std::unique_ptr<PieceMemory> Take() {
    absl::MutexLock lock(&mutex_);
    if (free_.empty()) return std::make_unique<PieceMemory>();
    std::unique_ptr<PieceMemory> memory = std::move(free_.back());
    free_.pop_back();
    return memory;
  }
  void Give(std::unique_ptr<PieceMemory> memory) {
    absl::MutexLock lock(&mutex_);
    free_.push_back(std::move(memory));
  }

 private:
  absl::Mutex mutex_;
  std::vector<std::unique_ptr<PieceMemory>> free_ ABSL_GUARDED_BY(mutex_);
};

// What pieces come to, in whatever order they end. Thread-safe.
class PieceStack {
 public:
  explicit PieceStack(Reservation& reservation) : reservation_(reservation) {}

  // A piece that failed gives its tally alone, and its error comes back. ResourceExhausted (REPORT_TOO_LARGE) if the
  // groups do not fit.
  absl::Status Add(const JoinTally& tally, const absl::StatusOr<Table>& table) {
    absl::MutexLock lock(&mutex_);
    tally_.Add(tally);
    RETURN_IF_ERROR(table.status());
    const int64_t before = stack_.bytes();
    stack_.Add(*table);
    return reservation_.Grow(stack_.bytes() - before);
  }
  // Once all pieces are there.
  const JoinTally& tally() const ABSL_NO_THREAD_SAFETY_ANALYSIS { return tally_; }
  Table Finish() ABSL_NO_THREAD_SAFETY_ANALYSIS { return stack_.Finish(); }

 private:
  Reservation& reservation_;
  absl::Mutex mutex_;
  JoinTally tally_ ABSL_GUARDED_BY(mutex_);
  TableStack stack_ ABSL_GUARDED_BY(mutex_);
};

// Groups have no keys twice, so this is the order in which a whole report has them, whichever piece ended first.
void SortByKeys(Table& table) {
  std::vector<SortColumn> keys;
  for (const Column& column : table.columns) {
    if (column.is_key) keys.push_back({&column});
  }
  const RowList order = OrderRows(table.rows, keys);
  if (!std::is_sorted(order.begin(), order.end())) table = table.Gather(order);
}

class Execution {
 public:
  Execution(const ReportPlan& plan, BatchSource& source, const ReportOptions& options, MemoryBudget& budget)
      : plan_(plan), source_(source), options_(options), budget_(budget) {}

  // Reads, joins and takes the rows through the steps: whole, unless it shows to be large, or does not fit.
  absl::Status MakeTable() {
    absl::Status made = MakeWhole();
    if (pieces_) made = MakeOfPieces();
    // Keys that meet many partners take more than their records tell.
    for (const int64_t rows : {options_.piece_rows, int64_t{1}}) {
      if (!absl::IsResourceExhausted(made)) return made;
      reservation_.emplace(budget_);
      ASSIGN_OR_RETURN(pieces_, PlanPieces(plan_, source_, {MemoryLeft(), rows, 0, true}));
      if (!pieces_) return made;
      made = MakeOfPieces();
    }
    return made;
  }

  const Table& table() const { return table_; }

  absl::StatusOr<v1::RunReportResponse> Answer() {
    RETURN_IF_ERROR(MakeTable());
    for (const std::string& warning : warnings_) answer_.add_warnings(warning);
    for (const Column& column : table_.columns) {
      answer_.add_columns(column.name);
      if (!column.is_key) answer_.add_measure_columns(column.name);
    }
    answer_.set_row_count(static_cast<int64_t>(table_.rows));
    answer_.set_limit(plan_.limit);
    if (plan_.want_rows) FillRows();
    RETURN_IF_ERROR(FillStatistics(plan_, table_, *reservation_, answer_));
    return std::move(answer_);
  }

 private:
  void Begin() {
    table_ = Table();
    answer_.Clear();
    warnings_.clear();
    reservation_.emplace(budget_);
  }

  int64_t MemoryLeft() const { return options_.memory_bytes_max - budget_.used(); }

  // Sets pieces_ in place of the table if it is better answered by them.
  absl::Status MakeWhole() {
    Begin();
    ReadOptions whole;
    whole.rows_max = options_.rows_max;
    // Those that are small do not even ask whether they are.
    whole.many = options_.piece_rows / 8;
    const int64_t memory = MemoryLeft();
    whole.stops_at_many = [this, memory]() -> absl::StatusOr<bool> {
      const PieceLimits limits{memory, options_.piece_rows, options_.piece_reads_percent};
      ASSIGN_OR_RETURN(pieces_, PlanPieces(plan_, source_, limits));
      return pieces_.has_value();
    };
    JoinTally tally;
    absl::StatusOr<Table> joined = ReadAndJoin(plan_, source_, whole, *reservation_, tally);
    if (!joined.ok()) return joined.status();
    table_ = *std::move(joined);
    Count("chartly_report_pieces_total", 1);
    tally.Tell(plan_, answer_);
    KeysFirst(table_);
    return RunSteps(plan_.steps, *reservation_, table_, warnings_);
  }

  // Several pieces at once, each in memory of its own, which ends with it.
  absl::Status MakeOfPieces() {
    const PiecePlan& plan = *pieces_;
    Begin();
    const KeepBigMemory keep(static_cast<size_t>(options_.memory_bytes_max) / 2);
    PieceStack stack(*reservation_);
    PieceMemories memories;
    std::vector<absl::Status> statuses(plan.pieces.size());
    std::atomic<bool> failed{false};
    auto run = [&](size_t i) {
      if (failed) return;
      // Inputs of a piece that is alone are read at once, each into memory of its own.
      std::unique_ptr<PieceMemory> memory = plan.at_once > 1 ? memories.Take() : nullptr;
      statuses[i] = RunPiece(plan.pieces[i], plan.group, memory.get(), stack);
      if (!statuses[i].ok()) failed = true;
      if (memory != nullptr) memories.Give(std::move(memory));
    };
    InParallel(plan.pieces.size(), run, plan.at_once);
    for (const absl::Status& status : statuses) {
      // A wrong name explains a failure better than what it led to.
      if (absl::IsInvalidArgument(status)) RETURN_IF_ERROR(stack.tally().CheckNames(plan_));
      RETURN_IF_ERROR(status);
    }
    const std::vector<SideTally>& sides = stack.tally().sides;
    if (std::any_of(sides.begin(), sides.end(), [](const SideTally& side) { return side.saw_missing; })) {
      PieceOfInputs rest = plan.pieces.back();
      rest.span = {"", "", true};
      RETURN_IF_ERROR(RunPiece(rest, plan.group, nullptr, stack));
    }
    RETURN_IF_ERROR(stack.tally().CheckNames(plan_));
    Count("chartly_report_pieces_total", static_cast<double>(plan.pieces.size()));
    stack.tally().Tell(plan_, answer_);
    table_ = stack.Finish();
    SortByKeys(table_);
    return RunSteps(plan_.steps, plan.group + 1, plan_.steps.size(), *reservation_, table_, warnings_);
  }

  absl::Status RunPiece(const PieceOfInputs& piece, size_t group, PieceMemory* memory, PieceStack& stack) {
    Reservation reservation(budget_);
    JoinTally tally;
    ReadOptions options;
    options.rows_max = options_.rows_max;
    options.piece = &piece;
    options.memory = memory;
    absl::StatusOr<Table> table = ReadAndJoin(plan_, source_, options, reservation, tally);
    if (table.ok()) {
      KeysFirst(*table);
      std::vector<std::string> warnings;  // of steps before a group there are none
      absl::Status status = RunSteps(plan_.steps, 0, group + 1, reservation, *table, warnings);
      if (!status.ok()) table = status;
    }
    return stack.Add(tally, table);
  }

  static void KeysFirst(Table& table) {
    std::stable_partition(table.columns.begin(), table.columns.end(),
                          [](const Column& column) { return column.is_key; });
  }

  void FillRows() {
    int64_t bytes = 0;
    int64_t rows = static_cast<int64_t>(table_.rows);
    int64_t at = std::min(plan_.offset, rows);
    for (; at < rows && answer_.rows_size() < plan_.limit; ++at) {
      v1::ReportRow& row = *answer_.add_rows();
      for (const Column& column : table_.columns) ToProto(column.Get(static_cast<size_t>(at)), *row.add_values());
      bytes += static_cast<int64_t>(row.ByteSizeLong()) + 8;
      if (bytes <= options_.answer_bytes_max || answer_.rows_size() == 1) continue;
      answer_.mutable_rows()->RemoveLast();
      answer_.add_warnings(absl::StrCat("rows end after ", answer_.rows_size(), ": one answer holds at most ",
                                        options_.answer_bytes_max >> 20, " MiB; the next page goes on"));
      break;
    }
    answer_.set_truncated(at < rows);
    if (at < rows) answer_.set_next_page_token(PageToken(plan_, at));
  }

  const ReportPlan& plan_;
  BatchSource& source_;
  const ReportOptions& options_;
  MemoryBudget& budget_;
  std::optional<Reservation> reservation_;
  std::optional<PiecePlan> pieces_;
  std::vector<std::string> warnings_;
  Table table_;
  v1::RunReportResponse answer_;
};

}  // namespace

absl::StatusOr<v1::RunReportResponse> ReportRunner::Run(const ReportPlan& plan, BatchSource& source) {
  return Execution(plan, source, options_, budget_).Answer();
}

absl::Status ReportRunner::RunTable(const ReportPlan& plan, BatchSource& source,
                                    absl::FunctionRef<absl::Status(const Table& table)> take) {
  Execution execution(plan, source, options_, budget_);
  RETURN_IF_ERROR(execution.MakeTable());
  return take(execution.table());
}

}  // namespace chartly::reporter
