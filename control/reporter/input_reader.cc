#include "control/reporter/input_reader.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "common/status/status.h"
#include "control/reporter/row_order.h"
#include "control/reporter/span_filter.h"

namespace chartly::reporter {
namespace {

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

// Turns rows that follow each other into a run.
PickedRows PickedOf(std::vector<uint32_t> rows) {
  PickedRows picked;
  picked.count = static_cast<uint32_t>(rows.size());
  if (rows.empty()) return picked;
  picked.first = rows.front();
  picked.is_run = rows.back() - rows.front() + 1 == picked.count;
  if (!picked.is_run) picked.rows = std::move(rows);
  return picked;
}

}  // namespace

InputReader::InputReader(const InputPlan& plan, Reservation& reservation, ColumnPool& pool)
    : plan_(plan), reservation_(reservation), pool_(pool), fields_(plan.fields.size()) {}

InputReader::InputReader(const InputPlan& plan, Reservation& reservation, PieceMemory& memory, size_t input,
                         InputSpan span)
    : plan_(plan), reservation_(reservation), pool_(memory.columns()), span_(span), fields_(plan.fields.size()) {
  for (size_t f = 0; f < fields_.size(); ++f) fields_[f].kept_dictionary = &memory.Dictionary(input, f);
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
  std::optional<FieldReader> key;
  std::optional<SpanFilter> in_span;
  if (span_.span != nullptr) {
    const Field& field = fields_[span_.field];
    key.emplace(records, field.known ? field.role : Role::kDim, field.bare);
    in_span.emplace(*span_.span, *key, records.rows());
    saw_missing_ = saw_missing_ || in_span->some_missing();
    if (in_span->none()) return PickedRows();
    if (in_span->all()) in_span.reset();
  }
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
      names_.Resolve(name, false, role, bare);
      fields.emplace_back(records, role, bare);
    }
    filters.emplace_back(filter, std::move(fields));
  }
  const bool some_value = measures.empty() || std::any_of(measures.begin(), measures.end(),
                                                          [](const FieldReader& measure) { return measure.IsWhole(); });
  if (records.all_current() && filters.empty() && some_value && !in_span) {
    records_ += records.rows();
    PickedRows all;
    all.count = records.rows();
    return all;
  }
  std::vector<uint32_t> wanted;
  for (uint32_t row = 0; row < records.rows(); ++row) {
    if (!records.IsCurrent(row) || (in_span && !in_span->Holds(row))) continue;
    if (!std::all_of(filters.begin(), filters.end(), [&](BoundFilter& filter) { return filter.Holds(row); })) continue;
    ++records_;
    auto is_null = [row](const FieldReader& measure) { return measure.IsNull(row); };
    if (!some_value && std::all_of(measures.begin(), measures.end(), is_null)) {
      ++null_measures_;
    } else {
      wanted.push_back(row);
    }
  }
  return PickedOf(std::move(wanted));
}

int64_t InputReader::Append(const RecordRows& records, const PickedRows& rows, Field& field) {
  FieldReader reader(records, field.role, field.bare);
  if (!field.is_key()) return reader.AppendValues(rows, field.values);
  int64_t before = field.dictionary().bytes();
  reader.AppendCodes(rows, field.dictionary(), field.codes);
  return field.dictionary().bytes() - before;
}

absl::Status InputReader::Take(const RecordPiece& piece) {
  ASSIGN_OR_RETURN(RecordRows records, RecordRows::Parse(piece, pool_));
  names_.Add(records);
  seen_ += records.rows();
  int64_t row_bytes = kOrderBytes;
  for (size_t f = 0; f < fields_.size(); ++f) {
    Field& field = fields_[f];
    if (!field.known) {
      Role role;
      if (!names_.Resolve(plan_.fields[f].field, plan_.fields[f].is_measure, role, field.bare)) continue;
      SetRole(field, role);
      RETURN_IF_ERROR(reservation_.Grow(field.dictionary().bytes()));  // that are known already
    }
    row_bytes += kSlack * (field.is_key() ? 4 : ValueColumn::kBytesPerValue);
  }
  const PickedRows rows = Wanted(records);
  // Before they are taken.
  RETURN_IF_ERROR(reservation_.Grow(rows.count * row_bytes));
  row_bytes_ += rows.count * row_bytes;
  for (Field& field : fields_) {
    if (field.known && rows.count > 0) RETURN_IF_ERROR(reservation_.Grow(Append(records, rows, field)));
  }
  rows_ += rows.count;
  return records.status();
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
      if (missing && !plan_.steps.empty() && names_.saw_records()) continue;
      if (missing) {
        field.bare = BareName(plan.field);
        SetRole(field, plan.is_measure ? Role::kMeasure : Role::kDim);
      }
      if (field.is_key() != keys) continue;
      std::string name = FreeName(table, plan.name.empty() ? field.bare : plan.name);
      if (keys) {
        DictionaryPtr dictionary = field.kept_dictionary != nullptr ? field.kept_dictionary->Finish(field.codes)
                                                                    : field.own_dictionary.Finish(field.codes);
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

}  // namespace chartly::reporter
