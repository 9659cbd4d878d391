// A question in checked form: what the runner works from.
#ifndef CHARTLY_CONTROL_REPORTER_REPORT_PLAN_H_
#define CHARTLY_CONTROL_REPORTER_REPORT_PLAN_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "chartly/v1/reporter.pb.h"
#include "common/normalize/expression.h"
#include "control/reporter/join.h"
#include "control/reporter/step.h"

namespace chartly::reporter {

inline constexpr int32_t kDefaultRowLimit = 1000;
inline constexpr int32_t kMaxRowLimit = 100'000;
inline constexpr int kMaxInputs = 16;
inline constexpr int kMaxJoinDims = 16;
inline constexpr int kMaxFields = 64;  // of one input
inline constexpr size_t kMaxCorrelated = 32;
inline constexpr int32_t kMaxLags = 100;

// A field of a profile and its name in the report.
struct FieldPlan {
  std::string field;  // as the question names it, perhaps with "dims." before it
  std::string name;   // empty: the bare name of the field
  bool is_measure = false;
};

struct InputPlan {
  std::string profile_id;
  std::string measure_text;  // its measures, for people
  // Each once: what the join, the question and the steps name. With steps some may be names that a step makes.
  std::vector<FieldPlan> fields;
  std::vector<Expression> filters;
  std::vector<Step> steps;
  // How it joins the inputs before it; unused for the first.
  std::vector<JoinKey> keys;
  JoinKind kind = JoinKind::kInner;
};

enum class Method { kPearson, kSpearman, kKendall, kPartial };

// What the statistics are made of.
struct StatisticsPlan {
  Method method = Method::kPearson;
  std::vector<std::string> measures;  // empty: all
  std::vector<std::string> controls;
  int32_t lags = 0;
  std::string order_by;
  std::vector<std::string> over;
  double confidence = 0.95;
};

struct ReportPlan {
  std::vector<InputPlan> inputs;  // at least one
  std::vector<Step> steps;
  StatisticsPlan statistics;
  int32_t limit = kDefaultRowLimit;
  int64_t offset = 0;        // rows before the page
  uint64_t fingerprint = 0;  // of the question without its page
  bool want_rows = true;
  bool want_correlation = false;
};

// InvalidArgument with the field in the message: REPORT_JOIN_MISSING, REPORT_INPUT_MISSING, REPORT_FIELD_INVALID,
// REPORT_METHOD_UNKNOWN, REPORT_STEP_INVALID, PAGE_TOKEN_INVALID, EXPRESSION_INVALID of a filter, or what is wrong with
// a function. A limit above the maximum is lowered to it.
absl::StatusOr<ReportPlan> PlanReport(const v1::RunReportRequest& request);

// The token of the page that begins at `offset`.
std::string PageToken(const ReportPlan& plan, int64_t offset);

}  // namespace chartly::reporter

#endif  // CHARTLY_CONTROL_REPORTER_REPORT_PLAN_H_
