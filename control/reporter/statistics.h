// Measures how the columns of a report go together, and writes it into the answer.
//
// Pure functions. Pairs are taken in the order of the table, so equal tables give equal bits.
#ifndef CHARTLY_CONTROL_REPORTER_STATISTICS_H_
#define CHARTLY_CONTROL_REPORTER_STATISTICS_H_

#include "absl/status/status.h"
#include "chartly/v1/reporter.pb.h"
#include "control/reporter/memory_budget.h"
#include "control/reporter/report_plan.h"
#include "control/reporter/table.h"

namespace chartly::reporter {

// Rows past which Kendall's tau is only computed if it is meant.
inline constexpr int64_t kKendallRows = 100'000;

// Fills n, pearson, spearman, correlations and regression, and adds warnings; nothing if there are fewer than two
// measures. InvalidArgument (REPORT_UNKNOWN_FIELD) for a column that is not there, (REPORT_INPUT_MISSING) if a
// correlation is asked for and there are fewer than two measures; ResourceExhausted (REPORT_TOO_LARGE).
absl::Status FillStatistics(const ReportPlan& plan, const Table& table, Reservation& reservation,
                            v1::RunReportResponse& answer);

}  // namespace chartly::reporter

#endif  // CHARTLY_CONTROL_REPORTER_STATISTICS_H_
