// A question in checked form: what the runner works from.
#ifndef CHARTLY_CONTROL_REPORTER_REPORT_PLAN_H_
#define CHARTLY_CONTROL_REPORTER_REPORT_PLAN_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "chartly/v1/reporter.pb.h"
#include "common/normalize/expression.h"

namespace chartly::reporter {

inline constexpr int32_t kDefaultRowLimit = 1000;
inline constexpr int32_t kMaxRowLimit = 100'000;
inline constexpr int kMaxInputs = 16;
inline constexpr int kMaxJoinDims = 16;

struct ReportSidePlan {
  std::string profile_id;
  std::string measure;            // without "measures."
  std::vector<std::string> dims;  // the join dims as this side calls them, without "dims."
  std::vector<Expression> filters;
};

struct ReportPlan {
  std::vector<ReportSidePlan> sides;  // at least one
  std::vector<std::string> columns;   // join dims, then measures; no two are equal
  int32_t limit = kDefaultRowLimit;
  bool want_rows = true;
};

// InvalidArgument with the field in the message: REPORT_JOIN_MISSING, REPORT_INPUT_MISSING, REPORT_FIELD_INVALID,
// REPORT_METHOD_UNKNOWN, or EXPRESSION_INVALID of a filter. A limit above the maximum is lowered to it.
absl::StatusOr<ReportPlan> PlanReport(const v1::RunReportRequest& request);

}  // namespace chartly::reporter

#endif  // CHARTLY_CONTROL_REPORTER_REPORT_PLAN_H_
