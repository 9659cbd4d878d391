#include "common/normalize/normalizer.h"

#include <algorithm>
#include <array>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/normalize/exact_normalizer_for_test.h"
#include "common/normalize/plain_field.h"
#include "common/normalize/profile_compiler.h"
#include "common/status/status.h"
#include "common/value/quote_text.h"

namespace chartly {
namespace {

Role RoleOf(FieldRole role) {
  switch (role) {
    case FieldRole::kDim:
      return Role::kDim;
    case FieldRole::kMeasure:
      return Role::kMeasure;
    case FieldRole::kAttr:
      return Role::kAttr;
  }
  return Role::kAttr;
}

// A field of the row in an expression. A number that cannot be kept exactly is text.
Expression::Operand RowOperand(const Field& field) {
  using Kind = Expression::Operand::Kind;
  switch (field.kind) {
    case Field::Kind::kMissing:
    case Field::Kind::kNull:
      return {};
    case Field::Kind::kText:
      return {Kind::kText, field.text, {}};
    case Field::Kind::kBoolean:
      return {Kind::kValue, {}, Value::Boolean(field.text == "true")};
    case Field::Kind::kNumber: {
      absl::StatusOr<Value> number = ParseNumber(field.text);
      if (number.ok()) return {Kind::kValue, {}, *std::move(number)};
      return {Kind::kText, field.text, {}};
    }
    case Field::Kind::kComposite:
      break;
  }
  return {Kind::kOther, {}, {}};
}

// A value is missing if it is null or empty text.
bool IsEmpty(const Cell& cell) { return cell.is_null() || (cell.kind == Cell::Kind::kText && cell.text.empty()); }
bool IsEmpty(const ColumnValue& value) {
  return value.is_null() || (value.type == ValueType::kText && value.text().empty());
}

ColumnValue ValueOf(const Cell& cell) {
  if (cell.is_null()) return {};
  return cell.kind == Cell::Kind::kText ? ColumnValue::Text(cell.text) : ColumnValue::Of(cell.value);
}

class MappingNormalizer final : public Normalizer {
 public:
  // Without `plain`, every field goes the long way.
  MappingNormalizer(CompiledProfile compiled, bool plain)
      : compiled_(std::move(compiled)),
        values_(compiled_.fields.size()),
        cells_(compiled_.fields.size()),
        scratches_(compiled_.fields.size()),
        copies_(compiled_.paths.size()) {
    in_columns_ = plain && !compiled_.filter && compiled_.checks.empty();
    for (const CompiledField& field : compiled_.fields) {
      const bool constant = field.entry.constant.has_value();
      const bool is_content = !constant && field.entry.role != FieldRole::kAttr;
      Step step{PlainField(field), false, field.in_filter, constant, is_content, false};
      step.plain = plain && step.field.possible();
      in_columns_ = in_columns_ && (step.plain || constant);
      if (constant) {
        values_[steps_.size()] =
            field.constant.kind == Cell::Kind::kText ? ColumnValue::Text(field.constant_text) : ValueOf(field.constant);
      }
      steps_.push_back(std::move(step));
    }
    for (size_t field : compiled_.key_fields) steps_[field].is_key = true;
    for (const Field& copy : copies_) pointers_.push_back(&copy);
    if (in_columns_) FillConstants();
  }

  const std::vector<std::string>& paths() const override { return compiled_.paths; }

  void Bind(BatchBuilder& builder) override {
    Binding binding{&builder, {}};
    for (const CompiledField& field : compiled_.fields) {
      binding.columns.push_back(builder.AddColumn(RoleOf(field.entry.role), field.entry.to));
    }
    std::vector<size_t> sorted = binding.columns;
    std::sort(sorted.begin(), sorted.end());
    in_columns_ = in_columns_ && std::adjacent_find(sorted.begin(), sorted.end()) == sorted.end();
    bindings_.push_back(std::move(binding));
  }

  Outcome Add(const Row& row, uint32_t page, uint32_t row_number, BatchBuilder& builder) override {
    TakeFields(row);
    if (compiled_.filter) {
      if (!MapFields(true)) return Quarantine(page, row_number, builder);
      if (!Holds(*compiled_.filter)) {
        builder.CountFiltered();
        return Outcome::kFiltered;
      }
    }
    if (!MapFields(false) || !CheckContent() || !CheckKey() || !CheckQuality())
      return Quarantine(page, row_number, builder);
    builder.AddRow(page, row_number, ColumnsOf(builder), values_);
    return Outcome::kKept;
  }

