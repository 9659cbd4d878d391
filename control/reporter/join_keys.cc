#include "control/reporter/join_keys.h"

#include <algorithm>
#include <limits>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/status/status.h"
#include "control/reporter/parallel.h"

namespace chartly::reporter {
namespace {

// The key column of that name, as codes even if it is a measure; its places are not known yet.
absl::StatusOr<KeyColumn> FindKey(const Table& table, const std::string& name) {
  ASSIGN_OR_RETURN(const Column* column, table.Require(name));
  if (column->is_key) return KeyColumn{column, nullptr, {}};
  std::vector<Value> values;
  for (size_t row = 0; row < column->size(); ++row) values.push_back(column->Get(row));
  auto made = std::make_shared<const Column>(Column::KeyOf(column->name, values));
  return KeyColumn{made.get(), made, {}};
}

// The values of one side after the rules; a value that a rule refuses becomes null and is told in a note.
std::vector<Value> ApplyRules(const JoinKey& key, const Dictionary& values, std::vector<std::string>& notes) {
  std::vector<Value> out;
  out.reserve(values.size());
  size_t refused = 0;
  std::string first;
  for (const Value& value : values) {
    absl::StatusOr<Value> applied = key.rules->Apply(value);
    if (!applied.ok() && refused++ == 0) first = std::string(applied.status().message());
    out.push_back(applied.ok() ? *std::move(applied) : Value());
  }
  if (refused > 0) {
    notes.push_back(absl::StrCat(refused, " values of ", key.left, " do not fit its rules and match nothing: ", first));
  }
  return out;
}

MergedDictionary MergeByRules(const JoinKey& key, const Dictionary& left, const Dictionary& right,
                              std::vector<std::string>& notes) {
  DictionaryBuilder builder;
  BigVector<uint32_t> codes;
  for (const Dictionary* side : {&left, &right}) {
    for (const Value& value : ApplyRules(key, *side, notes)) codes.push_back(builder.Intern(value));
  }
  MergedDictionary merged;
  merged.values = builder.Finish(codes);
  merged.left.assign(codes.begin(), codes.begin() + static_cast<int64_t>(left.size()));
  merged.right.assign(codes.begin() + static_cast<int64_t>(left.size()), codes.end());
  return merged;
}

absl::string_view ClassName(const Value& value) {
  return value.is_number() ? "numbers" : value.type() == ValueType::kText ? "text" : ValueTypeName(value.type());
}

// Values of different kinds are never equal, and nobody sees that from the values as they print.
void NoteKinds(const JoinKey& key, const Dictionary& left, const Dictionary& right, std::vector<std::string>& notes) {
  std::set<absl::string_view> left_kinds, right_kinds;
  for (const Value& value : left) left_kinds.insert(ClassName(value));
  for (const Value& value : right) right_kinds.insert(ClassName(value));
  if (left_kinds.size() != 1 || right_kinds.size() != 1 || left_kinds == right_kinds) return;
  notes.push_back(absl::StrCat(key.left, " holds ", *left_kinds.begin(), " and ", key.right, " ", *right_kinds.begin(),
                               ", which are never equal; give the key a rule such as to_text or to_integer"));
}

// Makes room for `values` more: the numbers of both sides become their ranks.
void Densify(JoinKeys& keys) {
  BigVector<uint64_t> all = keys.left;
  all.insert(all.end(), keys.right.begin(), keys.right.end());
  std::sort(all.begin(), all.end());
  all.erase(std::unique(all.begin(), all.end()), all.end());
  for (BigVector<uint64_t>* side : {&keys.left, &keys.right}) {
    for (uint64_t& key : *side) {
      if (key == kNullKey) continue;
      key = static_cast<uint64_t>(std::lower_bound(all.begin(), all.end(), key) - all.begin());
    }
  }
}

void Append(const KeyColumn& column, uint64_t values, BigVector<uint64_t>& keys) {
  for (size_t row = 0; row < keys.size(); ++row) {
    uint32_t place = column.At(row);
    keys[row] = place == kNullCode || keys[row] == kNullKey ? kNullKey : keys[row] * values + place;
  }
}

}  // namespace

absl::StatusOr<JoinKeys> MakeJoinKeys(const Table& left, const Table& right, const std::vector<JoinKey>& keys) {
  JoinKeys made;
  made.left.assign(left.rows, 0);
  made.right.assign(right.rows, 0);
  uint64_t range = 1;
  for (const JoinKey& key : keys) {
    ASSIGN_OR_RETURN(KeyColumn left_column, FindKey(left, key.left));
    ASSIGN_OR_RETURN(KeyColumn right_column, FindKey(right, key.right));
    const Dictionary& left_values = *left_column.column->dictionary;
    const Dictionary& right_values = *right_column.column->dictionary;
    if (key.rules == nullptr) NoteKinds(key, left_values, right_values, made.notes);
    MergedDictionary merged = key.rules == nullptr ? MergeDictionaries(left_values, right_values)
                                                   : MergeByRules(key, left_values, right_values, made.notes);
    left_column.places = std::move(merged.left);
    right_column.places = std::move(merged.right);
    uint64_t values = std::max<uint64_t>(1, merged.values->size());
    if (range > (std::numeric_limits<uint64_t>::max() >> 1) / values) {
      Densify(made);
      range = made.left.size() + made.right.size() + 1;
    }
    InParallel(2, [&](size_t side) {
      Append(side == 0 ? left_column : right_column, values, side == 0 ? made.left : made.right);
    });
    range *= values;
    made.last_values = values;
    made.left_columns.push_back(std::move(left_column));
    made.right_columns.push_back(std::move(right_column));
    made.values.push_back(std::move(merged.values));
  }
  return made;
}

}  // namespace chartly::reporter
