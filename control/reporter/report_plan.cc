#include "control/reporter/report_plan.h"

#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "common/status/status.h"
#include "control/reporter/join_entry.h"
#include "control/reporter/step_names.h"

namespace chartly::reporter {
namespace {

absl::Status Invalid(absl::string_view reason, absl::string_view message) {
  return Error(absl::StatusCode::kInvalidArgument, reason, message);
}

// "gdp.usd as gdp"
FieldPlan ParseField(absl::string_view text, bool is_measure) {
  FieldPlan field;
  field.is_measure = is_measure;
  size_t as = text.find(" as ");
  field.field = std::string(absl::StripAsciiWhitespace(text.substr(0, as)));
  if (as != text.npos) field.name = std::string(absl::StripAsciiWhitespace(text.substr(as + 4)));
  return field;
}

void AddField(const FieldPlan& field, InputPlan& input) {
  std::string bare = BareName(field.field);
  for (const FieldPlan& present : input.fields) {
    if (BareName(present.field) == bare && (present.name == field.name || field.name.empty())) return;
  }
  input.fields.push_back(field);
}

absl::StatusOr<std::vector<Step>> ParseSteps(const google::protobuf::RepeatedPtrField<std::string>& texts,
                                             absl::string_view where) {
  if (texts.size() > kMaxSteps) {
    return Invalid("REPORT_FIELD_INVALID",
                   absl::StrCat(where, "steps has ", texts.size(), " entries; at most ", kMaxSteps, " are allowed"));
  }
  std::vector<Step> steps;
  for (int i = 0; i < texts.size(); ++i) {
    absl::StatusOr<Step> step = ParseStep(texts[i]);
    if (!step.ok()) return Annotate(step.status(), absl::StrCat(where, "steps[", i, "]"));
    steps.push_back(*std::move(step));
  }
  return steps;
}

absl::Status PlanMeasures(const v1::ReportInput& input, const std::string& where, InputPlan& plan) {
  std::vector<std::string> names;
  if (!absl::StripAsciiWhitespace(input.measure()).empty()) {
    FieldPlan field = ParseField(input.measure(), true);
    if (!input.alias().empty()) field.name = input.alias();
    names.push_back(BareName(field.field));
    plan.fields.push_back(std::move(field));
  }
  for (int m = 0; m < input.measures_size(); ++m) {
    FieldPlan field = ParseField(input.measures(m), true);
    if (BareName(field.field).empty()) {
      return Invalid("REPORT_FIELD_INVALID", absl::StrCat(where, "measures[", m, "] is empty; name a measure"));
    }
    names.push_back(BareName(field.field));
    plan.fields.push_back(std::move(field));
  }
  if (names.empty() && input.dims().empty() && input.steps().empty()) {
    return Invalid("REPORT_FIELD_INVALID", absl::StrCat(where, "measure is empty; name a measure"));
  }
  plan.measure_text = absl::StrJoin(names, ", ");
  return absl::OkStatus();
}

absl::StatusOr<InputPlan> PlanInput(const v1::ReportInput& input, int index) {
  std::string where = absl::StrCat("inputs[", index, "].");
  InputPlan plan;
  plan.profile_id = std::string(absl::StripPrefix(input.profile_id(), "profiles/"));
  if (plan.profile_id.empty()) {
    return Invalid("REPORT_FIELD_INVALID", absl::StrCat(where, "profile_id is empty; name a profile"));
  }
  if (input.measures_size() + input.dims_size() > kMaxFields) {
    return Invalid("REPORT_FIELD_INVALID", absl::StrCat(where, "measures and dims name more than ", kMaxFields));
  }
  for (const std::string& dim : input.dims()) AddField(ParseField(dim, false), plan);
  RETURN_IF_ERROR(PlanMeasures(input, where, plan));
  for (int f = 0; f < input.filter_size(); ++f) {
    absl::StatusOr<Expression> filter = Expression::Compile(input.filter(f));
    if (!filter.ok()) return Annotate(filter.status(), absl::StrCat(where, "filter[", f, "]"));
    plan.filters.push_back(*std::move(filter));
  }
  ASSIGN_OR_RETURN(plan.steps, ParseSteps(input.steps(), where));
  for (const std::string& name : NamesReadBy(plan.steps)) AddField({name, "", false}, plan);
  return plan;
}

JoinKind KindOf(const v1::RunReportRequest& request, const v1::ReportInput& input) {
  v1::JoinKind kind = input.kind() != v1::JOIN_KIND_UNSPECIFIED ? input.kind() : request.kind();
  if (kind == v1::JOIN_KIND_LEFT) return JoinKind::kLeft;
  return kind == v1::JOIN_KIND_OUTER ? JoinKind::kOuter : JoinKind::kInner;
}

// The name of an entry that is meant for one input: one name for all, "first=others", or one name an input.
absl::StatusOr<std::string> NameFor(const JoinEntry& entry, size_t input, size_t inputs, absl::string_view where) {
  if (entry.names.size() > 2 && entry.names.size() != inputs) {
    return Invalid("REPORT_FIELD_INVALID", absl::StrCat(where, " has ", entry.names.size(), " names for ", inputs,
                                                        " inputs; give one, two, or one for each input"));
  }
  return entry.names[std::min(input, entry.names.size() - 1)];
}

// The fields that a join reads stand before all others, in the order of the question.
void AddKeyFields(const std::vector<std::string>& names, InputPlan& input) {
  std::vector<FieldPlan> others = std::move(input.fields);
  input.fields.clear();
  for (const std::string& name : names) AddField({name, "", false}, input);
  for (const FieldPlan& field : others) {
    if (field.is_measure) {
      input.fields.push_back(field);
    } else {
      AddField(field, input);
    }
  }
}

absl::Status PutNearestLast(std::vector<JoinKey>& keys, absl::string_view where) {
  auto is_nearest = [](const JoinKey& key) { return key.nearest.has_value(); };
  if (std::count_if(keys.begin(), keys.end(), is_nearest) > 1) {
    return Invalid("REPORT_FIELD_INVALID", absl::StrCat(where, " has more than one key with nearest"));
  }
  std::stable_partition(keys.begin(), keys.end(), [&](const JoinKey& key) { return !is_nearest(key); });
  return absl::OkStatus();
}

// Keys that are the same for all inputs.
absl::Status PlanSharedKeys(const v1::RunReportRequest& request, ReportPlan& plan) {
  std::vector<std::vector<std::string>> names(plan.inputs.size());
  for (int j = 0; j < request.join_size(); ++j) {
    std::string where = absl::StrCat("join[", j, "]");
    ASSIGN_OR_RETURN(JoinEntry entry, ParseJoinEntry(request.join(j), where));
    for (size_t i = 0; i < plan.inputs.size(); ++i) {
      if (request.inputs(static_cast<int>(i)).on_size() > 0) continue;
      ASSIGN_OR_RETURN(std::string name, NameFor(entry, i, plan.inputs.size(), where));
      names[i].push_back(name);
      if (i > 0) plan.inputs[i].keys.push_back({BareName(entry.names[0]), BareName(name), entry.rules, entry.nearest});
    }
  }
  for (size_t i = 0; i < plan.inputs.size(); ++i) AddKeyFields(names[i], plan.inputs[i]);
  return absl::OkStatus();
}

// Keys of one input alone. What they name on the left may be a field of any input before.
absl::Status PlanOwnKeys(const v1::ReportInput& input, size_t index, ReportPlan& plan) {
  std::vector<std::string> names;
  for (int j = 0; j < input.on_size(); ++j) {
    std::string where = absl::StrCat("inputs[", index, "].on[", j, "]");
    ASSIGN_OR_RETURN(JoinEntry entry, ParseJoinEntry(input.on(j), where));
    if (entry.names.size() > 2) return Invalid("REPORT_FIELD_INVALID", absl::StrCat(where, " has more than two names"));
    JoinKey key{BareName(entry.names[0]), BareName(entry.names.back()), entry.rules, entry.nearest};
    names.push_back(entry.names.back());
    bool known = false;
    for (size_t i = 0; i < index; ++i) {
      for (const FieldPlan& field : plan.inputs[i].fields) {
        known = known || field.name == key.left || BareName(field.field) == key.left;
      }
    }
    if (!known) AddField({entry.names[0], "", false}, plan.inputs[0]);
    plan.inputs[index].keys.push_back(std::move(key));
  }
  if (!names.empty()) AddKeyFields(names, plan.inputs[index]);
  return absl::OkStatus();
}

absl::Status CheckShape(const v1::RunReportRequest& request) {
  if (request.inputs().empty()) {
    return Invalid("REPORT_INPUT_MISSING", "inputs is empty; name at least one profile and measure");
  }
  const v1::ReportInput& first = request.inputs(0);
  bool several = request.inputs_size() > 1;
  bool alone = first.dims().empty() && first.steps().empty() && request.steps().empty() && first.measures_size() < 2;
  bool own_keys = std::all_of(request.inputs().begin() + 1, request.inputs().end(),
                              [](const v1::ReportInput& input) { return input.on_size() > 0; });
  if (request.join().empty() && (several ? !own_keys : alone)) {
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
  bool one_measure = !several && first.measures_size() < 2 && first.steps().empty() && request.steps().empty();
  if (request.output().type() == v1::REPORT_TYPE_CORRELATION && one_measure && first.measures().empty()) {
    return Invalid("REPORT_INPUT_MISSING", "a correlation needs two inputs, or two measures of one; inputs has one");
  }
  return absl::OkStatus();
}

absl::StatusOr<Method> ParseMethod(const v1::ReportOutput& output) {
  static constexpr std::pair<const char*, Method> kMethods[] = {{"", Method::kPearson},
                                                                {"pearson", Method::kPearson},
                                                                {"spearman", Method::kSpearman},
                                                                {"kendall", Method::kKendall},
                                                                {"partial", Method::kPartial}};
  std::string method = absl::AsciiStrToLower(output.method());
  for (const auto& [name, known] : kMethods) {
    if (method != name) continue;
    if (known == Method::kPartial && output.controls().empty()) {
      return Invalid("REPORT_FIELD_INVALID",
                     "output.controls is empty; a partial correlation needs columns to take out");
    }
    return known;
  }
  return Invalid("REPORT_METHOD_UNKNOWN", absl::StrCat("output.method \"", output.method(),
                                                       "\" is not known; use pearson, spearman, kendall or partial"));
}

absl::StatusOr<StatisticsPlan> PlanStatistics(const v1::ReportOutput& output) {
  StatisticsPlan plan;
  ASSIGN_OR_RETURN(plan.method, ParseMethod(output));
  if (static_cast<size_t>(std::max(output.measures_size(), output.controls_size())) > kMaxCorrelated) {
    return Invalid("REPORT_FIELD_INVALID", absl::StrCat("output names more than ", kMaxCorrelated, " columns"));
  }
  plan.measures.assign(output.measures().begin(), output.measures().end());
  plan.controls.assign(output.controls().begin(), output.controls().end());
  plan.over.assign(output.over().begin(), output.over().end());
  plan.order_by = output.order_by();
  plan.lags = output.lags();
  if (plan.lags < 0 || plan.lags > kMaxLags) {
    return Invalid("REPORT_FIELD_INVALID",
                   absl::StrCat("output.lags is ", plan.lags, "; it goes from 0 to ", kMaxLags));
  }
  if (plan.lags > 0 && plan.order_by.empty()) {
    return Invalid("REPORT_FIELD_INVALID", "output.order_by is empty; lags need the column that gives the order");
  }
  if (output.confidence() != 0) plan.confidence = output.confidence();
  if (!(plan.confidence > 0 && plan.confidence < 1)) {
    return Invalid("REPORT_FIELD_INVALID", "output.confidence must lie between 0 and 1, such as 0.95");
  }
  return plan;
}

// FNV-1a: the same on every machine.
uint64_t Fingerprint(v1::RunReportRequest request) {
  request.clear_window();
  uint64_t hash = 0xcbf29ce484222325;
  for (char c : request.SerializeAsString()) hash = (hash ^ static_cast<uint8_t>(c)) * 0x100000001b3;
  return hash;
}

absl::Status PlanPage(const v1::RunReportRequest& request, ReportPlan& plan) {
  const v1::ReportWindow& window = request.window();
  if (window.limit() > 0) plan.limit = std::min(window.limit(), kMaxRowLimit);
  plan.fingerprint = Fingerprint(request);
  if (window.page_token().empty()) return absl::OkStatus();
  absl::string_view offset = absl::string_view(window.page_token()).substr(0, window.page_token().find('-'));
  if (absl::SimpleAtoi(offset, &plan.offset) && plan.offset > 0 &&
      PageToken(plan, plan.offset) == window.page_token()) {
    return absl::OkStatus();
  }
  return Invalid("PAGE_TOKEN_INVALID", "window.page_token does not belong to this question; begin without one");
}

}  // namespace

std::string PageToken(const ReportPlan& plan, int64_t offset) {
  return absl::StrCat(offset, "-", absl::Hex(plan.fingerprint, absl::kZeroPad16));
}

absl::StatusOr<ReportPlan> PlanReport(const v1::RunReportRequest& request) {
  RETURN_IF_ERROR(CheckShape(request));
  ReportPlan plan;
  for (int i = 0; i < request.inputs_size(); ++i) {
    ASSIGN_OR_RETURN(InputPlan input, PlanInput(request.inputs(i), i));
    input.kind = KindOf(request, request.inputs(i));
    plan.inputs.push_back(std::move(input));
  }
  RETURN_IF_ERROR(PlanSharedKeys(request, plan));
  for (size_t i = 1; i < plan.inputs.size(); ++i) {
    RETURN_IF_ERROR(PlanOwnKeys(request.inputs(static_cast<int>(i)), i, plan));
    RETURN_IF_ERROR(PutNearestLast(plan.inputs[i].keys, absl::StrCat("the join of inputs[", i, "]")));
  }
  ASSIGN_OR_RETURN(plan.steps, ParseSteps(request.steps(), ""));
  ASSIGN_OR_RETURN(plan.statistics, PlanStatistics(request.output()));
  RETURN_IF_ERROR(PlanPage(request, plan));
  plan.want_correlation = request.output().type() == v1::REPORT_TYPE_CORRELATION;
  plan.want_rows = !plan.want_correlation;
  return plan;
}

}  // namespace chartly::reporter
