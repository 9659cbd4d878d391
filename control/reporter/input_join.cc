#include "control/reporter/input_join.h"

#include <algorithm>
#include <atomic>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/status/status.h"
#include "control/reporter/input_reader.h"
#include "control/reporter/key_spelling.h"
#include "control/reporter/parallel.h"
#include "control/reporter/step_runner.h"

namespace chartly::reporter {
namespace {

// One input after its steps, and where its rows went.
struct InputRows {
  Table table;
  std::vector<std::string> keys;  // the columns it was joined on
  RowRuns origin;                 // its row in each row of the result
};

// What reading one input came to.
struct ReadOutcome {
  absl::Status status;
  bool stopped = false;  // because another failed
  Table table;
};

// Whether all rows of a table are there, in order.
bool HasAllInOrder(const RowRuns& origin, size_t rows) {
  size_t next = 0;
  bool in_order = !origin.some_missing();
  origin.ForEach([&](size_t, uint32_t first, size_t count) {
    in_order = in_order && first == next;
    next = first + count;
  });
  return in_order && next == rows;
}

class InputJoin {
 public:
  InputJoin(const ReportPlan& plan, BatchSource& source, const ReadOptions& options, Reservation& reservation,
            JoinTally& tally)
      : plan_(plan), source_(source), options_(options), reservation_(reservation), tally_(tally) {
    tally_.sides.resize(plan.inputs.size());
  }

  absl::StatusOr<Table> Run() {
    std::vector<ReadOutcome> inputs = ReadInputs();
    // The first that failed by itself has the reason.
    for (const ReadOutcome& input : inputs) {
      if (!input.stopped) RETURN_IF_ERROR(input.status);
    }
    for (size_t i = 0; i < plan_.inputs.size(); ++i) RETURN_IF_ERROR(TakeInput(i, inputs[i]));
    if (sides_.size() == 1) {
      table_ = std::move(sides_[0].table);
    } else {
      RETURN_IF_ERROR(JoinAll());
    }
    for (Column& column : table_.columns) {
      if (column.is_key) column.dictionary = SpellKeys(column.dictionary);
    }
    return std::move(table_);
  }

 private:
  // All inputs, read at once. After one failed, the others end early.
  std::vector<ReadOutcome> ReadInputs() {
    std::vector<ReadOutcome> inputs(plan_.inputs.size());
    std::atomic<bool> failed{false};
    InParallel(inputs.size(), [&](size_t i) {
      ReadInput(i, failed, inputs[i]);
      if (!inputs[i].status.ok()) failed = true;
    });
    return inputs;
  }

  void ReadInput(size_t i, const std::atomic<bool>& failed, ReadOutcome& input) {
    const InputPlan& plan = plan_.inputs[i];
    SideTally& tally = tally_.sides[i];
    InputSpan span;
    ScanSpan only;
    const PieceOfInputs* const piece = options_.piece;
    if (piece != nullptr) {
      span = {&piece->span, piece->fields[i]};
      only = {piece->dims[i], piece->span};
    }
    PieceMemory own;
    PieceMemory& memory = options_.memory != nullptr ? *options_.memory : own;
    InputReader reader = piece != nullptr ? InputReader(plan, reservation_, memory, i, span)
                                          : InputReader(plan, reservation_, memory.columns());
    // Records without the key may be anywhere.
    const bool narrow = piece != nullptr && !piece->span.missing;
    input.status = source_.Scan(plan.profile_id, narrow ? &only : nullptr, [&](const RecordPiece& records) {
      input.stopped = failed.load();
      if (input.stopped) return absl::CancelledError("another input failed");
      const int64_t before = reader.seen();
      RETURN_IF_ERROR(reader.Take(records));
      return CountRead(reader.seen() - before);
    });
    tally.names = reader.names();
    tally.records = reader.records();
    tally.null_measures = reader.null_measures();
    tally.saw_missing = reader.saw_missing();
    if (!input.status.ok()) input.status = Annotate(input.status, absl::StrCat("inputs[", i, "] ", plan.profile_id));
    // A wrong name explains a failure better than what it led to. What was not read to its end has not seen all names.
    const bool all_names = piece == nullptr && !absl::IsResourceExhausted(input.status);
    if (absl::Status names = tally.names.Check(plan); all_names && !names.ok()) input.status = names;
    if (input.status.ok()) input.table = reader.Finish();
  }

