#include "control/aggregator/record_filter.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "common/status/status.h"

namespace chartly::aggregator {

bool SplitFieldName(absl::string_view name, Role& role, std::string& rest) {
  if (absl::ConsumePrefix(&name, "dims.")) {
    role = Role::kDim;
  } else if (absl::ConsumePrefix(&name, "measures.")) {
    role = Role::kMeasure;
  } else if (absl::ConsumePrefix(&name, "attrs.")) {
    role = Role::kAttr;
  } else {
    return false;
  }
  rest = std::string(name);
  return !rest.empty();
}

absl::StatusOr<RecordFilter> RecordFilter::Compile(const std::vector<std::string>& conditions) {
  RecordFilter filter;
  for (const std::string& text : conditions) {
    absl::StatusOr<Expression> expression = Expression::Compile(text);
    if (!expression.ok()) return Annotate(expression.status(), absl::StrCat("filter \"", text, "\""));
    Condition condition{*std::move(expression), {}, {}};
    for (const std::string& name : condition.expression.names()) {
      Role role = Role::kDim;
      std::string rest;
      if (!SplitFieldName(name, role, rest)) {
        return Error(absl::StatusCode::kInvalidArgument, "FILTER_NAME_UNKNOWN",
                     absl::StrCat("filter \"", text, "\": \"", name, "\" is no field of a record; write dims.", name,
                                  ", measures.", name, " or attrs.", name),
                     {{"name", name}});
      }
      condition.names.emplace_back(role, rest);
    }
    filter.conditions_.push_back(std::move(condition));
  }
  return filter;
}

void RecordFilter::Bind(const Batch& batch) {
  for (Condition& condition : conditions_) {
    condition.columns.clear();
    for (const auto& [role, name] : condition.names) condition.columns.push_back(batch.Find(role, name));
  }
}

bool RecordFilter::Matches(uint32_t row) const {
  for (const Condition& condition : conditions_) {
    bool holds = condition.expression.Matches([&](size_t name) {
      for (const BatchColumn* column : condition.columns[name]) {
        if (!column->IsNull(row)) return column->Get(row);
      }
      return Value();
    });
    if (!holds) return false;
  }
  return true;
}

}  // namespace chartly::aggregator
