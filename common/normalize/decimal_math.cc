#include "common/normalize/decimal_math.h"

#include <algorithm>

#include "common/value/canonical_number.h"

namespace chartly {
namespace {

constexpr int kMaxDigits = 38;

bool Fits(absl::int128 unscaled) { return Magnitude(unscaled) < PowerOfTen(kMaxDigits); }

// Compilers know 128-bit overflow for their own type only.
bool MultiplyChecked(absl::int128 a, absl::int128 b, absl::int128& out) {
  __int128 product = 0;
  if (__builtin_mul_overflow(static_cast<__int128>(a), static_cast<__int128>(b), &product)) return false;
  if (!Fits(absl::int128(product))) return false;
  out = absl::int128(product);
  return true;
}

bool Widen(absl::int128& unscaled, int digits) {
  return digits <= kMaxDigits && MultiplyChecked(unscaled, static_cast<absl::int128>(PowerOfTen(digits)), unscaled);
}

// The quotient, a half away from zero. Requires: divisor > 0.
absl::int128 DivideRounded(absl::int128 number, absl::int128 divisor) {
  absl::int128 quotient = number / divisor;
  absl::int128 rest = number % divisor;
  absl::uint128 twice = Magnitude(rest) * 2;
  if (twice >= Magnitude(divisor)) quotient += number < 0 ? -1 : 1;
  return quotient;
}

absl::int128 CommonFactor(absl::int128 a, absl::int128 b) {
  if (a < 0) a = -a;
  while (b != 0) {
    absl::int128 rest = a % b;
    a = b;
    b = rest;
  }
  return a;
}

// Digits after the point of a fraction with this denominator; -1 if it has no end.
int DigitsOf(absl::int128 denominator) {
  int twos = 0;
  int fives = 0;
  for (; denominator % 2 == 0; denominator /= 2) ++twos;
  for (; denominator % 5 == 0; denominator /= 5) ++fives;
  return denominator == 1 ? std::max(twos, fives) : -1;
}

}  // namespace

bool Multiply(Decimal a, Decimal b, Decimal& out) {
  absl::int128 product = 0;
  if (a.scale + b.scale > kMaxDigits || !MultiplyChecked(a.unscaled, b.unscaled, product)) return false;
  out = Decimal{product, static_cast<uint8_t>(a.scale + b.scale)};
  return true;
}

bool Add(Decimal a, Decimal b, Decimal& out) {
  int scale = std::max(a.scale, b.scale);
  if (!Widen(a.unscaled, scale - a.scale) || !Widen(b.unscaled, scale - b.scale)) return false;
  __int128 sum = 0;
  if (__builtin_add_overflow(static_cast<__int128>(a.unscaled), static_cast<__int128>(b.unscaled), &sum)) return false;
  if (!Fits(absl::int128(sum))) return false;
  out = Decimal{absl::int128(sum), static_cast<uint8_t>(scale)};
  return true;
}

bool MultiplyByRatio(Decimal a, const Ratio& ratio, int digits, Decimal& out) {
  absl::int128 factor = CommonFactor(a.unscaled, ratio.denominator);
  if (factor == 0) factor = 1;
  absl::int128 denominator = ratio.denominator / factor;
  absl::int128 number = 0;
  if (!MultiplyChecked(a.unscaled / factor, ratio.numerator, number)) return false;
  int further = DigitsOf(denominator);
  if (further < 0) further = std::max(digits - a.scale, 0);
  if (a.scale + further > kMaxDigits || !Widen(number, further)) return false;
  out = Decimal{DivideRounded(number, denominator), static_cast<uint8_t>(a.scale + further)};
  return true;
}

Decimal RoundTo(Decimal number, int digits) {
  if (number.scale <= digits) return number;
  absl::int128 divisor = static_cast<absl::int128>(PowerOfTen(number.scale - digits));
  return Decimal{DivideRounded(number.unscaled, divisor), static_cast<uint8_t>(digits)};
}

}  // namespace chartly