  // Cancelled if so many were read that reading stops.
  absl::Status CountRead(int64_t records) {
    const int64_t before = read_.fetch_add(records);
    if (before > options_.many || before + records <= options_.many) return absl::OkStatus();
    ASSIGN_OR_RETURN(const bool stops, options_.stops_at_many());
    return stops ? absl::CancelledError("too many records") : absl::OkStatus();
  }

  absl::Status TakeInput(size_t i, ReadOutcome& input) {
    const InputPlan& plan = plan_.inputs[i];
    RETURN_IF_ERROR(input.status);
    InputRows side;
    side.table = std::move(input.table);
    RETURN_IF_ERROR(Annotate(RunSteps(plan.steps, reservation_, side.table, tally_.sides[i].warnings),
                             absl::StrCat("inputs[", i, "]")));
    sides_.push_back(std::move(side));
    return absl::OkStatus();
  }

  absl::Status JoinInput(size_t i) {
    const InputPlan& plan = plan_.inputs[i];
    absl::StatusOr<JoinResult> joined =
        JoinTables(i == 1 ? sides_[0].table : table_, sides_[i].table, plan.keys, plan.kind, options_.rows_max,
                   reservation_, options_.memory != nullptr ? &options_.memory->merges() : nullptr);
    if (!joined.ok()) return Annotate(joined.status(), absl::StrCat("the join of inputs[", i, "]"));
    for (const JoinKey& key : plan.keys) {
      sides_[i].keys.push_back(key.right);
      if (i == 1) sides_[0].keys.push_back(key.left);
    }
    for (size_t before = 0; i > 1 && before < i; ++before) {
      RowRuns origin = sides_[before].origin.Through(joined->left_rows);
      RETURN_IF_ERROR(reservation_.Grow(static_cast<int64_t>(origin.runs()) * RowRuns::kBytesPerRun));
      sides_[before].origin = std::move(origin);
    }
    if (i == 1) sides_[0].origin = std::move(joined->left_rows);
    sides_[i].origin = std::move(joined->right_rows);
    if (i == 1) tally_.sides[0].repeated = joined->repeated_left;
    SideTally& tally = tally_.sides[i];
    tally.repeated = joined->repeated_right;
    tally.kinds = std::move(joined->kinds);
    tally.warnings.insert(tally.warnings.end(), joined->notes.begin(), joined->notes.end());
    table_ = std::move(joined->table);
    return absl::OkStatus();
  }

  absl::Status JoinAll() {
    const int64_t input_bytes = reservation_.needed();
    for (size_t i = 1; i < sides_.size(); ++i) RETURN_IF_ERROR(JoinInput(i));
    const BigVector<uint8_t> whole = WholeRows();
    InParallel(sides_.size(), [&](size_t i) { CountUnmatched(i, whole); });
    // The join made a new table.
    reservation_.Shrink(input_bytes);
    sides_.clear();
    return absl::OkStatus();
  }

  // For each row of the result whether all sides are in it; empty if that is so for all of them.
  BigVector<uint8_t> WholeRows() const {
    BigVector<uint8_t> whole;
    for (const InputRows& side : sides_) {
      if (!side.origin.some_missing()) continue;
      if (whole.empty()) whole.assign(table_.rows, 1);
      side.origin.ForEach([&](size_t place, uint32_t first, size_t count) {
        if (first == kNoRow) std::fill_n(whole.begin() + static_cast<int64_t>(place), count, 0);
      });
    }
    return whole;
  }

