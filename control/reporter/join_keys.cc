#include "control/reporter/join_keys.h"

#include <algorithm>
#include <bit>
#include <limits>
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

// Integers, decimals and floats are one kind.
uint32_t KindsOf(const Dictionary& values) {
  uint32_t kinds = 0;
  for (const Value& value : values) {
    kinds |= uint32_t{1} << static_cast<int>(value.is_number() ? ValueType::kInteger : value.type());
  }
  return kinds;
}

// The name of the only kind.
absl::string_view KindName(uint32_t kinds) {
  const auto type = static_cast<ValueType>(std::countr_zero(kinds));
  return type == ValueType::kInteger ? "numbers" : type == ValueType::kText ? "text" : ValueTypeName(type);
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

// Key columns of one side that its numbers do not hold yet, and how many values each has.
struct Digits {
  std::vector<const KeyColumn*> columns;
  std::vector<uint64_t> values;
};

// Puts a digit into the numbers of some rows: the first one of them, or a further one.
template <bool first>
void AppendDigit(const uint32_t* places, size_t count, uint64_t values, uint64_t* keys) {
  for (size_t i = 0; i < count; ++i) {
    const uint64_t place = places[i] == kNullCode ? kNullKey : places[i];
    if constexpr (first) {
      keys[i] = place;
    } else {
      keys[i] = place == kNullKey || keys[i] == kNullKey ? kNullKey : keys[i] * values + place;
    }
  }
}

// Appends all digits, a few rows at a time that stay in the cache. `fresh`: the numbers are not made yet.
void Append(const Digits& digits, bool fresh, size_t begin, size_t end, BigVector<uint64_t>& keys) {
  constexpr size_t kRows = 2048;
  uint32_t places[kRows];
  for (; begin < end; begin += kRows) {
    const size_t count = std::min(end - begin, kRows);
    for (size_t i = 0; i < digits.columns.size(); ++i) {
      digits.columns[i]->CopyPlaces(begin, count, places);
      (fresh && i == 0 ? AppendDigit<true> : AppendDigit<false>)(places, count, digits.values[i], keys.data() + begin);
    }
  }
}

// Puts the digits that are left into the numbers of both sides, and forgets them.
void Flush(Digits& left, Digits& right, bool fresh, JoinKeys& keys) {
  constexpr size_t kRows = size_t{1} << 17;
  const size_t left_parts = (keys.left.size() + kRows - 1) / kRows;
  const size_t right_parts = (keys.right.size() + kRows - 1) / kRows;
  InParallel(left_parts + right_parts, [&](size_t part) {
    const bool is_left = part < left_parts;
    BigVector<uint64_t>& side = is_left ? keys.left : keys.right;
    const size_t begin = (is_left ? part : part - left_parts) * kRows;
    Append(is_left ? left : right, fresh, begin, std::min(side.size(), begin + kRows), side);
  });
  left = right = Digits();
}

// Empty if each code is its place, as it mostly is: then nothing has to be looked up.
std::vector<uint32_t> PlacesUnlessCodes(std::vector<uint32_t> places) {
  for (size_t code = 0; code < places.size(); ++code) {
    if (places[code] != code) return places;
  }
  return {};
}

}  // namespace

void KeyColumn::CopyPlaces(size_t first, size_t count, uint32_t* out) const {
  const uint32_t* const codes = column->codes.data() + first;
  if (places.empty()) {
    std::copy(codes, codes + count, out);
    return;
  }
  for (size_t i = 0; i < count; ++i) out[i] = codes[i] == kNullCode ? kNullCode : places[codes[i]];
}

// Nobody sees it from the values as they print.
std::string NoteOfKinds(const JoinKey& key, const KeyKinds& kinds) {
  const bool differ = std::has_single_bit(kinds.left) && std::has_single_bit(kinds.right) && kinds.left != kinds.right;
  if (!differ || key.rules != nullptr) return "";
  return absl::StrCat(key.left, " holds ", KindName(kinds.left), " and ", key.right, " ", KindName(kinds.right),
                      ", which are never equal; give the key a rule such as to_text or to_integer");
}

absl::StatusOr<JoinKeys> MakeJoinKeys(const Table& left, const Table& right, const std::vector<JoinKey>& keys,
                                      DictionaryMerges* merges) {
  JoinKeys made;
  for (const JoinKey& key : keys) {
    ASSIGN_OR_RETURN(KeyColumn left_column, FindKey(left, key.left));
    ASSIGN_OR_RETURN(KeyColumn right_column, FindKey(right, key.right));
    const DictionaryPtr& left_values = left_column.column->dictionary;
    const DictionaryPtr& right_values = right_column.column->dictionary;
    made.kinds.push_back({KindsOf(*left_values), KindsOf(*right_values)});
    MergedDictionary merged = key.rules != nullptr ? MergeByRules(key, *left_values, *right_values, made.notes)
                              : merges != nullptr  ? merges->Merge(left_values, right_values)
                                                   : MergeDictionaries(*left_values, *right_values);
    left_column.places = PlacesUnlessCodes(std::move(merged.left));
    right_column.places = PlacesUnlessCodes(std::move(merged.right));
    made.left_columns.push_back(std::move(left_column));
    made.right_columns.push_back(std::move(right_column));
    made.last_values = std::max<uint64_t>(1, merged.values->size());
    made.values.push_back(std::move(merged.values));
  }
  made.left_rows = left.rows;
  made.right_rows = right.rows;
  return made;
}

void NumberKeys(JoinKeys& keys) {
  keys.left.resize(keys.left_rows);
  keys.right.resize(keys.right_rows);
  Digits left, right;
  bool fresh = true;
  uint64_t range = 1;
  for (size_t k = 0; k < keys.values.size(); ++k) {
    const uint64_t values = std::max<uint64_t>(1, keys.values[k]->size());
    if (range > (std::numeric_limits<uint64_t>::max() >> 1) / values) {
      Flush(left, right, fresh, keys);
      fresh = false;
      Densify(keys);
      range = keys.left.size() + keys.right.size() + 1;
    }
    range *= values;
    left.columns.push_back(&keys.left_columns[k]);
    right.columns.push_back(&keys.right_columns[k]);
    left.values.push_back(values);
    right.values.push_back(values);
  }
  Flush(left, right, fresh, keys);
}

}  // namespace chartly::reporter
