// The numbers of one side of a correlation, and the ranks of them.
//
// A number is kept as the unevaluated sum high + low. Whole numbers enter exactly, however wide (low holds what does
// not fit 53 bits); numbers with a fraction enter as the nearest double, as every reference computes with them. low
// takes no memory until a number needs it. Not thread-safe.
#ifndef CHARTLY_CONTROL_REPORTER_NUMBER_COLUMN_H_
#define CHARTLY_CONTROL_REPORTER_NUMBER_COLUMN_H_

#include <cstdint>
#include <vector>

#include "common/value/value.h"
#include "control/reporter/value_column.h"

namespace chartly::reporter {

class NumberColumn {
 public:
  // The numbers of a column. Requires: all of them are.
  static NumberColumn Of(const ValueColumn& values);
  // Requires: value.is_number().
  void Add(const Value& value);
  void AddDouble(double number);
  // A run of values. Requires: all of the column are floats.
  void AddFloats(const ValueColumn& values, size_t first, size_t count);
  size_t size() const { return high_.size(); }
  void Reserve(size_t count) { high_.reserve(count); }
  // The number in the widest type of the machine.
  long double At(size_t i) const { return low_.empty() ? high_[i] : static_cast<long double>(high_[i]) + low_[i]; }
  // The numbers as doubles; nullptr if some need more than that.
  const double* doubles() const { return low_.empty() ? high_.data() : nullptr; }
  bool Less(size_t a, size_t b) const;
  bool Equal(size_t a, size_t b) const { return high_[a] == high_[b] && (low_.empty() || low_[a] == low_[b]); }
  // Whether all numbers are equal; true for an empty column.
  bool IsConstant() const;
  // Twice the rank of each number, counted from 1; equal numbers share the mean of their ranks, which is a whole or a
  // half, so twice of it is whole. Requires: size() < 2^31.
  BigVector<int64_t> DoubledMidRanks() const;

 private:
  // The places in order of their numbers.
  BigVector<uint32_t> Order() const;

  BigVector<double> high_;
  BigVector<double> low_;  // empty as long as all are zero
};

}  // namespace chartly::reporter

#endif  // CHARTLY_CONTROL_REPORTER_NUMBER_COLUMN_H_
