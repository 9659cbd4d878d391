#include "control/aggregator/record_filter.h"

#include "absl/strings/str_cat.h"
#include "common/status/status.h"
#include "control/aggregator/record_block.h"
#include "control/aggregator/record_projection.h"

namespace chartly::aggregator {

namespace {

constexpr char kUnknown = 2;

// A row as an expression sees it.
class RowLookup final : public Expression::Lookup {
 public:
  RowLookup(const std::vector<std::vector<const ColumnData*>>& columns, uint32_t row) : columns_(columns), row_(row) {}
  Expression::Operand Find(size_t name) const override {
    using Kind = Expression::Operand::Kind;
    for (const ColumnData* column : columns_[name]) {
      if (column->IsNull(row_)) continue;
      if (column->type == ValueType::kText) return {Kind::kText, column->Text(row_), Value()};
      return {Kind::kValue, "", column->Get(row_)};
    }
    return {};
  }

 private:
  const std::vector<std::vector<const ColumnData*>>& columns_;
  const uint32_t row_;
};

}  // namespace

absl::StatusOr<RecordFilter> RecordFilter::Compile(const std::vector<std::string>& conditions) {
  RecordFilter filter;
  for (const std::string& text : conditions) {
    absl::StatusOr<Expression> expression = Expression::Compile(text);
    if (!expression.ok()) return Annotate(expression.status(), absl::StrCat("filter \"", text, "\""));
    Condition condition{*std::move(expression), {}, {}, nullptr, {}};
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

std::vector<std::pair<Role, std::string>> RecordFilter::names() const {
  std::vector<std::pair<Role, std::string>> names;
  for (const Condition& condition : conditions_) {
    names.insert(names.end(), condition.names.begin(), condition.names.end());
  }
  return names;
}

void RecordFilter::Bind(const ColumnSet& columns) {
  for (Condition& condition : conditions_) {
    condition.columns.clear();
    for (const auto& [role, name] : condition.names) condition.columns.push_back(FindField(columns, role, name));
    condition.single = nullptr;
    condition.by_entry.clear();
    condition.before.reset();
    if (condition.columns.size() != 1 || condition.columns[0].size() != 1) continue;
    const ColumnData* column = condition.columns[0][0];
    if (column->codes.empty() && column->type != ValueType::kInteger) continue;
    condition.single = column;
    if (!column->codes.empty()) condition.by_entry.assign(column->text_ends.size(), kUnknown);
  }
}

bool RecordFilter::Holds(Condition& condition, uint32_t row) {
  auto decide = [&] { return condition.expression.Matches(RowLookup(condition.columns, row)); };
  const ColumnData* column = condition.single;
  if (column == nullptr || column->IsNull(row)) return decide();
  if (column->type == ValueType::kInteger) {
    const int64_t number = column->integers[row];
    if (!condition.before.has_value() || condition.before->first != number) condition.before.emplace(number, decide());
    return condition.before->second;
  }
  char& known = condition.by_entry[column->codes[row]];
  if (known == kUnknown) known = decide() ? 1 : 0;
  return known == 1;
}

bool RecordFilter::Matches(uint32_t row) {
  for (Condition& condition : conditions_) {
    if (!Holds(condition, row)) return false;
  }
  return true;
}

}  // namespace chartly::aggregator