  void AddBlock(const RowBlock& block, size_t begin, size_t end, uint32_t page, uint32_t first_number,
                BatchBuilder& builder) override {
    const size_t count = end - begin;
    if (in_columns_) MapColumns(block, begin, count);
    for (size_t row = 0; row < count;) {
      size_t plain_end = row;
      while (in_columns_ && plain_end < count && is_plain_[plain_end]) ++plain_end;
      if (plain_end == row) {
        Add(RowOfBlock(block, begin + row), page, first_number + static_cast<uint32_t>(row), builder);
        ++row;
        continue;
      }
      builder.AddRows(page, first_number + static_cast<uint32_t>(row), plain_end - row, ColumnsOf(builder),
                      block_values_.data() + row, RowBlock::kMaxRows);
      row = plain_end;
    }
  }

  const std::string& last_reason() const override { return last_reason_; }
  const std::string& last_message() const override { return last_message_; }

 private:
  struct Binding {
    BatchBuilder* builder;
    std::vector<size_t> columns;
  };

  struct Step {
    PlainField field;
    bool plain;  // whether it may go the short way
    bool in_filter;
    bool constant;
    bool is_content;  // a row is a record only if one of these is there
    bool is_key;      // and one of these, if there are any
  };

  void FillConstants() {
    block_values_.resize(steps_.size() * RowBlock::kMaxRows);
    for (size_t i = 0; i < steps_.size(); ++i) {
      if (steps_[i].constant)
        std::fill_n(block_values_.begin() + i * RowBlock::kMaxRows, RowBlock::kMaxRows, values_[i]);
    }
  }

  // Maps one field after the other, for all rows; rows that Add has to look at are not plain.
  void MapColumns(const RowBlock& block, size_t begin, size_t count) {
    std::fill_n(is_plain_.begin(), count, true);
    std::fill_n(has_content_.begin(), count, false);
    std::fill_n(has_key_.begin(), count, compiled_.key_fields.empty());
    bool all_are_records = false;
    for (size_t i = 0; i < steps_.size(); ++i) {
      Step& step = steps_[i];
      if (step.constant) continue;
      const Field* const fields = block.column(step.field.slot()) + begin;
      ColumnValue* const values = block_values_.data() + i * RowBlock::kMaxRows;
      step.field.ReadAll(fields, count, values, is_plain_.data());
      // The first of the key is in nearly every row, and then the others settle nothing.
      if (!step.is_content || all_are_records) continue;
      all_are_records = true;
      for (size_t row = 0; row < count; ++row) {
        const bool there = !IsEmpty(values[row]);
        has_content_[row] = has_content_[row] || there;
        has_key_[row] = has_key_[row] || (there && step.is_key);
        all_are_records = all_are_records && has_content_[row] && has_key_[row];
      }
    }
    for (size_t row = 0; row < count && !all_are_records; ++row) {
      is_plain_[row] = is_plain_[row] && has_content_[row] && has_key_[row];
    }
  }

  void TakeFields(const Row& row) {
    row_ = &row;
    fields_ = row.fields();
    if (fields_ != nullptr) return;
    for (size_t slot = 0; slot < copies_.size(); ++slot) copies_[slot] = row.Get(slot);
    fields_ = pointers_.data();
  }

  // Fields that the filter uses are mapped before it runs and the others after it: a row that is filtered out anyway
  // is not quarantined for a field that nobody asked for.
  bool MapFields(bool in_filter) {
    for (size_t i = 0; i < steps_.size(); ++i) {
      Step& step = steps_[i];
      if (step.in_filter != in_filter || step.constant) continue;
      if (step.plain && step.field.Read(*fields_[step.field.slot()], values_[i])) continue;
      if (!MapField(i)) return false;
      values_[i] = ValueOf(cells_[i]);
    }
    return true;
  }

  bool MapField(size_t index) {
    const CompiledField& field = compiled_.fields[index];
    Cell& cell = cells_[index];
    if (!LoadSource(field, cell, scratches_[index])) {
      return Refuse(field, kReasonCoercionFailed, "is a list or an object; map one of its fields instead");
    }
    absl::Status status = ApplyFunctions(field, cell, scratches_[index]);
    if (status.ok() && field.entry.lookup && !LookUp(field, cell, scratches_[index])) {
      return Refuse(field, kReasonLookupMissing,
                    absl::StrCat(QuoteText(CellText(cell, scratches_[index])),
                                 " is not in the table; add it, or say otherwise: keep, null or {value: X}"));
    }
    if (status.ok()) status = Coerce(field, cell, scratches_[index]);
    if (!status.ok()) {
      std::string message(status.message().data(), status.message().size());
      return Refuse(field, kReasonCoercionFailed, message);
    }
    if (field.entry.required && IsEmpty(cell))
      return Refuse(field, kReasonMissingRequired, "is required and missing, null or empty");
    return cell.is_null() || CheckBounds(field, cell);
  }

