#include "common/normalize/profile_compiler.h"

#include <algorithm>
#include <charconv>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/status/status.h"

namespace chartly {
namespace {

// The number with the fewest digits that reads as this double: what stands in the profile, 0.1 and not its neighbour.
Value BoundOf(double bound) {
  char digits[40];
  auto [end, error] = std::to_chars(digits, digits + sizeof(digits), bound);
  if (error != std::errc()) return Value::Float(bound);
  absl::StatusOr<Value> number = ParseNumber(absl::string_view(digits, static_cast<size_t>(end - digits)));
  return number.ok() ? *std::move(number) : Value::Float(bound);
}

bool IsNumberType(ValueType type) { return type >= ValueType::kInteger && type <= ValueType::kFloat; }

class Compiler {
 public:
  Compiler(const Profile& profile, std::vector<CompileFault>& faults) : profile_(profile), faults_(faults) {}

  CompiledProfile Compile() {
    for (const MappingEntry& entry : profile_.mapping) CompileField(entry);
    if (!profile_.filter.empty()) CompileFilter();
    return std::move(compiled_);
  }

 private:
  void Fault(const std::string& path, int line, absl::string_view reason, absl::string_view message) {
    faults_.push_back({path, line, std::string(reason), std::string(message)});
  }
  void Fault(const CompiledField& field, absl::string_view key, absl::string_view reason, absl::string_view message) {
    const MappingEntry& entry = field.entry;
    std::string base =
        entry.path.empty() ? absl::StrCat("mapping.", entry.from.empty() ? field.target : entry.from) : entry.path;
    Fault(absl::StrCat(base, key), entry.line, reason, message);
  }

  size_t SlotOf(const std::string& path) {
    auto found = std::find(compiled_.paths.begin(), compiled_.paths.end(), path);
    size_t slot = static_cast<size_t>(found - compiled_.paths.begin());
    if (found == compiled_.paths.end()) compiled_.paths.push_back(path);
    return slot;
  }

  void CompileField(const MappingEntry& entry) {
    CompiledField& field = compiled_.fields.emplace_back();
    field.entry = entry;
    field.target = absl::StrCat(FieldRolePrefix(entry.role), ".", entry.to);
    if (entry.constant) return CompileConstant(field);
    field.slot = SlotOf(entry.from);
    bool bounded = entry.min || entry.max;
    field.becomes_number = !entry.type && (entry.role == FieldRole::kMeasure || bounded);
    if (entry.min) field.min = BoundOf(*entry.min);
    if (entry.max) field.max = BoundOf(*entry.max);
    if (entry.type && bounded && !IsNumberType(*entry.type)) {
      Fault(field, ".type", "PROFILE_TYPE_INVALID", "min and max need a number: type integer, decimal or float");
    }
    for (size_t i = 0; i < entry.functions.size(); ++i) {
      absl::StatusOr<FunctionPtr> function = CompileFunction(entry.functions[i]);
      if (function.ok()) {
        field.functions.push_back(*std::move(function));
      } else {
        Fault(field, absl::StrCat(".using[", i, "]"), Reason(function.status()), function.status().message());
      }
    }
  }

  void CompileConstant(CompiledField& field) {
    const MappingEntry& entry = field.entry;
    Scratch scratch;
    Cell cell;
    std::string text = entry.constant->ToText();
    if (entry.constant->type() == ValueType::kText) {
      cell.SetText(text);
    } else {
      cell.SetTyped(*entry.constant);
    }
    absl::Status status;
    if (entry.type) {
      status = CoerceCell(*entry.type, cell, scratch);
    } else if (entry.role == FieldRole::kMeasure) {
      status = CoerceToNumber(cell, scratch);
    }
    if (!status.ok()) return Fault(field, ".value", "PROFILE_TYPE_INVALID", status.message());
    if (cell.kind == Cell::Kind::kText) field.constant_text = std::string(cell.text);
    field.constant = std::move(cell);
  }

  void CompileFilter() {
    absl::StatusOr<Expression> filter = Expression::Compile(profile_.filter);
    if (!filter.ok()) return Fault("filter", 0, Reason(filter.status()), filter.status().message());
    for (const std::string& name : filter->names()) compiled_.filter_names.push_back(ResolveName(name));
    compiled_.filter = *std::move(filter);
  }

  FilterName ResolveName(const std::string& name) {
    bool of_record = false;
    for (FieldRole role : {FieldRole::kDim, FieldRole::kMeasure, FieldRole::kAttr}) {
      std::string prefix = absl::StrCat(FieldRolePrefix(role), ".");
      of_record = of_record || name.compare(0, prefix.size(), prefix) == 0;
    }
    if (!of_record) return {false, SlotOf(name)};
    for (size_t i = 0; i < compiled_.fields.size(); ++i) {
      if (compiled_.fields[i].target != name) continue;
      compiled_.fields[i].in_filter = true;
      return {true, i};
    }
    auto target = [](std::string* out, const CompiledField& field) { out->append(field.target); };
    Fault("filter", 0, "PROFILE_FILTER_NAME_UNKNOWN",
          absl::StrCat("\"", name.substr(0, 64),
                       "\" is not mapped; mapped are: ", absl::StrJoin(compiled_.fields, ", ", target)));
    return {};
  }

  const Profile& profile_;
  std::vector<CompileFault>& faults_;
  CompiledProfile compiled_;
};

}  // namespace

CompiledProfile CompileProfile(const Profile& profile, std::vector<CompileFault>& faults) {
  return Compiler(profile, faults).Compile();
}

}  // namespace chartly
