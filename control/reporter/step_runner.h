// Takes a table through steps. Pure functions.
#ifndef CHARTLY_CONTROL_REPORTER_STEP_RUNNER_H_
#define CHARTLY_CONTROL_REPORTER_STEP_RUNNER_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "control/reporter/memory_budget.h"
#include "control/reporter/step.h"
#include "control/reporter/table.h"

namespace chartly::reporter {

// At most so many values of one column become columns of a pivot.
inline constexpr size_t kMaxPivotColumns = 200;

// Replaces `table` by what the steps make of it and adds to `warnings`. InvalidArgument with "steps[2]" in front:
// REPORT_UNKNOWN_FIELD, REPORT_STEP_INVALID; ResourceExhausted (REPORT_TOO_LARGE) if a step does not fit.
absl::Status RunSteps(const std::vector<Step>& steps, Reservation& reservation, Table& table,
                      std::vector<std::string>& warnings);
// Those from `begin` on and before `end`.
absl::Status RunSteps(const std::vector<Step>& steps, size_t begin, size_t end, Reservation& reservation, Table& table,
                      std::vector<std::string>& warnings);

// The steps, one a file where they are long.
absl::StatusOr<Table> RunGroup(const GroupStep& step, const Table& table);
absl::StatusOr<Table> RunPivot(const PivotStep& step, const Table& table);
absl::StatusOr<Column> RunWindow(const WindowStep& step, const Table& table, std::vector<std::string>& warnings);
absl::Status RunRegress(const RegressStep& step, Table& table);

// The column as a key, whatever it is; values of a measure then have their one spelling.
Column AsKey(const Column& column);

}  // namespace chartly::reporter

#endif  // CHARTLY_CONTROL_REPORTER_STEP_RUNNER_H_
