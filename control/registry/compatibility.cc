#include "control/registry/compatibility.h"

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/profile/profile_parser.h"
#include "common/status/status.h"

namespace chartly::registry {
namespace {

constexpr v1::CompatibilityVerdict kCompatible = v1::COMPATIBILITY_VERDICT_COMPATIBLE;
constexpr v1::CompatibilityVerdict kWidening = v1::COMPATIBILITY_VERDICT_WIDENING;
constexpr v1::CompatibilityVerdict kBreaking = v1::COMPATIBILITY_VERDICT_BREAKING;
constexpr int kMaxBreaksShown = 8;

// One field of the records, from all entries of the mapping that give it.
struct Field {
  std::set<std::string> types;
  std::set<std::string> units;
  std::set<std::string> rules;  // where it comes from and how it is computed
  std::set<std::string> bounds;
  bool required = false;
};

std::string TypeText(const MappingEntry& entry) {
  if (entry.type) return std::string(ValueTypeName(*entry.type));
  if (entry.constant) return std::string(ValueTypeName(entry.constant->type()));
  return entry.role == FieldRole::kMeasure ? "number" : "any";
}

std::string LookupText(const LookupConfig& lookup) {
  return absl::StrCat(" lookup ", static_cast<int>(lookup.miss), " '", lookup.otherwise, "' ",
                      absl::StrJoin(lookup.table, ",", absl::PairFormatter("=")));
}

std::string RuleText(const MappingEntry& entry) {
  std::string text = absl::StrCat(entry.from, absl::StrJoin(entry.coalesce, "|"),
                                  absl::StrJoin(entry.concat, absl::StrCat("+'", entry.separator, "'+")));
  if (entry.constant) absl::StrAppend(&text, "constant ", entry.constant->ToText());
  for (const FunctionCall& call : entry.functions) {
    absl::StrAppend(&text, " ", call.name, "(", absl::StrJoin(call.arguments, ","), ")");
  }
  if (entry.lookup) absl::StrAppend(&text, LookupText(*entry.lookup));
  return text;
}

std::string BoundText(const MappingEntry& entry) {
  std::string text;
  if (entry.min) absl::StrAppend(&text, "min ", *entry.min);
  if (entry.max) absl::StrAppend(&text, text.empty() ? "" : " ", "max ", *entry.max);
  return text;
}

std::map<std::string, Field> FieldsOf(const chartly::Profile& profile) {
  std::map<std::string, Field> fields;
  for (const MappingEntry& entry : profile.mapping) {
    Field& field = fields[absl::StrCat(FieldRolePrefix(entry.role), ".", entry.to)];
    field.types.insert(TypeText(entry));
    if (!entry.unit.empty()) field.units.insert(entry.unit);
    field.rules.insert(RuleText(entry));
    if (std::string bound = BoundText(entry); !bound.empty()) field.bounds.insert(bound);
    field.required = field.required || entry.required;
  }
  return fields;
}

std::set<std::string> KeyOf(const chartly::Profile& profile) {
  std::set<std::string> key(profile.key.begin(), profile.key.end());
  if (!key.empty()) return key;
  for (const MappingEntry& entry : profile.mapping) {
    if (entry.role == FieldRole::kDim) key.insert(entry.to);
  }
  return key;
}

std::string Text(const std::set<std::string>& parts) { return absl::StrJoin(parts, ", "); }

class Comparison {
 public:
  void Add(absl::string_view field, absl::string_view reason, v1::CompatibilityVerdict verdict,
           absl::string_view before, absl::string_view after) {
    v1::CompatibilityChange& change = *result_.add_changes();
    change.set_field(std::string(field));
    change.set_reason(std::string(reason));
    change.set_verdict(verdict);
    change.set_before(std::string(before));
    change.set_after(std::string(after));
    result_.set_verdict(std::max(result_.verdict(), verdict));
  }
  // What lets rows through: nothing stated lets all through.
  void AddRows(absl::string_view field, const std::string& before, const std::string& after) {
    if (before == after) return;
    if (before.empty()) return Add(field, "ROWS_NARROWED", kCompatible, before, after);
    if (after.empty()) return Add(field, "ROWS_WIDENED", kWidening, before, after);
    Add(field, "ROWS_CHANGED", kWidening, before, after);
  }
  v1::Compatibility Take() {
    std::stable_sort(result_.mutable_changes()->begin(), result_.mutable_changes()->end(),
                     [](const auto& a, const auto& b) { return a.field() < b.field(); });
    return std::move(result_);
  }
  Comparison() { result_.set_verdict(kCompatible); }

