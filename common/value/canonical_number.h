// The one form of a number, whatever its type: unscaled * 10^exponent, where unscaled has no trailing zero, and zero is
// {0, 0}. Two numbers are equal exactly if their forms are. A double stands for its shortest decimal representation,
// so float 0.1 and decimal 0.1 are equal. Pure functions.
#ifndef CHARTLY_COMMON_VALUE_CANONICAL_NUMBER_H_
#define CHARTLY_COMMON_VALUE_CANONICAL_NUMBER_H_

#include <cstdint>

#include "absl/numeric/int128.h"
#include "common/value/value.h"

namespace chartly {

struct CanonicalNumber {
  absl::int128 unscaled = 0;
  int16_t exponent = 0;
  bool operator==(const CanonicalNumber&) const = default;
};

CanonicalNumber CanonicalOf(int64_t integer);
CanonicalNumber CanonicalOf(int64_t unscaled, uint8_t scale);  // unscaled * 10^-scale
CanonicalNumber CanonicalOf(Decimal decimal);
CanonicalNumber CanonicalOf(double number);  // NaN and infinities are 0: values never hold them

// Negative, zero or positive, as a is less than, equal to or greater than b. Exact.
int CompareCanonical(const CanonicalNumber& a, const CanonicalNumber& b);

// 10^power. Requires: 0 <= power <= 38.
absl::uint128 PowerOfTen(int power);
// Decimal digits of a number; 1 for zero.
int CountDigits(absl::uint128 number);
// Writes the decimal digits at `out`, at most 39, and returns the end.
char* WriteDigits(absl::uint128 number, char* out);
// The magnitude, right also for the smallest int128.
absl::uint128 Magnitude(absl::int128 number);

}  // namespace chartly

#endif  // CHARTLY_COMMON_VALUE_CANONICAL_NUMBER_H_
