#include "control/reporter/report_plan.h"

#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "common/status/status.h"

namespace chartly::reporter {
namespace {

absl::Status Invalid(absl::string_view reason, absl::string_view message) {
  return Error(absl::StatusCode::kInvalidArgument, reason, message);
}

// "dims.country" and "country" name the same dim.
std::string StripRole(absl::string_view name, absl::string_view prefix) {
  return std::string(absl::StripPrefix(absl::StripAsciiWhitespace(name), prefix));
}

// One entry of `join`: one name for all sides, "first=others", or one name a side.
absl::StatusOr<std::vector<std::string>> SplitJoinEntry(absl::string_view entry, size_t sides) {
  std::vector<std::string> names;
  for (absl::string_view part : absl::StrSplit(entry, '=')) {
    names.push_back(StripRole(part, "dims."));
    if (names.back().empty()) {
      return Invalid("REPORT_FIELD_INVALID", absl::StrCat("join: \"", entry, "\" lacks the name of a dim"));
    }
  }
  if (names.size() > 2 && names.size() != sides) {
    return Invalid("REPORT_FIELD_INVALID", absl::StrCat("join: \"", entry, "\" has ", names.size(), " names for ",
                                                        sides, " inputs; give one, two, or one for each input"));
  }
  while (names.size() < sides) names.push_back(names.back());
  names.resize(std::max<size_t>(sides, 1));
  return names;
}

absl::StatusOr<ReportSidePlan> PlanSide(const v1::ReportInput& input, int index) {
  ReportSidePlan side;
  side.profile_id = std::string(absl::StripPrefix(input.profile_id(), "profiles/"));
  side.measure = StripRole(input.measure(), "measures.");
  if (side.profile_id.empty()) {
    return Invalid("REPORT_FIELD_INVALID", absl::StrCat("inputs[", index, "].profile_id is empty; name a profile"));
  }
  if (side.measure.empty()) {
    return Invalid("REPORT_FIELD_INVALID", absl::StrCat("inputs[", index, "].measure is empty; name a measure"));
  }
  for (int f = 0; f < input.filter_size(); ++f) {
    absl::StatusOr<Expression> filter = Expression::Compile(input.filter(f));
    if (!filter.ok()) return Annotate(filter.status(), absl::StrCat("inputs[", index, "].filter[", f, "]"));
    side.filters.push_back(*std::move(filter));
  }
  return side;
}

void AddColumn(std::vector<std::string>& columns, const std::string& wanted) {
  std::string name = wanted;
  for (int suffix = 2; std::find(columns.begin(), columns.end(), name) != columns.end(); ++suffix) {
    name = absl::StrCat(wanted, "_", suffix);
  }
  columns.push_back(name);
}

absl::Status CheckShape(const v1::RunReportRequest& request) {
  if (request.inputs().empty()) {
    return Invalid("REPORT_INPUT_MISSING", "inputs is empty; name at least one profile and measure");
  }
  if (request.join().empty()) {
    return Invalid("REPORT_JOIN_MISSING", "join is empty; name the dims that must be equal, such as dims.geo.id");
  }
  if (request.inputs_size() > kMaxInputs || request.join_size() > kMaxJoinDims) {
    return Invalid("REPORT_FIELD_INVALID",
                   absl::StrCat("a report takes at most ", kMaxInputs, " inputs and ", kMaxJoinDims, " join dims"));
  }
  if (request.window().limit() < 0) {
    return Invalid("REPORT_FIELD_INVALID", absl::StrCat("window.limit is ", request.window().limit(),
                                                        "; it must be 0 (the default, 1000) or more"));
  }
  if (!v1::ReportType_IsValid(request.output().type())) {
    return Invalid("REPORT_FIELD_INVALID",
                   "output.type is not known; use REPORT_TYPE_TABLE or REPORT_TYPE_CORRELATION");
  }
  std::string method = absl::AsciiStrToLower(request.output().method());
  if (!method.empty() && method != "pearson" && method != "spearman") {
    return Invalid("REPORT_METHOD_UNKNOWN", absl::StrCat("output.method \"", request.output().method(),
                                                         "\" is not known; use pearson or spearman"));
  }
  if (request.output().type() == v1::REPORT_TYPE_CORRELATION && request.inputs_size() < 2) {
    return Invalid("REPORT_INPUT_MISSING", "a correlation needs two inputs; inputs has one");
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<ReportPlan> PlanReport(const v1::RunReportRequest& request) {
  RETURN_IF_ERROR(CheckShape(request));
  ReportPlan plan;
  for (int i = 0; i < request.inputs_size(); ++i) {
    ASSIGN_OR_RETURN(ReportSidePlan side, PlanSide(request.inputs(i), i));
    plan.sides.push_back(std::move(side));
  }
  for (const std::string& entry : request.join()) {
    ASSIGN_OR_RETURN(std::vector<std::string> names, SplitJoinEntry(entry, plan.sides.size()));
    AddColumn(plan.columns, names[0]);
    for (size_t i = 0; i < plan.sides.size(); ++i) plan.sides[i].dims.push_back(names[i]);
  }
  for (size_t i = 0; i < plan.sides.size(); ++i) {
    const std::string& alias = request.inputs(static_cast<int>(i)).alias();
    AddColumn(plan.columns, alias.empty() ? plan.sides[i].measure : alias);
  }
  if (request.window().limit() > 0) plan.limit = std::min(request.window().limit(), kMaxRowLimit);
  plan.want_rows = request.output().type() != v1::REPORT_TYPE_CORRELATION;
  return plan;
}

}  // namespace chartly::reporter