  // The cell of one path, of the first that holds something, or of all joined. False for a list or an object.
  bool LoadSource(const CompiledField& field, Cell& cell, Scratch& scratch) const {
    if (!field.entry.concat.empty()) return LoadJoined(field, cell, scratch);
    for (size_t slot : field.slots) {
      if (!Load(*fields_[slot], cell)) return false;
      if (!IsEmpty(cell)) break;
    }
    return true;
  }

  bool LoadJoined(const CompiledField& field, Cell& cell, Scratch& scratch) const {
    std::string& joined = scratch.Next();
    for (size_t i = 0; i < field.slots.size(); ++i) {
      const Field source = *fields_[field.slots[i]];
      if (source.kind == Field::Kind::kComposite) return false;
      if (source.kind == Field::Kind::kMissing || source.kind == Field::Kind::kNull) {
        cell.SetNull();
        return true;
      }
      if (i > 0) joined += field.entry.separator;
      joined.append(source.text.data(), source.text.size());
    }
    cell.SetText(joined);
    return true;
  }

  // False for a list or an object.
  static bool Load(const Field& source, Cell& cell) {
    switch (source.kind) {
      case Field::Kind::kMissing:
      case Field::Kind::kNull:
        cell.SetNull();
        return true;
      case Field::Kind::kText:
        cell.SetText(source.text);
        return true;
      case Field::Kind::kNumber:
        cell.SetText(source.text);
        cell.kind = Cell::Kind::kNumber;
        return true;
      case Field::Kind::kBoolean:
        cell.SetTyped(Value::Boolean(source.text == "true"));
        return true;
      case Field::Kind::kComposite:
        break;
    }
    return false;
  }

  static absl::Status ApplyFunctions(const CompiledField& field, Cell& cell, Scratch& scratch) {
    for (const FunctionPtr& function : field.functions) {
      if (cell.is_null() && !function->takes_null()) continue;
      RETURN_IF_ERROR(function->Apply(cell, scratch));
    }
    return absl::OkStatus();
  }

  // False if the text has no entry and the table says that it must have one.
  static bool LookUp(const CompiledField& field, Cell& cell, Scratch& scratch) {
    if (cell.is_null()) return true;
    auto found = field.table.find(CellText(cell, scratch));
    if (found != field.table.end()) {
      cell.SetText(found->second);
      return true;
    }
    switch (field.entry.lookup->miss) {
      case LookupMiss::kQuarantine:
        return false;
      case LookupMiss::kNull:
        cell.SetNull();
        break;
      case LookupMiss::kKeep:
        break;
      case LookupMiss::kDefault:
        cell.SetText(field.entry.lookup->otherwise);
        break;
    }
    return true;
  }

  static absl::Status Coerce(const CompiledField& field, Cell& cell, Scratch& scratch) {
    if (field.entry.type) return CoerceCell(*field.entry.type, cell, scratch);
    bool is_number = cell.kind == Cell::Kind::kNumber;
    return field.becomes_number || is_number ? CoerceToNumber(cell, scratch) : absl::OkStatus();
  }

  bool CheckBounds(const CompiledField& field, const Cell& cell) {
    if (field.min && CompareValues(cell.value, *field.min) < 0) {
      return Refuse(field, kReasonOutOfRange,
                    absl::StrCat(cell.value.ToText(), " is less than min ", field.min->ToText()));
    }
    if (field.max && CompareValues(cell.value, *field.max) > 0) {
      return Refuse(field, kReasonOutOfRange,
                    absl::StrCat(cell.value.ToText(), " is greater than max ", field.max->ToText()));
    }
    return true;
  }

  // A row whose mapped dims and measures are all missing would become an empty record.
  bool CheckContent() {
    for (size_t i = 0; i < values_.size(); ++i) {
      const MappingEntry& entry = compiled_.fields[i].entry;
      if (!IsEmpty(values_[i]) && !entry.constant && entry.role != FieldRole::kAttr) return true;
    }
    last_reason_ = kReasonMissingRequired;
    last_field_.clear();
    last_message_ = absl::StrCat("none of the mapped dims and measures is there; the row should have some of: ",
                                 absl::StrJoin(compiled_.paths, ", "));
    return false;
  }

  // Rows without a key would each replace the one before.
  bool CheckKey() {
    if (compiled_.key_fields.empty()) return true;
    for (size_t field : compiled_.key_fields) {
      if (!IsEmpty(values_[field])) return true;
    }
    last_reason_ = kReasonMissingKey;
    last_field_.clear();
    auto source = [this](std::string* out, size_t field) { out->append(compiled_.fields[field].source); };
    last_message_ = absl::StrCat(
        "none of the dims of the key is there, so the record could not be told apart; the row "
        "should have some of: ",
        absl::StrJoin(compiled_.key_fields, ", ", source));
    return false;
  }

