// A sum of values: exact while all are integers and decimals and it fits 38 digits, else compensated in long double and
// rounded once. The order of the terms makes no difference while it is exact. Not thread-safe.
#ifndef CHARTLY_CONTROL_REPORTER_VALUE_SUM_H_
#define CHARTLY_CONTROL_REPORTER_VALUE_SUM_H_

#include <cstdint>

#include "common/value/value.h"
#include "control/reporter/compensated_sum.h"

namespace chartly::reporter {

class ValueSum {
 public:
  // Requires: value.is_number().
  void Add(const Value& value);
  void Subtract(const Value& value);
  // An integer, a decimal with the most digits behind the point that a term had, or a float. Null if it is no finite
  // number. 0 without terms.
  Value Total() const;
  // The same as a number, before it is rounded.
  long double Number() const;

 private:
  void Take(const Value& value, int sign);
  bool TakeExactly(const Value& value, int sign);

  bool exact_ = true;
  bool has_decimal_ = false;
  Decimal total_;
  CompensatedSum rounded_;
};

}  // namespace chartly::reporter

#endif  // CHARTLY_CONTROL_REPORTER_VALUE_SUM_H_
