#include "control/reporter/span_filter.h"

#include <algorithm>

namespace chartly::reporter {

SpanFilter::SpanFilter(const KeySpan& span, const FieldReader& field, uint32_t rows) : span_(span), field_(field) {
  const std::vector<const ColumnData*>& columns = field.columns();
  some_missing_ = rows > 0 && !field.IsWhole();
  if (columns.empty()) {
    decided_ = span.missing ? Decided::kAll : Decided::kNone;
  } else if (!some_missing_ && span.missing) {
    decided_ = Decided::kNone;
  } else if (columns.size() == 1 && !span.missing) {
    EntriesOf(*columns[0]) > 0 ? DecideEntries(*columns[0]) : DecideNumbers(*columns[0], rows);
  }
}

void SpanFilter::DecideEntries(const ColumnData& column) {
  entries_of_ = &column;
  size_t in = 0;
  for (uint32_t i = 0; i < EntriesOf(column); ++i) {
    entries_.push_back(HoldsValue(Value::Text(column.Entry(i))) ? 1 : 0);
    in += entries_.back();
  }
  if (in == 0) decided_ = Decided::kNone;
  if (in == entries_.size() && !some_missing_) decided_ = Decided::kAll;
}

void SpanFilter::DecideNumbers(const ColumnData& column, uint32_t rows) {
  const bool plain =
      column.type == ValueType::kInteger || column.type == ValueType::kTimestamp || column.type == ValueType::kDate;
  if (!plain || some_missing_ || rows == 0) return;
  const auto [least, most] = std::minmax_element(column.integers.begin(), column.integers.begin() + rows);
  auto bytes_of = [&](std::vector<int64_t>::const_iterator at) {
    std::string bytes;
    AppendSpanBytes(column.Get(static_cast<uint32_t>(at - column.integers.begin())), bytes);
    return bytes;
  };
  const std::string min = bytes_of(least), max = bytes_of(most);
  if (span_.Holds(min) && span_.Holds(max)) decided_ = Decided::kAll;
  if (max < span_.from || (!span_.below.empty() && min >= span_.below)) decided_ = Decided::kNone;
}

bool SpanFilter::HoldsValue(const Value& value) {
  bytes_.clear();
  AppendSpanBytes(value, bytes_);
  return span_.Holds(bytes_);
}

bool SpanFilter::HoldsSlowly(uint32_t row) {
  if (IsMissing(row)) return span_.missing;
  if (span_.missing) return false;
  if (entries_of_ != nullptr) return entries_[entries_of_->codes[row]] != 0;
  Value value = field_.Get(row);
  if (before_.is_null() || !(before_ == value)) {
    before_holds_ = HoldsValue(value);
    before_ = std::move(value);
  }
  return before_holds_;
}

}  // namespace chartly::reporter
