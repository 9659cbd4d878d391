#include "control/reporter/input_reader.h"

#include <algorithm>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/status/status.h"
#include "control/reporter/field_reader.h"
#include "control/reporter/row_order.h"

namespace chartly::reporter {
namespace {

constexpr std::pair<const char*, Role> kPrefixes[] = {
    {"dims.", Role::kDim}, {"measures.", Role::kMeasure}, {"attrs.", Role::kAttr}};

// Vectors that double, and the order that sorts the rows.
constexpr int64_t kSlack = 2;
constexpr int64_t kOrderBytes = 8;

// One filter bound to the columns of one piece.
class BoundFilter {
 public:
  BoundFilter(const Expression& expression, std::vector<FieldReader> fields)
      : expression_(expression), fields_(std::move(fields)) {
    if (fields_.size() == 1) only_ = fields_[0].OnlyDictionary();
    if (only_ != nullptr) known_.assign(EntriesOf(*only_), kUnknown);
  }
  // What depends on one dictionary column is decided once an entry, not once a row.
  bool Holds(uint32_t row) {
    if (only_ == nullptr || only_->IsNull(row)) {
      return expression_.Matches([&](size_t name) { return fields_[name].Get(row); });
    }
    uint32_t index = only_->codes[row];
    if (known_[index] == kUnknown) {
      known_[index] = expression_.Matches([&](size_t) { return Value::Text(only_->Entry(index)); }) ? 1 : 0;
    }
    return known_[index] == 1;
  }

