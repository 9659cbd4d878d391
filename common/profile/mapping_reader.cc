#include "common/profile/mapping_reader.h"

#include <map>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "common/profile/lookup_reader.h"
#include "common/status/status.h"

namespace chartly {
namespace {

constexpr size_t kMaxMappingEntries = 256;
constexpr size_t kMaxTargetBytes = 128;
constexpr size_t kMaxFunctions = 32;
constexpr size_t kMaxPaths = 16;

// "_", "_1", "_2", ...: keys that stand for no source field.
bool IsConstantKey(absl::string_view key) {
  if (key.empty() || key[0] != '_') return false;
  return key.find_first_not_of("0123456789", 1) == key.npos;
}

bool IsTargetName(absl::string_view name) {
  if (name.empty() || name.size() > kMaxTargetBytes) return false;
  bool after_dot = true;
  for (char c : name) {
    if (c == '.' && after_dot) return false;
    if (c != '.' && !absl::ascii_isalnum(c) && c != '_' && c != '-') return false;
    after_dot = c == '.';
  }
  return !after_dot;
}

// Takes the text of a quoted word off `text`, which begins with the quote. In double quotes \" and \\ stand for " and
// \ while other backslashes stay, so that regular expressions read as they are; in single quotes '' stands for '.
bool TakeQuoted(absl::string_view& text, std::string& word) {
  const char quote = text[0];
  for (size_t i = 1; i < text.size(); ++i) {
    char next = i + 1 < text.size() ? text[i + 1] : 0;
    if (quote == '"' && text[i] == '\\' && (next == '"' || next == '\\')) {
      word += text[++i];
    } else if (quote == '\'' && text[i] == '\'' && next == '\'') {
      word += text[++i];
    } else if (text[i] == quote) {
      text.remove_prefix(i + 1);
      return text.empty() || text[0] == ' ';
    } else {
      word += text[i];
    }
  }
  return false;
}

// A constant keeps the type it is written with: in quotes it is text.
absl::StatusOr<Value> ReadConstant(const YamlNode& node) {
  const std::string& text = node.text;
  if (node.quoted) return Value::Text(text);
  if (text == "true" || text == "false") return Value::Boolean(text == "true");
  bool digits = text.find_first_of("0123456789") != std::string::npos &&
                text.find_first_not_of("+-.0123456789eE") == std::string::npos;
  if (digits) {
    absl::StatusOr<Value> number = ParseNumber(text);
    if (number.ok()) return number;
  }
  return Value::Text(text);
}

class MappingReader {
 public:
  MappingReader(NodeReader& reader, std::vector<MappingEntry>& out) : reader_(reader), out_(out) {}

  void ReadField(absl::string_view from, const NodeAt& at) {
    reader_.Items(at, [&](const NodeAt& item) { ReadEntry(from, item); });
  }

 private:
  void ReadEntry(absl::string_view from, const NodeAt& at) {
    MappingEntry entry;
    entry.from = std::string(from);
    entry.line = at.node->line;
    entry.path = at.path;
    bool readable = at.node->kind == YamlNode::Kind::kMap ? ReadLong(at, entry) : ReadTarget(at, entry);
    if (at.node->kind != YamlNode::Kind::kMap && IsConstantKey(from)) {
      reader_.Invalid(at, "a key like _ stands for a constant; write {to: attrs.publisher, value: BLS}");
    }
    if (readable && CheckTarget(at, entry)) out_.push_back(std::move(entry));
  }

  bool ReadLong(const NodeAt& at, MappingEntry& entry) {
    bool target = false;
    reader_.Map(at, {{"to", [&](const NodeAt& value) { target = ReadTarget(value, entry); }},
                     {"type", [&](const NodeAt& value) { ReadType(value, entry); }},
                     {"using", [&](const NodeAt& value) { ReadFunctions(value, entry); }},
                     {"required", [&](const NodeAt& value) { reader_.Boolean(value, entry.required); }},
                     {"min", [&](const NodeAt& value) { reader_.Number(value, entry.min.emplace()); }},
                     {"max", [&](const NodeAt& value) { reader_.Number(value, entry.max.emplace()); }},
                     {"unit", [&](const NodeAt& value) { reader_.Text(value, entry.unit, 64); }},
                     {"value", [&](const NodeAt& value) { ReadValue(value, entry); }},
                     {"coalesce", [&](const NodeAt& value) { ReadPaths(value, entry.coalesce); }},
                     {"concat", [&](const NodeAt& value) { ReadPaths(value, entry.concat); }},
                     {"separator", [&](const NodeAt& value) { reader_.LongText(value, entry.separator, 64); }},
                     {"lookup", [&](const NodeAt& value) { ReadLookup(value, reader_, entry.lookup.emplace()); }}});
    reader_.Require(at, "to", "dims.geo.name");
    CheckPaths(at, entry);
    if (entry.constant) {
      CheckConstant(at, entry);
    } else if (IsConstantKey(entry.from)) {
      TakeFirstPath(at, entry);
    }
    if (entry.min && entry.max && *entry.min > *entry.max) reader_.Invalid(Child(at, "min"), "min is greater than max");
    return target;
  }

  void CheckConstant(const NodeAt& at, MappingEntry& entry) {
    entry.from.clear();
    for (absl::string_view key : {"using", "required", "min", "max", "coalesce", "concat", "lookup"}) {
      reader_.RefuseKey(at, key, "a constant (value:) does not use this key");
    }
  }

  void ReadPaths(const NodeAt& at, std::vector<std::string>& out) {
    reader_.TextList(at, out);
    if (out.size() > kMaxPaths) reader_.Invalid(at, absl::StrCat("more than ", kMaxPaths, " fields; use fewer"));
  }

