// Exact arithmetic with decimals of up to 38 digits. Each function gives false, and leaves `out` alone, if the result
// does not fit. Pure.
#ifndef CHARTLY_COMMON_NORMALIZE_DECIMAL_MATH_H_
#define CHARTLY_COMMON_NORMALIZE_DECIMAL_MATH_H_

#include "common/value/value.h"

namespace chartly {

// a / b of whole numbers without a common factor; b > 0.
struct Ratio {
  absl::int128 numerator = 1;
  absl::int128 denominator = 1;
};

bool Multiply(Decimal a, Decimal b, Decimal& out);
bool Add(Decimal a, Decimal b, Decimal& out);
// Exact if the result has an end, else rounded to `digits` digits after the point, or to those of `a` if it has more.
bool MultiplyByRatio(Decimal a, const Ratio& ratio, int digits, Decimal& out);
// At most `digits` digits after the point; a half goes away from zero.
Decimal RoundTo(Decimal number, int digits);

}  // namespace chartly

#endif  // CHARTLY_COMMON_NORMALIZE_DECIMAL_MATH_H_
