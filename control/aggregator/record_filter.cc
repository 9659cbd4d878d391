#include "control/aggregator/record_filter.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "common/chunk/sort_key.h"
#include "common/normalize/field_bounds.h"
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
    filter.AddBounds(text);
  }
  return filter;
}

void RecordFilter::AddBounds(const std::string& condition) {
  for (const FieldBounds& known : BoundsOf(condition)) {
    Role role = Role::kDim;
    Bound bound;
    if (!SplitFieldName(known.name, role, bound.name) || role != Role::kDim) continue;
    if (known.least.has_value()) AppendSortable(bound.name, *known.least, bound.least);
    if (known.greatest.has_value()) AppendSortable(bound.name, *known.greatest, bound.greatest);
    std::string boolean;  // whose value is the class and one byte
    AppendSortable(bound.name, Value::Boolean(false), boolean);
    bound.tag = boolean.size() - 2;
    bounds_.push_back(std::move(bound));
  }
}

// Values of another class may match, too, so nothing is known of a chunk that may have some.
bool RecordFilter::MayBeIn(const Bound& bound, const DimRange& range) {
  const std::string& some = bound.least.empty() ? bound.greatest : bound.least;
  const auto class_of = [&bound](const std::string& bytes) { return bound.tag < bytes.size() ? bytes[bound.tag] : 0; };
  // No class is greater than that of texts, and only of texts the greatest may not be known.
  static const char kText = [] {
    std::string text;
    AppendSortable("", Value::Text(""), text);
    return text[2];
  }();
  if (class_of(range.min()) != class_of(some)) return true;
  if (class_of(range.max()) != class_of(some) && !(range.max().empty() && class_of(some) == kText)) return true;
  if (!bound.greatest.empty() && range.min() > bound.greatest) return false;
  return bound.least.empty() || range.max().empty() || range.max() >= bound.least;
}

bool RecordFilter::MayBeIn(const PartMeta& part, uint32_t chunk) const {
  const auto& ranges = part.chunks(static_cast<int>(chunk)).ranges();
  for (const Bound& bound : bounds_) {
    auto range =
        std::find_if(ranges.begin(), ranges.end(), [&](const DimRange& one) { return one.name() == bound.name; });
    if (range != ranges.end()) {
      if (!MayBeIn(bound, *range)) return false;
    } else if (std::find(part.key().begin(), part.key().end(), bound.name) != part.key().end()) {
      return false;  // a key dim that no row of the chunk has
    }
  }
  return true;
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