  void CheckPaths(const NodeAt& at, const MappingEntry& entry) {
    if (at.node->Find("coalesce") != nullptr) {
      reader_.RefuseKey(at, "concat", "coalesce takes one of several fields and concat joins them; write one of both");
    }
    if (entry.concat.empty()) reader_.RefuseKey(at, "separator", "only concat uses this key");
  }

  // A field that is made of several needs none to stand for it: _: {to: dims.id, concat: [a, b]}.
  void TakeFirstPath(const NodeAt& at, MappingEntry& entry) {
    std::vector<std::string>& paths = entry.coalesce.empty() ? entry.concat : entry.coalesce;
    if (paths.empty()) return reader_.Require(at, "value", "BLS");
    entry.from = paths[0];
    paths.erase(paths.begin());
  }

  void ReadValue(const NodeAt& at, MappingEntry& entry) {
    if (at.node->kind != YamlNode::Kind::kScalar)
      return reader_.Invalid(at, "a constant is a single text, number or true/false");
    absl::StatusOr<Value> value = ReadConstant(*at.node);
    if (value.ok()) entry.constant = *std::move(value);
  }

  void ReadType(const NodeAt& at, MappingEntry& entry) {
    NodeReader::Choices<ValueType> types;
    for (ValueType type : {ValueType::kText, ValueType::kInteger, ValueType::kDecimal, ValueType::kFloat,
                           ValueType::kBoolean, ValueType::kTimestamp, ValueType::kDate}) {
      absl::string_view name = ValueTypeName(type);
      types.emplace_back(std::string(name.data(), name.size()), type);
    }
    ValueType type = ValueType::kNull;
    reader_.Choice(at, types, type);
    if (type != ValueType::kNull) entry.type = type;
  }

  void ReadFunctions(const NodeAt& at, MappingEntry& entry) {
    reader_.Items(at, [&](const NodeAt& item) {
      std::string text;
      reader_.Text(item, text, 2048);
      if (text.empty()) return;
      absl::StatusOr<FunctionCall> call = ParseFunctionCall(text);
      if (!call.ok()) return reader_.Invalid(item, call.status().message());
      entry.functions.push_back(*std::move(call));
    });
    if (entry.functions.size() > kMaxFunctions) {
      reader_.Invalid(at, absl::StrCat("more than ", kMaxFunctions, " functions; use fewer"));
    }
  }

  bool ReadTarget(const NodeAt& at, MappingEntry& entry) {
    std::string target;
    reader_.Text(at, target, kMaxTargetBytes + 16);
    if (target.empty()) return false;
    for (FieldRole role : {FieldRole::kDim, FieldRole::kMeasure, FieldRole::kAttr}) {
      std::string prefix = absl::StrCat(FieldRolePrefix(role), ".");
      if (target.compare(0, prefix.size(), prefix) != 0) continue;
      entry.role = role;
      entry.to = target.substr(prefix.size());
      if (IsTargetName(entry.to)) return true;
      break;
    }
    reader_.Fault(at, "PROFILE_TARGET_INVALID",
                  absl::StrCat("\"", target.substr(0, 64),
                               "\" is not a target; write dims. (what it is about), measures. (numbers) or attrs. "
                               "(text) and a name of letters, digits, _ and - in parts joined by dots: dims.geo.name"));
    return false;
  }

  bool CheckTarget(const NodeAt& at, const MappingEntry& entry) {
    std::string target = absl::StrCat(FieldRolePrefix(entry.role), ".", entry.to);
    auto [place, is_new] = targets_.emplace(target, at.node->line);
    if (!is_new) {
      reader_.Fault(at, "PROFILE_TARGET_DUPLICATE",
                    absl::StrCat(target, " is already mapped in line ", place->second, "; map it once"));
      return false;
    }
    if (targets_.size() == kMaxMappingEntries + 1) {
      reader_.Invalid(at, absl::StrCat("more than ", kMaxMappingEntries, " mapped fields; split the profile"));
    }
    return true;
  }

  NodeReader& reader_;
  std::vector<MappingEntry>& out_;
  std::map<std::string, int> targets_;
};

}  // namespace

absl::StatusOr<FunctionCall> ParseFunctionCall(absl::string_view text) {
  FunctionCall call;
  bool first = true;
  while (true) {
    while (!text.empty() && text[0] == ' ') text.remove_prefix(1);
    if (text.empty()) break;
    std::string word;
    if (text[0] != '"' && text[0] != '\'') {
      size_t end = std::min(text.find(' '), text.size());
      word = std::string(text.substr(0, end));
      text.remove_prefix(end);
    } else if (!TakeQuoted(text, word)) {
      return Error(absl::StatusCode::kInvalidArgument, "FUNCTION_CALL_INVALID",
                   "a quote does not end, or more text follows it at once; write words parted by blanks, those with "
                   "blanks in quotes: replace \", \" -");
    }
    if (first) {
      call.name = word;
    } else {
      call.arguments.push_back(word);
    }
    first = false;
  }
  if (call.name.empty()) {
    return Error(absl::StatusCode::kInvalidArgument, "FUNCTION_CALL_INVALID", "the name of a function is missing");
  }
  return call;
}

void ReadMapping(const NodeAt& at, NodeReader& reader, std::vector<MappingEntry>& out) {
  if (at.node->kind != YamlNode::Kind::kMap || at.node->entries.empty()) {
    return reader.Fault(at, "PROFILE_MAPPING_EMPTY",
                        "nothing is mapped, so every record would be empty; add lines like FIELD: dims.geo.name");
  }
  MappingReader mapping(reader, out);
  for (const YamlEntry& entry : at.node->entries) {
    mapping.ReadField(entry.key, {&entry.value, JoinPath(at.path, entry.key)});
  }
}

}  // namespace chartly
