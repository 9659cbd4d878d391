// A list of values in eight bytes each as long as all have one type and scale, and nine otherwise: integers, doubles
// and decimals of 64 bits lie packed, others aside. Every value comes back exactly as it was added. Not thread-safe.
#ifndef CHARTLY_CONTROL_REPORTER_VALUE_COLUMN_H_
#define CHARTLY_CONTROL_REPORTER_VALUE_COLUMN_H_

#include <cstdint>
#include <vector>

#include "absl/types/span.h"
#include "common/chunk/column_data.h"
#include "common/value/value.h"
#include "control/reporter/big_vector.h"
#include "control/reporter/row_runs.h"

namespace chartly::reporter {

class ValueColumn {
 public:
  // Adds a value and returns about how many bytes it took beside kBytesPerValue.
  int64_t Add(const Value& value);
  void AddInteger(int64_t integer) { Push(kInteger, integer); }
  void AddFloat(double number);
  // Adds a run of rows of a column, if its values can lie packed as they are: integers, floats, and decimals of 64 bits
  // and one scale. Says whether it did. Requires: no value is null.
  bool AddColumn(const ColumnData& column, uint32_t first, uint32_t count);
  bool AllFloats() const { return tags_.empty() && (tag_ == kFloat || words_.empty()); }
  // Copies a run of values. Requires: AllFloats.
  void CopyFloats(size_t first, size_t count, double* out) const;
  Value Get(size_t i) const;
  // The nearest double; NaN if it is null or no number.
  double Double(size_t i) const;
  bool IsNull(size_t i) const { return TagOf(i) == kNull; }
  bool IsFloat(size_t i) const { return TagOf(i) == kFloat; }
  size_t size() const { return words_.size(); }
  void Reserve(size_t count) { words_.reserve(count); }
  // The values at these places; null for kNoRow.
  ValueColumn Gather(absl::Span<const uint32_t> rows) const;
  ValueColumn Gather(const RowRuns& rows) const;
  // Adds value i of another column; all of them.
  void AddFrom(const ValueColumn& other, size_t i);
  void AddAll(const ValueColumn& other);

  static constexpr int64_t kBytesPerValue = 9;

 private:
  static constexpr uint8_t kNull = 0;
  static constexpr uint8_t kInteger = 1;
  static constexpr uint8_t kFloat = 2;
  static constexpr uint8_t kAside = 3;     // the word is an index into aside_
  static constexpr uint8_t kDecimal = 16;  // plus the scale
  uint8_t TagOf(size_t i) const { return tags_.empty() ? tag_ : tags_[i]; }
  void Push(uint8_t tag, int64_t word);
  void PushAll(uint8_t tag, const void* words, size_t count);

  uint8_t tag_ = kNull;      // of all values, while tags_ is empty
  BigVector<uint8_t> tags_;  // made when a second tag comes
  BigVector<int64_t> words_;
  std::vector<Value> aside_;
};

}  // namespace chartly::reporter

#endif  // CHARTLY_CONTROL_REPORTER_VALUE_COLUMN_H_