 private:
  v1::Compatibility result_;
};

// Numbers of all types are one value for keys and joins, so a wider type of number takes nothing from a reader.
v1::CompatibilityVerdict RetypingOf(const Field& before, const Field& after) {
  static const std::map<std::string, std::set<std::string>> kWider = {
      {"integer", {"decimal", "number"}}, {"decimal", {"number"}}, {"float", {"number"}}};
  if (before.types.size() != 1 || after.types.size() != 1) return kBreaking;
  const std::string& from = *before.types.begin();
  const std::string& to = *after.types.begin();
  auto wider = kWider.find(from);
  if (wider != kWider.end() && wider->second.count(to) > 0) return kWidening;
  // Any number became one kind of number: the rest goes to quarantine.
  if (from == "number" && kWider.count(to) > 0) return kCompatible;
  return kBreaking;
}

void CompareField(const std::string& name, const Field& before, const Field& after, Comparison& comparison) {
  if (before.types != after.types) {
    comparison.Add(name, "FIELD_RETYPED", RetypingOf(before, after), Text(before.types), Text(after.types));
  }
  if (before.units != after.units) {
    // A unit that is stated now for the first time is news, not a change.
    comparison.Add(name, "UNIT_CHANGED", before.units.empty() ? kWidening : kBreaking, Text(before.units),
                   Text(after.units));
  }
  if (before.required && !after.required) comparison.Add(name, "FIELD_OPTIONAL", kWidening, "required", "");
  if (!before.required && after.required) comparison.Add(name, "ROWS_NARROWED", kCompatible, "", "required");
  if (before.rules != after.rules) {
    comparison.Add(name, "VALUE_RULE_CHANGED", kWidening, Text(before.rules), Text(after.rules));
  }
  comparison.AddRows(name, Text(before.bounds), Text(after.bounds));
}

std::string ChecksText(const chartly::Profile& profile) {
  std::set<std::string> checks;
  for (const CheckConfig& check : profile.checks) checks.insert(check.expect);
  return Text(checks);
}

}  // namespace

v1::Compatibility CompareRecords(const chartly::Profile& before, const chartly::Profile& after) {
  Comparison comparison;
  const std::map<std::string, Field> old_fields = FieldsOf(before);
  const std::map<std::string, Field> new_fields = FieldsOf(after);
  for (const auto& [name, field] : old_fields) {
    auto found = new_fields.find(name);
    if (found == new_fields.end()) {
      comparison.Add(name, "FIELD_LOST", kBreaking, Text(field.types), "");
    } else {
      CompareField(name, field, found->second, comparison);
    }
  }
  for (const auto& [name, field] : new_fields) {
    if (old_fields.count(name) == 0) comparison.Add(name, "FIELD_ADDED", kWidening, "", Text(field.types));
  }
  const std::set<std::string> old_key = KeyOf(before);
  const std::set<std::string> new_key = KeyOf(after);
  if (old_key != new_key) comparison.Add("key", "KEY_CHANGED", kBreaking, Text(old_key), Text(new_key));
  comparison.AddRows("filter", before.filter, after.filter);
  comparison.AddRows("checks", ChecksText(before), ChecksText(after));
  return comparison.Take();
}

v1::Compatibility CompareRecordTexts(const std::string& before, const std::string& after) {
  ProfileParseResult old_profile = ParseProfile(before);
  ProfileParseResult new_profile = ParseProfile(after);
  if (!old_profile.ok() || !new_profile.ok()) return {};
  return CompareRecords(old_profile.profile, new_profile.profile);
}

std::string BreakingText(const v1::Compatibility& compatibility) {
  std::vector<std::string> breaks;
  int more = 0;
  for (const v1::CompatibilityChange& change : compatibility.changes()) {
    if (change.verdict() != kBreaking) continue;
    if (breaks.size() == kMaxBreaksShown) {
      ++more;
      continue;
    }
    breaks.push_back(absl::StrCat(change.field(), " ", change.reason(), " (",
                                  change.before().empty() ? "nothing" : change.before(), " -> ",
                                  change.after().empty() ? "nothing" : change.after(), ")"));
  }
  if (more > 0) breaks.push_back(absl::StrCat(more, " more"));
  return absl::StrJoin(breaks, "; ");
}

absl::Status RequireConsent(const v1::Compatibility& compatibility, bool allow_breaking, absl::string_view profile_id) {
  if (allow_breaking || compatibility.verdict() != kBreaking) return absl::OkStatus();
  return Error(absl::StatusCode::kFailedPrecondition, "PROFILE_BREAKING",
               absl::StrCat("profile '", profile_id, "' would break what readers of its records rely on: ",
                            BreakingText(compatibility), ". Set allow_breaking (--allow-breaking) if that is meant"),
               {{"profile", profile_id}});
}

}  // namespace chartly::registry
