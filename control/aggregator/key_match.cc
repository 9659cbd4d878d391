#include "control/aggregator/key_match.h"

#include <algorithm>
#include <set>

#include "absl/strings/str_cat.h"
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
    match.fields_.push_back(std::move(field));
  }
  return match;
}

KeyMatch KeyMatch::OfRow(const Batch& batch, uint32_t row) {
  std::set<std::string> names(batch.header().key().begin(), batch.header().key().end());
  if (names.empty()) {
    for (const BatchColumn& column : batch.columns()) {
      if (column.role() == Role::kDim) names.insert(column.name());
    }
  }
  KeyMatch match;
  for (const std::string& name : names) {
    Value value = batch.Get(Role::kDim, name, row);
    std::string text = value.ToText();
    match.fields_.push_back({Role::kDim, name, std::move(value), std::move(text), false});
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

void KeyMatch::Bind(const Batch& batch) {
  bound_.clear();
  for (const Field& field : fields_) {
    std::vector<Bound>& columns = bound_.emplace_back();
    for (const BatchColumn* column : batch.Find(field.role, field.name)) {
      columns.push_back({column, std::vector<char>(column->dictionary_size(), kUnknown)});
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
  char& known = bound.by_entry[bound.column->DictionaryIndex(row)];
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
