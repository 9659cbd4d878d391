#include "common/normalize/normalizer.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
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

// A number of the row in a filter; text if it is none that can be kept exactly.
Expression::Operand FilterOperand(const Field& field) {
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

class MappingNormalizer final : public Normalizer, private Expression::Lookup {
 public:
  explicit MappingNormalizer(CompiledProfile compiled)
      : compiled_(std::move(compiled)), cells_(compiled_.fields.size()), scratches_(compiled_.fields.size()) {}

  const std::vector<std::string>& paths() const override { return compiled_.paths; }

  void Bind(BatchBuilder& builder) override {
    Binding binding{&builder, {}};
    for (const CompiledField& field : compiled_.fields) {
      binding.columns.push_back(builder.AddColumn(RoleOf(field.entry.role), field.entry.to));
    }
    bindings_.push_back(std::move(binding));
  }

  Outcome Add(const Row& row, uint32_t page, uint32_t row_number, BatchBuilder& builder) override {
    row_ = &row;
    if (compiled_.filter) {
      if (!MapFields(true)) return Quarantine(page, row_number, builder);
      if (!compiled_.filter->Matches(static_cast<const Expression::Lookup&>(*this))) {
        builder.CountFiltered();
        return Outcome::kFiltered;
      }
    }
    if (!MapFields(false) || !CheckContent()) return Quarantine(page, row_number, builder);
    builder.BeginRow(page, row_number);
    Write(ColumnsOf(builder), builder);
    builder.EndRow();
    return Outcome::kKept;
  }

  const std::string& last_reason() const override { return last_reason_; }
  const std::string& last_message() const override { return last_message_; }

 private:
  struct Binding {
    BatchBuilder* builder;
    std::vector<size_t> columns;
  };

  // Fields that the filter uses are mapped before it runs and the others after it: a row that is filtered out anyway
  // is not quarantined for a field that nobody asked for.
  bool MapFields(bool in_filter) {
    for (size_t i = 0; i < compiled_.fields.size(); ++i) {
      if (compiled_.fields[i].in_filter == in_filter && !MapField(i)) return false;
    }
    return true;
  }

  bool MapField(size_t index) {
    const CompiledField& field = compiled_.fields[index];
    Cell& cell = cells_[index];
    if (field.entry.constant) {
      CopyConstant(field, cell);
      return true;
    }
    if (!Load(row_->Get(field.slot), cell)) {
      return Refuse(field, kReasonCoercionFailed, "is a list or an object; map one of its fields instead");
    }
    absl::Status status = Convert(field, cell, scratches_[index]);
    if (!status.ok()) {
      std::string message(status.message().data(), status.message().size());
      return Refuse(field, kReasonCoercionFailed, message);
    }
    bool empty = cell.is_null() || (cell.kind == Cell::Kind::kText && cell.text.empty());
    if (field.entry.required && empty)
      return Refuse(field, kReasonMissingRequired, "is required and missing, null or empty");
    return cell.is_null() || CheckBounds(field, cell);
  }

  static void CopyConstant(const CompiledField& field, Cell& cell) {
    if (field.constant.kind == Cell::Kind::kText) {
      cell.SetText(field.constant_text);
    } else {
      cell = field.constant;
    }
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

  static absl::Status Convert(const CompiledField& field, Cell& cell, Scratch& scratch) {
    for (const FunctionPtr& function : field.functions) {
      if (cell.is_null()) return absl::OkStatus();
      RETURN_IF_ERROR(function->Apply(cell, scratch));
    }
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
    for (size_t i = 0; i < cells_.size(); ++i) {
      const MappingEntry& entry = compiled_.fields[i].entry;
      const Cell& cell = cells_[i];
      bool empty = cell.is_null() || (cell.kind == Cell::Kind::kText && cell.text.empty());
      if (!empty && !entry.constant && entry.role != FieldRole::kAttr) return true;
    }
    last_reason_ = kReasonMissingRequired;
    last_field_.clear();
    last_message_ = absl::StrCat("none of the mapped dims and measures is there; the row should have some of: ",
                                 absl::StrJoin(compiled_.paths, ", "));
    return false;
  }

  bool Refuse(const CompiledField& field, const char* reason, absl::string_view why) {
    last_reason_ = reason;
    last_field_ = field.entry.from;
    last_message_ = absl::StrCat(field.entry.from, " for ", field.target, ": ", why);
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

  void Write(const std::vector<size_t>& columns, BatchBuilder& builder) const {
    for (size_t i = 0; i < cells_.size(); ++i) {
      const Cell& cell = cells_[i];
      if (cell.is_null()) continue;
      if (cell.kind == Cell::Kind::kText) {
        builder.SetText(columns[i], cell.text);
      } else if (cell.value.type() == ValueType::kInteger) {
        builder.SetInteger(columns[i], cell.value.integer());
      } else {
        builder.Set(columns[i], cell.value);
      }
    }
  }

  Expression::Operand Find(size_t name) const override {
    const FilterName& source = compiled_.filter_names[name];
    if (!source.of_record) return FilterOperand(row_->Get(source.index));
    const Cell& cell = cells_[source.index];
    if (cell.is_null()) return {};
    if (cell.kind == Cell::Kind::kText) return {Expression::Operand::Kind::kText, cell.text, {}};
    return {Expression::Operand::Kind::kValue, {}, cell.value};
  }

  CompiledProfile compiled_;
  std::vector<Cell> cells_;  // of the current row, one a field
  std::vector<Scratch> scratches_;
  std::vector<Binding> bindings_;
  const Row* row_ = nullptr;
  std::string last_reason_, last_field_, last_message_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Normalizer>> Normalizer::Create(const Profile& profile) {
  std::vector<CompileFault> faults;
  CompiledProfile compiled = CompileProfile(profile, faults);
  if (faults.empty()) return std::make_unique<MappingNormalizer>(std::move(compiled));
  std::vector<std::string> lines;
  for (const CompileFault& fault : faults) {
    std::string line = fault.line == 0 ? "" : absl::StrCat("line ", fault.line, ": ");
    lines.push_back(absl::StrCat(line, fault.path, ": ", fault.message));
  }
  return Error(absl::StatusCode::kInvalidArgument, faults[0].reason, absl::StrJoin(lines, "\n"));
}

}  // namespace chartly
