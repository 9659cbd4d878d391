#include "control/aggregator/key_ranges.h"

#include <algorithm>
#include <string>

#include "common/chunk/sort_key.h"

namespace chartly::aggregator {
namespace {

// Widens by the values that `get` gives for 0 to `count`.
template <typename Get>
void FindRange(uint32_t count, Get&& get, Value& min, Value& max) {
  for (uint32_t i = 0; i < count; ++i) {
    Value value = get(i);
    if (min.is_null() || CompareValues(value, min) < 0) min = value;
    if (max.is_null() || CompareValues(value, max) > 0) max = std::move(value);
  }
}

// Of a column without dictionary: integers and texts without a Value of each.
void FindPlainRange(const BatchColumn& column, uint32_t rows, Value& min, Value& max) {
  if (column.type() == ValueType::kInteger) {
    std::vector<int64_t> numbers(rows);
    column.ReadNumbers(0, rows, numbers.data(), nullptr);
    const auto [least, most] = std::minmax_element(numbers.begin(), numbers.end());
    min = Value::Integer(*least);
    max = Value::Integer(*most);
    return;
  }
  if (column.type() != ValueType::kText) {
    return FindRange(
        rows, [&](uint32_t row) { return column.Get(row); }, min, max);
  }
  absl::string_view least = column.Text(0);
  absl::string_view most = least;
  for (uint32_t row = 1; row < rows; ++row) {
    absl::string_view text = column.Text(row);
    least = std::min(least, text);
    most = std::max(most, text);
  }
  min = Value::Text(least);
  max = Value::Text(most);
}

}  // namespace

std::vector<DimRange> KeyRangesOf(const Batch& batch) {
  const auto& key = batch.header().key();
  std::vector<DimRange> ranges;
  if (batch.rows() == 0) return ranges;
  for (const BatchColumn& column : batch.columns()) {
    const bool in_key = key.empty() || std::find(key.begin(), key.end(), column.name()) != key.end();
    if (column.role() != Role::kDim || !in_key || column.has_nulls()) continue;
    Value min;
    Value max;
    if (column.dictionary_size() > 0) {
      FindRange(
          column.dictionary_size(), [&](uint32_t i) { return column.DictionaryValue(i); }, min, max);
    } else {
      FindPlainRange(column, batch.rows(), min, max);
    }
    DimRange& range = ranges.emplace_back();
    range.set_name(column.name());
    AppendSortable(column.name(), min, *range.mutable_min());
    AppendSortable(column.name(), max, *range.mutable_max());
  }
  return ranges;
}

bool MayShareKeys(const std::vector<DimRange>& batch, const PartMeta& part) {
  for (const DimRange& range : batch) {
    auto in_part = std::find_if(part.ranges().begin(), part.ranges().end(),
                                [&](const DimRange& one) { return one.name() == range.name(); });
    if (in_part == part.ranges().end()) return false;  // a dim of the batch that no row of the part has
    if (range.max() < in_part->min() || (!in_part->max().empty() && range.min() > in_part->max())) return false;
  }
  return true;
}

}  // namespace chartly::aggregator
