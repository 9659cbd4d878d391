// Answers reports: reads each input, joins them, takes the rows through the steps, and measures how the columns go
// together. The same question over the same records gives the same bytes, whether it is answered whole or, as large
// reports with groups are, piece by piece (piece_planner.h).
//
// Thread-safe; all reports together keep within the memory of the options.
#ifndef CHARTLY_CONTROL_REPORTER_REPORT_RUNNER_H_
#define CHARTLY_CONTROL_REPORTER_REPORT_RUNNER_H_

#include <cstdint>

#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"
#include "chartly/v1/reporter.pb.h"
#include "control/reporter/batch_source.h"
#include "control/reporter/memory_budget.h"
#include "control/reporter/report_plan.h"
#include "control/reporter/table.h"

namespace chartly::reporter {

struct ReportOptions {
  int64_t memory_bytes_max = int64_t{256} << 20;
  int64_t rows_max = 20'000'000;
  // Rows of all inputs that a piece should have; a report over four times as many is answered in pieces if it can be.
  int64_t piece_rows = int64_t{1} << 20;
  // What pieces may read at most to be worth it, in percent of all rows: those at the bounds of pieces are read twice.
  int64_t piece_reads_percent = 130;
  // Rows of one answer, so that it stays below the largest message.
  int64_t answer_bytes_max = int64_t{6} << 20;
};

class ReportRunner {
 public:
  explicit ReportRunner(const ReportOptions& options) : options_(options), budget_(options.memory_bytes_max) {}

  // InvalidArgument (REPORT_UNKNOWN_FIELD) if a name is in no record of its profile, ResourceExhausted
  // (REPORT_TOO_LARGE) if the join does not fit, or the error of the source. A profile without records gives an answer
  // without rows and a warning.
  absl::StatusOr<v1::RunReportResponse> Run(const ReportPlan& plan, BatchSource& source);
  // Calls `take` with the table of rows. The errors of Run, or what `take` gives.
  absl::Status RunTable(const ReportPlan& plan, BatchSource& source,
                        absl::FunctionRef<absl::Status(const Table& table)> take);

 private:
  const ReportOptions options_;
  MemoryBudget budget_;
};

}  // namespace chartly::reporter

#endif  // CHARTLY_CONTROL_REPORTER_REPORT_RUNNER_H_
