// Which rows of a piece lie in a span of a key. What depends on a dictionary, or on the smallest and largest number, is
// decided once a piece. Not thread-safe; span and field must outlive it.
#ifndef CHARTLY_CONTROL_REPORTER_SPAN_FILTER_H_
#define CHARTLY_CONTROL_REPORTER_SPAN_FILTER_H_

#include <cstdint>
#include <string>
#include <vector>

#include "control/reporter/field_reader.h"
#include "control/reporter/key_span.h"

namespace chartly::reporter {

class SpanFilter {
 public:
  // `rows`: how many the piece has.
  SpanFilter(const KeySpan& span, const FieldReader& field, uint32_t rows);
  // Whether every row lies in it, or none.
  bool all() const { return decided_ == Decided::kAll; }
  bool none() const { return decided_ == Decided::kNone; }
  bool Holds(uint32_t row) {
    const bool by_entry = entries_of_ != nullptr && !some_missing_;
    return by_entry ? entries_[entries_of_->codes[row]] != 0 : HoldsSlowly(row);
  }
  // Whether the row has no value, and so is in no span of values.
  bool IsMissing(uint32_t row) const { return field_.IsNull(row); }
  // Whether some row has none.
  bool some_missing() const { return some_missing_; }

 private:
  enum class Decided { kNot, kAll, kNone };
  void DecideEntries(const ColumnData& column);
  void DecideNumbers(const ColumnData& column, uint32_t rows);
  bool HoldsSlowly(uint32_t row);
  bool HoldsValue(const Value& value);

  const KeySpan& span_;
  const FieldReader& field_;
  Decided decided_ = Decided::kNot;
  bool some_missing_ = false;
  const ColumnData* entries_of_ = nullptr;  // the only column, with a dictionary
  std::vector<uint8_t> entries_;            // whether the entries of the dictionary lie in the span
  Value before_;                            // the value asked for last
  bool before_holds_ = false;
  std::string bytes_;
};

}  // namespace chartly::reporter

#endif  // CHARTLY_CONTROL_REPORTER_SPAN_FILTER_H_
