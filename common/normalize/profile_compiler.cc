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
    for (size_t i = 0; i < profile_.checks.size(); ++i) CompileCheck(profile_.checks[i], i);
    CompileKey();
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
    CompileSource(field);
    if (entry.lookup) field.table.insert(entry.lookup->table.begin(), entry.lookup->table.end());
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

  void CompileSource(CompiledField& field) {
    std::vector<std::string> sources = {field.entry.from};
    for (const auto* further : {&field.entry.coalesce, &field.entry.concat}) {
      sources.insert(sources.end(), further->begin(), further->end());
    }
    for (const std::string& path : sources) field.slots.push_back(SlotOf(path));
    field.source = absl::StrJoin(sources, field.entry.coalesce.empty() ? " + " : " or ");
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
    compiled_.filter = CompileExpression(profile_.filter, "filter");
    if (!compiled_.filter) return;
    for (const BoundName& name : compiled_.filter->names) {
      if (name.of_record) compiled_.fields[name.index].in_filter = true;
    }
  }

  void CompileCheck(const CheckConfig& check, size_t index) {
    std::optional<BoundExpression> expect = CompileExpression(check.expect, absl::StrCat("checks[", index, "].expect"));
    if (!expect) return;
    compiled_.checks.push_back({absl::StrCat("quality.", check.name), check.expect, *std::move(expect)});
  }

  // Nothing if it files a fault at `path`.
  std::optional<BoundExpression> CompileExpression(const std::string& text, const std::string& path) {
    absl::StatusOr<Expression> expression = Expression::Compile(text);
    if (!expression.ok()) {
      Fault(path, 0, Reason(expression.status()), expression.status().message());
      return std::nullopt;
    }
    std::vector<BoundName> names;
    for (const std::string& name : expression->names()) {
      std::optional<BoundName> bound = Bind(name, path);
      if (!bound) return std::nullopt;
      names.push_back(*bound);
    }
    return BoundExpression{*std::move(expression), std::move(names)};
  }

  std::optional<BoundName> Bind(const std::string& name, const std::string& path) {
    bool of_record = false;
    for (FieldRole role : {FieldRole::kDim, FieldRole::kMeasure, FieldRole::kAttr}) {
      std::string prefix = absl::StrCat(FieldRolePrefix(role), ".");
      of_record = of_record || name.compare(0, prefix.size(), prefix) == 0;
    }
    if (!of_record) return BoundName{false, SlotOf(name)};
    for (size_t i = 0; i < compiled_.fields.size(); ++i) {
      if (compiled_.fields[i].target == name) return BoundName{true, i};
    }
    auto target = [](std::string* out, const CompiledField& field) { out->append(field.target); };
    Fault(path, 0, kReasonNameNotMapped,
          absl::StrCat("\"", name.substr(0, 64),
                       "\" is not mapped; mapped are: ", absl::StrJoin(compiled_.fields, ", ", target)));
    return std::nullopt;
  }

  void CompileKey() {
    for (size_t i = 0; i < compiled_.fields.size(); ++i) {
      const MappingEntry& entry = compiled_.fields[i].entry;
      const std::vector<std::string>& key = profile_.key;
      bool in_key = key.empty() || std::find(key.begin(), key.end(), entry.to) != key.end();
      if (entry.role == FieldRole::kDim && in_key && !entry.constant) compiled_.key_fields.push_back(i);
    }
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