 private:
  static constexpr uint8_t kUnknown = 2;
  const Expression& expression_;
  std::vector<FieldReader> fields_;
  const ColumnData* only_ = nullptr;  // of fields_
  std::vector<uint8_t> known_;        // by entry of the dictionary
};

}  // namespace

InputReader::InputReader(const InputPlan& plan, Reservation& reservation)
    : plan_(plan), reservation_(reservation), fields_(plan.fields.size()) {}

void InputReader::Learn(const RecordRows& records) {
  if (records.rows() == 0) return;
  saw_records_ = true;
  records.ForEachField([this](Role role, const std::string& name) { names_[static_cast<size_t>(role)].insert(name); });
}

bool InputReader::Resolve(absl::string_view name, bool measure_first, Role& role, std::string& bare) const {
  for (const auto& [prefix, prefix_role] : kPrefixes) {
    if (!absl::StartsWith(name, prefix)) continue;
    role = prefix_role;
    bare = std::string(name.substr(absl::string_view(prefix).size()));
    return names_[static_cast<size_t>(role)].count(bare) > 0;
  }
  bare = std::string(name);
  std::vector<Role> order = {Role::kDim, Role::kMeasure, Role::kAttr};
  if (measure_first) order = {Role::kMeasure};
  for (Role candidate : order) {
    if (names_[static_cast<size_t>(candidate)].count(bare) == 0) continue;
    role = candidate;
    return true;
  }
  role = measure_first ? Role::kMeasure : Role::kDim;
  return false;
}

// Rows before the first batch that has the field lack it.
void InputReader::SetRole(Field& field, Role role) {
  field.known = true;
  field.role = role;
  if (field.is_key()) {
    field.codes.assign(static_cast<size_t>(rows_), kNullCode);
    return;
  }
  for (int64_t row = 0; row < rows_; ++row) field.values.Add(Value());
}

PickedRows InputReader::Wanted(const RecordRows& records) {
  std::vector<FieldReader> measures;
  for (const FieldPlan& field : plan_.fields) {
    if (field.is_measure) measures.emplace_back(records, Role::kMeasure, BareName(field.field));
  }
  std::vector<BoundFilter> filters;
  for (const Expression& filter : plan_.filters) {
    std::vector<FieldReader> fields;
    for (const std::string& name : filter.names()) {
      Role role;
      std::string bare;
      Resolve(name, false, role, bare);
      fields.emplace_back(records, role, bare);
    }
    filters.emplace_back(filter, std::move(fields));
  }
  PickedRows wanted;
  bool some_value = measures.empty() || std::any_of(measures.begin(), measures.end(),
                                                    [](const FieldReader& measure) { return measure.IsWhole(); });
  if (records.all_current() && filters.empty() && some_value) {
    wanted.count = records.rows();
    records_ += wanted.count;
    return wanted;
  }
  wanted.all = false;
  for (uint32_t row = 0; row < records.rows(); ++row) {
    if (!records.IsCurrent(row)) continue;
    if (!std::all_of(filters.begin(), filters.end(), [&](BoundFilter& filter) { return filter.Holds(row); })) continue;
    ++records_;
    auto is_null = [row](const FieldReader& measure) { return measure.IsNull(row); };
    if (!measures.empty() && std::all_of(measures.begin(), measures.end(), is_null)) {
      ++null_measures_;
    } else {
      wanted.rows.push_back(row);
    }
  }
  wanted.count = static_cast<uint32_t>(wanted.rows.size());
  return wanted;
}

int64_t InputReader::Append(const RecordRows& records, const PickedRows& rows, Field& field) {
  FieldReader reader(records, field.role, field.bare);
  if (!field.is_key()) return reader.AppendValues(rows, field.values);
  int64_t before = field.dictionary.bytes();
  reader.AppendCodes(rows, field.dictionary, field.codes);
  return field.dictionary.bytes() - before;
}

absl::Status InputReader::Take(const RecordPiece& piece) {
  ASSIGN_OR_RETURN(RecordRows records, RecordRows::Parse(piece, pool_));
  Learn(records);
  PickedRows rows = Wanted(records);
  int64_t row_bytes = kOrderBytes;
  for (size_t f = 0; f < fields_.size(); ++f) {
    Field& field = fields_[f];
    if (!field.known) {
      Role role;
      if (!Resolve(plan_.fields[f].field, plan_.fields[f].is_measure, role, field.bare)) continue;
      SetRole(field, role);
    }
    row_bytes += kSlack * (field.is_key() ? 4 : ValueColumn::kBytesPerValue);
    RETURN_IF_ERROR(reservation_.Grow(Append(records, rows, field)));
  }
  RETURN_IF_ERROR(records.status());
  rows_ += rows.count;
  row_bytes_ += rows.count * row_bytes;
  return reservation_.Grow(rows.count * row_bytes);
}

Table InputReader::Finish() {
  Table table;
  table.rows = static_cast<size_t>(rows_);
  for (bool keys : {true, false}) {
    for (size_t f = 0; f < fields_.size(); ++f) {
      Field& field = fields_[f];
      const FieldPlan& plan = plan_.fields[f];
      bool missing = !field.known;
      // What steps make is no field. Without records nothing is known, and the columns are there all the same.
      if (missing && !plan_.steps.empty() && saw_records_) continue;
      if (missing) {
        field.bare = BareName(plan.field);
        SetRole(field, plan.is_measure ? Role::kMeasure : Role::kDim);
      }
      if (field.is_key() != keys) continue;
      std::string name = FreeName(table, plan.name.empty() ? field.bare : plan.name);
      if (keys) {
        DictionaryPtr dictionary = field.dictionary.Finish(field.codes);
        table.columns.push_back(Column::Key(std::move(name), std::move(dictionary), std::move(field.codes)));
      } else {
        table.columns.push_back(Column::Measure(std::move(name), std::move(field.values)));
      }
    }
  }
  SortCanonically(table);
  // Nothing doubles or is sorted any more.
  reservation_.Shrink(std::max<int64_t>(0, row_bytes_ - table.bytes()));
  return table;
}

absl::Status InputReader::Unknown(absl::string_view what, absl::string_view name) const {
  std::vector<std::string> known;
  for (const auto& [prefix, role] : kPrefixes) {
    for (const std::string& field : names_[static_cast<size_t>(role)]) known.push_back(absl::StrCat(prefix, field));
  }
  return Error(absl::StatusCode::kInvalidArgument, "REPORT_UNKNOWN_FIELD",
               absl::StrCat("the records of profile ", plan_.profile_id, " have no ", what, " \"", name,
                            "\"; they have ", absl::StrJoin(known, ", ")),
               {{"profile_id", plan_.profile_id}, {"field", name}});
}

absl::Status InputReader::CheckNames() const {
  if (!saw_records_) return absl::OkStatus();
  for (size_t f = 0; f < fields_.size(); ++f) {
    const FieldPlan& field = plan_.fields[f];
    // A step may make what is not there; if it does not, the step that reads it says so.
    if (fields_[f].known || (!field.is_measure && !plan_.steps.empty())) continue;
    return Unknown(field.is_measure ? "measure" : "dim", BareName(field.field));
  }
  for (const Expression& filter : plan_.filters) {
    for (const std::string& name : filter.names()) {
      Role role;
      std::string bare;
      if (!Resolve(name, false, role, bare)) return Unknown("field", name);
    }
  }
  return absl::OkStatus();
}

}  // namespace chartly::reporter