  bool CheckQuality() {
    for (const CompiledCheck& check : compiled_.checks) {
      if (Holds(check.expect)) continue;
      last_reason_ = check.reason;
      last_field_.clear();
      last_message_ = absl::StrCat("does not hold: ", check.text, ValuesOf(check.expect));
      return false;
    }
    return true;
  }

  // " (measures.price is -1)" for a message.
  std::string ValuesOf(const BoundExpression& bound) const {
    std::vector<std::string> values;
    for (size_t i = 0; i < bound.names.size(); ++i) {
      const Expression::Operand operand = Find(bound.names[i]);
      using Kind = Expression::Operand::Kind;
      std::string text = operand.kind == Kind::kText    ? QuoteText(operand.text)
                         : operand.kind == Kind::kValue ? operand.value.ToText()
                         : operand.kind == Kind::kNull  ? "null"
                                                        : "a list or an object";
      values.push_back(absl::StrCat(bound.expression.names()[i], " is ", text));
    }
    return values.empty() ? "" : absl::StrCat(" (", absl::StrJoin(values, ", "), ")");
  }

  bool Refuse(const CompiledField& field, const char* reason, absl::string_view why) {
    last_reason_ = reason;
    last_field_ = field.entry.from;
    last_message_ = absl::StrCat(field.source, " for ", field.target, ": ", why);
    return false;
  }

  Outcome Quarantine(uint32_t page, uint32_t row_number, BatchBuilder& builder) {
    builder.Quarantine(last_reason_, last_field_, last_message_, row_->Raw(), page, row_number);
    return Outcome::kQuarantined;
  }

  const std::vector<size_t>& ColumnsOf(const BatchBuilder& builder) const {
    for (const Binding& binding : bindings_) {
      if (binding.builder == &builder) return binding.columns;
    }
    return bindings_.back().columns;
  }

  // The names of one expression in the current row.
  struct RowLookup final : Expression::Lookup {
    RowLookup(const MappingNormalizer& row_normalizer, const BoundExpression& row_bound)
        : normalizer(row_normalizer), bound(row_bound) {}
    Expression::Operand Find(size_t name) const override { return normalizer.Find(bound.names[name]); }
    const MappingNormalizer& normalizer;
    const BoundExpression& bound;
  };

  bool Holds(const BoundExpression& bound) const {
    const RowLookup lookup(*this, bound);
    return bound.expression.Matches(static_cast<const Expression::Lookup&>(lookup));
  }

  Expression::Operand Find(const BoundName& name) const {
    if (!name.of_record) return RowOperand(*fields_[name.index]);
    const ColumnValue& value = values_[name.index];
    if (value.is_null()) return {};
    if (value.type == ValueType::kText) return {Expression::Operand::Kind::kText, value.text(), {}};
    return {Expression::Operand::Kind::kValue, {}, value.ToValue()};
  }

  const CompiledProfile compiled_;
  bool in_columns_ = false;          // whether all fields may go the short way, and nothing else decides on a row
  std::vector<Step> steps_;          // one a field
  std::vector<ColumnValue> values_;  // of the current row, one a field
  std::vector<Cell> cells_;          // of those that went the long way
  std::vector<Scratch> scratches_;
  std::vector<Binding> bindings_;
  const Row* row_ = nullptr;
  const Field* const* fields_ = nullptr;  // of the current row
  std::vector<Field> copies_;             // of the fields of a row that has none to point to
  std::vector<const Field*> pointers_;    // to copies_
  // Of the current block, for in_columns_: the values of each field together, and what is known of each row.
  std::vector<ColumnValue> block_values_;
  std::array<bool, RowBlock::kMaxRows> is_plain_;
  std::array<bool, RowBlock::kMaxRows> has_content_;
  std::array<bool, RowBlock::kMaxRows> has_key_;
  std::string last_reason_, last_field_, last_message_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Normalizer>> Normalizer::Create(const Profile& profile) {
  std::vector<CompileFault> faults;
  CompiledProfile compiled = CompileProfile(profile, faults);
  if (faults.empty()) return std::make_unique<MappingNormalizer>(std::move(compiled), true);
  std::vector<std::string> lines;
  for (const CompileFault& fault : faults) {
    std::string line = fault.line == 0 ? "" : absl::StrCat("line ", fault.line, ": ");
    lines.push_back(absl::StrCat(line, fault.path, ": ", fault.message));
  }
  return Error(absl::StatusCode::kInvalidArgument, faults[0].reason, absl::StrJoin(lines, "\n"));
}

std::unique_ptr<Normalizer> MakeExactNormalizerForTest(const Profile& profile) {
  std::vector<CompileFault> faults;
  return std::make_unique<MappingNormalizer>(CompileProfile(profile, faults), false);
}

}  // namespace chartly
