#include "control/aggregator/key_match.h"

#include <algorithm>
#include <set>

#include "absl/strings/str_cat.h"
#include "common/chunk/sort_key.h"
#include "common/status/status.h"
#include "control/aggregator/record_projection.h"

namespace chartly::aggregator {
namespace {

constexpr char kUnknown = 2;

}  // namespace

absl::StatusOr<KeyMatch> KeyMatch::Parse(const std::vector<std::string>& key) {
  KeyMatch match;
  for (const std::string& text : key) {
    size_t equals = text.find('=');
    Field field;
    field.loose = true;
    if (equals == std::string::npos || !SplitFieldName(text.substr(0, equals), field.role, field.name)) {
      return Error(absl::StatusCode::kInvalidArgument, "KEY_INVALID",
                   absl::StrCat("key: \"", text, "\" is no field and value; write it as dims.geo.iso=DE"));
    }
    field.text = text.substr(equals + 1);
    absl::StatusOr<Value> number = ParseNumber(field.text);
    field.value = number.ok() ? *std::move(number) : Value::Text(field.text);
    FillSortable(field);
    match.fields_.push_back(std::move(field));
  }
  return match;
}

// A value that prints as the text may be of any type that reads it.
void KeyMatch::FillSortable(Field& field) {
  if (field.role != Role::kDim || field.value.is_null()) return;
  auto add = [&field](const Value& value) { AppendSortable(field.name, value, field.sortable.emplace_back()); };
  add(field.value);
  if (!field.loose) return;
  add(Value::Text(field.text));
  if (auto boolean = ParseBoolean(field.text); boolean.ok()) add(Value::Boolean(*boolean));
  if (auto date = ParseDate(field.text); date.ok()) add(Value::Of(*date));
  if (auto timestamp = ParseTimestamp(field.text); timestamp.ok()) add(Value::Of(*timestamp));
}

bool KeyMatch::MayBeIn(const Field& field, const DimRange& range) {
  return std::any_of(field.sortable.begin(), field.sortable.end(), [&](const std::string& value) {
    return value >= range.min() && (range.max().empty() || value <= range.max());
  });
}

bool KeyMatch::MayBeIn(const PartMeta& part, uint32_t index) const {
  const SealedChunkMeta& chunk = part.chunks(static_cast<int>(index));
  const auto& key = part.key();
  for (const Field& field : fields_) {
    const bool in_key = key.empty() || std::find(key.begin(), key.end(), field.name) != key.end();
    if (!in_key || field.sortable.empty()) continue;
    auto range = std::find_if(chunk.ranges().begin(), chunk.ranges().end(),
                              [&](const DimRange& one) { return one.name() == field.name; });
    if (range == chunk.ranges().end() || !MayBeIn(field, *range)) return false;
  }
  return true;
}

bool KeyMatch::MayBeIn(const std::vector<DimRange>& ranges) const {
  for (const Field& field : fields_) {
    if (field.sortable.empty()) continue;
    for (const DimRange& range : ranges) {
      if (range.name() == field.name && !MayBeIn(field, range)) return false;
    }
  }
  return true;
}

KeyMatch KeyMatch::OfRow(const RecordBlock& block, uint32_t row) {
  std::set<std::string> names(block.source().key.begin(), block.source().key.end());
  if (names.empty()) {
    for (const ColumnData& column : block.columns()) {
      if (column.role == Role::kDim) names.insert(column.name);
    }
  }
  KeyMatch match;
  for (const std::string& name : names) {
    Value value = GetValue(block.columns(), Role::kDim, name, row);
    std::string text = value.ToText();
    match.fields_.push_back({Role::kDim, name, std::move(value), std::move(text), false, {}});
    FillSortable(match.fields_.back());
  }
  return match;
}

std::vector<std::string> KeyMatch::texts() const {
  std::vector<std::string> texts;
  for (const Field& field : fields_) {
    if (!field.text.empty()) texts.push_back(field.text);
  }
  return texts;
}

void KeyMatch::Bind(const ColumnSet& columns) {
  bound_.clear();
  for (const Field& field : fields_) {
    std::vector<Bound>& bound = bound_.emplace_back();
    for (const ColumnData* column : FindField(columns, field.role, field.name)) {
      bound.push_back({column, std::vector<char>(column->codes.empty() ? 0 : column->text_ends.size(), kUnknown)});
    }
  }
}

bool KeyMatch::Fits(const Field& field, const Value& value) {
  if (field.loose && value.ToText() == field.text) return true;
  bool same_class = field.value.type() == value.type() || (field.value.is_number() && value.is_number());
  return same_class && CompareValues(field.value, value) == 0;
}

bool KeyMatch::Fits(const Field& field, Bound& bound, uint32_t row) {
  if (bound.by_entry.empty()) return Fits(field, bound.column->Get(row));
  char& known = bound.by_entry[bound.column->codes[row]];
  if (known == kUnknown) known = Fits(field, bound.column->Get(row)) ? 1 : 0;
  return known == 1;
}

bool KeyMatch::Matches(uint32_t row) {
  for (size_t i = 0; i < fields_.size(); ++i) {
    auto has_value = [row](const Bound& bound) { return !bound.column->IsNull(row); };
    auto bound = std::find_if(bound_[i].begin(), bound_[i].end(), has_value);
    bool lacks = bound == bound_[i].end();
    if (lacks != fields_[i].value.is_null()) return false;
    if (!lacks && !Fits(fields_[i], *bound, row)) return false;
  }
  return true;
}

}  // namespace chartly::aggregator
