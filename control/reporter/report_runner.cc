#include "control/reporter/report_runner.h"

#include <algorithm>
#include <atomic>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/status/status.h"
#include "control/reporter/input_reader.h"
#include "control/reporter/join.h"
#include "control/reporter/key_examples.h"
#include "control/reporter/parallel.h"
#include "control/reporter/statistics.h"
#include "control/reporter/step_runner.h"

namespace chartly::reporter {
namespace {

// One input after its steps, and where its rows went.
struct Side {
  Table table;
  std::vector<std::string> keys;  // the columns it was joined on
  BigVector<uint32_t> origin;     // its row in each row of the result; kNoRow if it has none
};

// What reading one input came to.
struct Input {
  absl::Status status;
  bool stopped = false;  // because another failed
  Table table;
  int64_t records = 0;
  int64_t null_measures = 0;
  bool saw_records = false;
};

class Execution {
 public:
  Execution(const ReportPlan& plan, BatchSource& source, const ReportOptions& options, Reservation& reservation)
      : plan_(plan), source_(source), options_(options), reservation_(reservation) {}

  // Reads, joins and takes the rows through the steps.
  absl::Status MakeTable() {
    std::vector<Input> inputs = ReadInputs();
    // The first that failed by itself has the reason.
    for (const Input& input : inputs) {
      if (!input.stopped) RETURN_IF_ERROR(input.status);
    }
    for (size_t i = 0; i < plan_.inputs.size(); ++i) RETURN_IF_ERROR(TakeInput(i, inputs[i]));
    int64_t input_bytes = reservation_.needed();
    RETURN_IF_ERROR(JoinAll());
    InParallel(sides_.size(), [&](size_t i) { CountUnmatched(i); });
    // One input alone is the table; of several, the join made a new one.
    if (sides_.size() > 1) reservation_.Shrink(input_bytes);
    sides_.clear();
    KeysFirst(table_);
    return RunSteps(plan_.steps, reservation_, table_, warnings_);
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
    RETURN_IF_ERROR(FillStatistics(plan_, table_, reservation_, answer_));
    return std::move(answer_);
  }

 private:
  // All inputs, read at once. After one failed, the others end early.
  std::vector<Input> ReadInputs() {
    std::vector<Input> inputs(plan_.inputs.size());
    std::atomic<bool> failed{false};
    InParallel(inputs.size(), [&](size_t i) {
      const InputPlan& plan = plan_.inputs[i];
      Input& input = inputs[i];
      InputReader reader(plan, reservation_);
      absl::Status status = source_.Scan(plan.profile_id, [&](const RecordPiece& piece) {
        input.stopped = failed.load();
        return input.stopped ? absl::CancelledError("another input failed") : reader.Take(piece);
      });
      // A wrong name explains a failure better than what it led to.
      input.status = reader.CheckNames();
      if (input.status.ok() && !status.ok()) {
        input.status = Annotate(status, absl::StrCat("inputs[", i, "] ", plan.profile_id));
      }
      if (!input.status.ok()) failed = true;
      if (!input.status.ok()) return;
      input.table = reader.Finish();
      input.records = reader.records();
      input.null_measures = reader.null_measures();
      input.saw_records = reader.saw_records();
    });
    return inputs;
  }

  absl::Status TakeInput(size_t i, Input& input) {
    const InputPlan& plan = plan_.inputs[i];
    RETURN_IF_ERROR(input.status);
    Side side;
    side.table = std::move(input.table);
    v1::ReportSide& out = *answer_.add_sides();
    out.set_profile_id(plan.profile_id);
    out.set_measure(plan.measure_text);
    out.set_records(input.records);
    out.set_null_measures(input.null_measures);
    if (!input.saw_records) {
      warnings_.push_back(absl::StrCat("profile ", plan.profile_id, " has no records"));
    } else if (input.records == 0) {
      warnings_.push_back(absl::StrCat("no record of profile ", plan.profile_id, " passes the filter"));
    }
    RETURN_IF_ERROR(
        Annotate(RunSteps(plan.steps, reservation_, side.table, warnings_), absl::StrCat("inputs[", i, "]")));
    sides_.push_back(std::move(side));
    return absl::OkStatus();
  }