  // Rows of the side that are in no row of the result that all sides are in.
  void CountUnmatched(size_t i, const BigVector<uint8_t>& whole) {
    const Table& table = sides_[i].table;
    SideTally& tally = tally_.sides[i];
    tally.examples = KeyExamples(sides_[i].keys.size());
    if (whole.empty() && HasAllInOrder(sides_[i].origin, table.rows)) return;
    BigVector<uint8_t> matched(table.rows);
    std::memset(matched.data(), 0, matched.size());
    sides_[i].origin.ForEach([&](size_t place, uint32_t first, size_t count) {
      if (first == kNoRow) return;
      uint8_t* const rows = matched.data() + first;
      if (whole.empty()) std::fill_n(rows, count, 1);
      for (size_t k = 0; k < count && !whole.empty(); ++k) rows[k] |= whole[place + k];
    });
    std::vector<const Column*> keys;
    for (const std::string& name : sides_[i].keys) keys.push_back(table.Find(name));
    for (auto at = matched.begin(); (at = std::find(at, matched.end(), 0)) != matched.end(); ++at) {
      ++tally.unmatched;
      const size_t row = static_cast<size_t>(at - matched.begin());
      tally.examples.Offer([&](size_t d) { return keys[d] == nullptr ? Value() : keys[d]->Get(row); });
    }
  }

  const ReportPlan& plan_;
  BatchSource& source_;
  const ReadOptions& options_;
  Reservation& reservation_;
  JoinTally& tally_;
  std::atomic<int64_t> read_{0};  // records of all inputs
  std::vector<InputRows> sides_;
  Table table_;
};

}  // namespace

absl::StatusOr<Table> ReadAndJoin(const ReportPlan& plan, BatchSource& source, const ReadOptions& options,
                                  Reservation& reservation, JoinTally& tally) {
  return InputJoin(plan, source, options, reservation, tally).Run();
}

void JoinTally::Add(const JoinTally& other) {
  sides.resize(other.sides.size());
  for (size_t i = 0; i < sides.size(); ++i) {
    SideTally& side = sides[i];
    const SideTally& more = other.sides[i];
    side.names.Add(more.names);
    side.records += more.records;
    side.null_measures += more.null_measures;
    side.unmatched += more.unmatched;
    side.repeated += more.repeated;
    side.saw_missing = side.saw_missing || more.saw_missing;
    if (more.unmatched > 0) {
      if (side.unmatched == more.unmatched) side.examples = more.examples;
      side.examples.Offer(more.examples);
    }
    side.kinds.resize(std::max(side.kinds.size(), more.kinds.size()));
    for (size_t k = 0; k < more.kinds.size(); ++k) {
      side.kinds[k].left |= more.kinds[k].left;
      side.kinds[k].right |= more.kinds[k].right;
    }
    side.warnings.insert(side.warnings.end(), more.warnings.begin(), more.warnings.end());
  }
}

absl::Status JoinTally::CheckNames(const ReportPlan& plan) const {
  for (size_t i = 0; i < sides.size(); ++i) RETURN_IF_ERROR(sides[i].names.Check(plan.inputs[i]));
  return absl::OkStatus();
}

void JoinTally::Tell(const ReportPlan& plan, v1::RunReportResponse& answer) const {
  for (size_t i = 0; i < sides.size(); ++i) {
    const SideTally& side = sides[i];
    const std::string& profile_id = plan.inputs[i].profile_id;
    v1::ReportSide& out = *answer.add_sides();
    out.set_profile_id(profile_id);
    out.set_measure(plan.inputs[i].measure_text);
    out.set_records(side.records);
    out.set_null_measures(side.null_measures);
    out.set_unmatched(side.unmatched);
    if (side.unmatched > 0) {
      for (const std::string& text : side.examples.Texts()) out.add_unmatched_examples(text);
    }
    if (!side.names.saw_records()) {
      answer.add_warnings(absl::StrCat("profile ", profile_id, " has no records"));
    } else if (side.records == 0) {
      answer.add_warnings(absl::StrCat("no record of profile ", profile_id, " passes the filter"));
    }
    for (const std::string& warning : side.warnings) answer.add_warnings(warning);
    for (size_t k = 0; k < side.kinds.size(); ++k) {
      if (std::string note = NoteOfKinds(plan.inputs[i].keys[k], side.kinds[k]); !note.empty())
        answer.add_warnings(note);
    }
  }
  for (size_t i = 0; i < sides.size(); ++i) {
    if (sides[i].repeated == 0) continue;
    answer.add_warnings(absl::StrCat(sides[i].repeated, " keys occur more than once in ", plan.inputs[i].profile_id,
                                     "; each of their rows joins with every partner"));
  }
}

}  // namespace chartly::reporter
