#include "control/reporter/field_names.h"

#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/status/status.h"
#include "control/reporter/table.h"

namespace chartly::reporter {
namespace {

constexpr std::pair<const char*, Role> kPrefixes[] = {
    {"dims.", Role::kDim}, {"measures.", Role::kMeasure}, {"attrs.", Role::kAttr}};

}  // namespace

void FieldNames::Add(const RecordRows& records) {
  if (records.rows() == 0) return;
  saw_records_ = true;
  records.ForEachField([this](Role role, const std::string& name) { names_[static_cast<size_t>(role)].insert(name); });
}

void FieldNames::Add(const FieldNames& other) {
  saw_records_ = saw_records_ || other.saw_records_;
  for (size_t role = 0; role < std::size(names_); ++role) {
    names_[role].insert(other.names_[role].begin(), other.names_[role].end());
  }
}

bool FieldNames::Resolve(absl::string_view name, bool measure_first, Role& role, std::string& bare) const {
  for (const auto& [prefix, prefix_role] : kPrefixes) {
    if (!absl::StartsWith(name, prefix)) continue;
    role = prefix_role;
    bare = std::string(name.substr(absl::string_view(prefix).size()));
    return Has(role, bare);
  }
  bare = std::string(name);
  std::vector<Role> order = {Role::kDim, Role::kMeasure, Role::kAttr};
  if (measure_first) order = {Role::kMeasure};
  for (Role candidate : order) {
    if (!Has(candidate, bare)) continue;
    role = candidate;
    return true;
  }
  role = measure_first ? Role::kMeasure : Role::kDim;
  return false;
}

absl::Status FieldNames::Unknown(const InputPlan& plan, absl::string_view what, absl::string_view name) const {
  std::vector<std::string> known;
  for (const auto& [prefix, role] : kPrefixes) {
    for (const std::string& field : names_[static_cast<size_t>(role)]) known.push_back(absl::StrCat(prefix, field));
  }
  return Error(absl::StatusCode::kInvalidArgument, "REPORT_UNKNOWN_FIELD",
               absl::StrCat("the records of profile ", plan.profile_id, " have no ", what, " \"", name,
                            "\"; they have ", absl::StrJoin(known, ", ")),
               {{"profile_id", plan.profile_id}, {"field", std::string(name)}});
}

absl::Status FieldNames::Check(const InputPlan& plan) const {
  if (!saw_records_) return absl::OkStatus();
  Role role;
  std::string bare;
  for (const FieldPlan& field : plan.fields) {
    // A step may make what is not there; if it does not, the step that reads it says so.
    if (Resolve(field.field, field.is_measure, role, bare) || (!field.is_measure && !plan.steps.empty())) continue;
    return Unknown(plan, field.is_measure ? "measure" : "dim", BareName(field.field));
  }
  for (const Expression& filter : plan.filters) {
    for (const std::string& name : filter.names()) {
      if (!Resolve(name, false, role, bare)) return Unknown(plan, "field", name);
    }
  }
  return absl::OkStatus();
}

}  // namespace chartly::reporter
