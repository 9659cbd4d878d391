#include "control/reporter/piece_planner.h"

#include <algorithm>
#include <set>
#include <string>
#include <utility>
#include <variant>

#include "absl/strings/match.h"
#include "common/status/status.h"
#include "control/reporter/parallel.h"

namespace chartly::reporter {
namespace {

// Where memory asks for pieces, they may read more, but not for ever.
constexpr int64_t kReadsPercentMax = 1600;

// A key by which the report may be cut, as the inputs have it.
struct Candidate {
  std::vector<size_t> fields;
  std::vector<std::string> dims;
};

// The field of an input that becomes the column of that name; nothing if there is none, or it cannot be a dim.
std::optional<size_t> FieldOf(const InputPlan& input, const std::string& column) {
  std::optional<size_t> found;
  for (size_t f = 0; f < input.fields.size(); ++f) {
    const FieldPlan& field = input.fields[f];
    if ((field.name.empty() ? BareName(field.field) : field.name) != column) continue;
    // Of two that are named alike one has another name in the end.
    if (found || field.is_measure) return std::nullopt;
    if (absl::StartsWith(field.field, "attrs.") || absl::StartsWith(field.field, "measures.")) return std::nullopt;
    found = f;
  }
  return found;
}

// The first group, if all steps before it look at one row at a time and leave the keys as they are.
std::optional<size_t> FirstGroup(const std::vector<Step>& steps, const std::string* unless_made = nullptr) {
  for (size_t i = 0; i < steps.size(); ++i) {
    if (std::holds_alternative<GroupStep>(steps[i])) return i;
    if (const auto* derive = std::get_if<DeriveStep>(&steps[i])) {
      if (unless_made != nullptr && derive->name == *unless_made) return std::nullopt;
    } else if (!std::holds_alternative<FilterStep>(steps[i])) {
      return std::nullopt;
    }
  }
  return std::nullopt;
}

std::optional<Candidate> CandidateOf(const ReportPlan& plan, const GroupKey& key) {
  const std::string column = BareName(key.column);
  if (key.bucket || !FirstGroup(plan.steps, &column)) return std::nullopt;
  Candidate candidate;
  for (size_t i = 0; i < plan.inputs.size(); ++i) {
    std::string own = column;
    if (i > 0) {
      const std::vector<JoinKey>& keys = plan.inputs[i].keys;
      auto joined = std::find_if(keys.begin(), keys.end(), [&](const JoinKey& one) {
        return BareName(one.left) == column && one.rules == nullptr && !one.nearest;
      });
      if (joined == keys.end()) return std::nullopt;
      own = BareName(joined->right);
    }
    const std::optional<size_t> field = FieldOf(plan.inputs[i], own);
    if (!field) return std::nullopt;
    candidate.fields.push_back(*field);
    candidate.dims.push_back(BareName(plan.inputs[i].fields[*field].field));
  }
  return candidate;
}

// Without rules, whose refusals are counted over all values at once, and steps of single inputs, which see all rows.
bool CanBeCut(const ReportPlan& plan) {
  return std::all_of(plan.inputs.begin(), plan.inputs.end(), [](const InputPlan& input) {
    return input.steps.empty() &&
           std::all_of(input.keys.begin(), input.keys.end(), [](const JoinKey& key) { return key.rules == nullptr; });
  });
}

// Spans that begin where stretches do, of at least so many rows each.
std::vector<KeySpan> CutSpans(const std::vector<KeyStretch>& stretches, int64_t rows_wanted) {
  std::vector<const KeyStretch*> order;
  for (const KeyStretch& stretch : stretches) order.push_back(&stretch);
  std::sort(order.begin(), order.end(), [](const KeyStretch* a, const KeyStretch* b) { return a->min < b->min; });
  std::vector<KeySpan> spans(1);
  int64_t rows = 0;
  for (const KeyStretch* stretch : order) {
    if (rows >= rows_wanted && stretch->min > spans.back().from) {
      spans.back().below = stretch->min;
      spans.push_back({stretch->min, "", false});
      rows = 0;
    }
    rows += stretch->rows;
  }
  return spans;
}

// What cutting comes to.
struct Cut {
  std::vector<KeySpan> spans;
  int64_t rows = 0;  // that all pieces read
  int64_t most = 0;  // that one piece may keep
};

Cut CutBy(const std::vector<KeyStretch>& stretches, int64_t rows_wanted) {
  Cut cut;
  cut.spans = CutSpans(stretches, rows_wanted);
  for (const KeySpan& span : cut.spans) {
    int64_t rows = 0;
    for (const KeyStretch& stretch : stretches) rows += MayMeet(stretch, span) ? stretch.rows : 0;
    cut.rows += rows;
    cut.most = std::max(cut.most, rows);
  }
  return cut;
}

// About what a row of an input takes at most while it is read, joined, and grouped.
int64_t RowBytes(const ReportPlan& plan) {
  constexpr int64_t kRow = 40;  // its key, its order, its place in the join and in its group
  constexpr int64_t kField = 20;
  size_t fields = 0;
  for (const InputPlan& input : plan.inputs) fields = std::max(fields, input.fields.size());
  return kRow + kField * static_cast<int64_t>(fields);
}

}  // namespace

absl::StatusOr<std::optional<PiecePlan>> PlanPieces(const ReportPlan& plan, BatchSource& source,
                                                    const PieceLimits& limits) {
  const std::optional<size_t> group = FirstGroup(plan.steps);
  if (!group || !CanBeCut(plan)) return std::nullopt;
  const int64_t rows_fit = limits.memory_bytes / RowBytes(plan);
  const auto threads = static_cast<int64_t>(AllThreads());
  const int64_t rows_wanted = std::clamp<int64_t>(rows_fit / threads, 1, limits.rows);
  std::optional<PiecePlan> best;
  int64_t best_rows = 0;
  for (const GroupKey& key : std::get<GroupStep>(plan.steps[*group]).keys) {
    const std::optional<Candidate> candidate = CandidateOf(plan, key);
    if (!candidate) continue;
    std::vector<KeyStretch> stretches;
    int64_t rows = 0;
    for (size_t i = 0; i < plan.inputs.size(); ++i) {
      ASSIGN_OR_RETURN(std::vector<KeyStretch> of_input, source.Outline(plan.inputs[i].profile_id, candidate->dims[i]));
      for (const KeyStretch& stretch : of_input) rows += stretch.rows;
      stretches.insert(stretches.end(), of_input.begin(), of_input.end());
    }
    const bool fits = !limits.must && rows <= rows_fit;
    if (fits && rows <= 4 * limits.rows) return std::nullopt;
    Cut cut = CutBy(stretches, rows_wanted);
    if (cut.spans.size() < 2 || cut.rows * 100 > rows * (fits ? limits.reads_percent : kReadsPercentMax)) continue;
    if (best && best_rows <= cut.rows) continue;
    best_rows = cut.rows;
    best.emplace();
    best->group = *group;
    best->at_once = static_cast<size_t>(std::clamp<int64_t>(rows_fit / std::max<int64_t>(1, cut.most), 1, threads));
    for (KeySpan& span : cut.spans) best->pieces.push_back({std::move(span), candidate->fields, candidate->dims});
  }
  return best;
}

}  // namespace chartly::reporter