  absl::Status JoinAll() {
    if (sides_.size() == 1) {
      table_ = std::move(sides_[0].table);
      return absl::OkStatus();
    }
    for (size_t i = 1; i < sides_.size(); ++i) RETURN_IF_ERROR(JoinInput(i));
    return absl::OkStatus();
  }

  absl::Status JoinInput(size_t i) {
    const InputPlan& plan = plan_.inputs[i];
    absl::StatusOr<JoinResult> joined = JoinTables(i == 1 ? sides_[0].table : table_, sides_[i].table, plan.keys,
                                                   plan.kind, options_.rows_max, reservation_);
    if (!joined.ok()) return Annotate(joined.status(), absl::StrCat("the join of inputs[", i, "]"));
    for (const JoinKey& key : plan.keys) {
      sides_[i].keys.push_back(key.right);
      if (i == 1) sides_[0].keys.push_back(key.left);
    }
    // Beside the places on both sides, which the join has taken room for.
    RETURN_IF_ERROR(reservation_.Grow(static_cast<int64_t>(joined->left_rows.size() * 4 * (i - 1))));
    for (size_t before = 0; i > 1 && before < i; ++before) {
      BigVector<uint32_t> origin(joined->left_rows.size());
      for (size_t row = 0; row < origin.size(); ++row) {
        const uint32_t left = joined->left_rows[row];
        origin[row] = left == kNoRow ? kNoRow : sides_[before].origin[left];
      }
      sides_[before].origin = std::move(origin);
    }
    if (i == 1) sides_[0].origin = std::move(joined->left_rows);
    sides_[i].origin = std::move(joined->right_rows);
    for (const std::string& note : joined->notes) warnings_.push_back(note);
    if (i == 1) WarnOfRepeated(joined->repeated_left, 0);
    WarnOfRepeated(joined->repeated_right, i);
    table_ = std::move(joined->table);
    return absl::OkStatus();
  }

  void WarnOfRepeated(int64_t keys, size_t i) {
    if (keys == 0) return;
    warnings_.push_back(absl::StrCat(keys, " keys occur more than once in ", plan_.inputs[i].profile_id,
                                     "; each of their rows joins with every partner"));
  }

  // Rows of the side that are in no row of the result that all sides are in.
  void CountUnmatched(size_t i) {
    if (sides_.size() == 1) return;
    const Table& table = sides_[i].table;
    std::vector<uint8_t> matched(table.rows, 0);
    for (size_t row = 0; row < table_.rows; ++row) {
      bool whole = true;
      for (const Side& side : sides_) whole &= side.origin[row] != kNoRow;
      if (whole) matched[sides_[i].origin[row]] = 1;
    }
    std::vector<const Column*> keys;
    for (const std::string& name : sides_[i].keys) keys.push_back(table.Find(name));
    KeyExamples examples(keys.size());
    int64_t unmatched = 0;
    for (auto at = matched.begin(); (at = std::find(at, matched.end(), 0)) != matched.end(); ++at) {
      ++unmatched;
      const size_t row = static_cast<size_t>(at - matched.begin());
      examples.Offer([&](size_t d) { return keys[d] == nullptr ? Value() : keys[d]->Get(row); });
    }
    v1::ReportSide& out = *answer_.mutable_sides(static_cast<int>(i));
    out.set_unmatched(unmatched);
    for (const std::string& text : examples.Texts()) out.add_unmatched_examples(text);
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
  Reservation& reservation_;
  std::vector<Side> sides_;
  std::vector<std::string> warnings_;
  Table table_;
  v1::RunReportResponse answer_;
};

}  // namespace

absl::StatusOr<v1::RunReportResponse> ReportRunner::Run(const ReportPlan& plan, BatchSource& source) {
  Reservation reservation(budget_);
  return Execution(plan, source, options_, reservation).Answer();
}

absl::Status ReportRunner::RunTable(const ReportPlan& plan, BatchSource& source,
                                    absl::FunctionRef<absl::Status(const Table& table)> take) {
  Reservation reservation(budget_);
  Execution execution(plan, source, options_, reservation);
  RETURN_IF_ERROR(execution.MakeTable());
  return take(execution.table());
}

}  // namespace chartly::reporter
