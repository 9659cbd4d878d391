// Whether a report can be answered piece by piece, and which pieces those are.
//
// A piece is a span of the values of one key that all inputs are joined on and that the first group of the steps is by:
// no group has rows of two pieces, so the groups of all pieces are those of the report, whatever is reckoned of them.
// Each chunk that is sealed in order of that key lies in one piece or two, and only a few pieces are in memory at once.
#ifndef CHARTLY_CONTROL_REPORTER_PIECE_PLANNER_H_
#define CHARTLY_CONTROL_REPORTER_PIECE_PLANNER_H_

#include <cstdint>
#include <optional>
#include <vector>

#include "absl/status/statusor.h"
#include "control/reporter/batch_source.h"
#include "control/reporter/input_join.h"
#include "control/reporter/report_plan.h"

namespace chartly::reporter {

struct PiecePlan {
  size_t group = 0;                   // the step that each piece is taken up to, it included
  std::vector<PieceOfInputs> pieces;  // in order of the key; without the records that lack it
  size_t at_once = 1;                 // that the memory has room for
};

struct PieceLimits {
  int64_t memory_bytes = 0;   // that the report may take
  int64_t rows = 0;           // of all inputs that a piece should have; it has as many as one chunk of each at least
  int64_t reads_percent = 0;  // of all rows that pieces may read, since those at their bounds are read twice
  bool must = false;          // it did not fit as it was, and pieces may read more
};

// Nothing if the report is answered as well whole, or can only be. The errors of the source.
absl::StatusOr<std::optional<PiecePlan>> PlanPieces(const ReportPlan& plan, BatchSource& source,
                                                    const PieceLimits& limits);

}  // namespace chartly::reporter

#endif  // CHARTLY_CONTROL_REPORTER_PIECE_PLANNER_H_
