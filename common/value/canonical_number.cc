#include "common/value/canonical_number.h"

#include <array>
#include <charconv>
#include <cmath>
#include <cstdlib>

namespace chartly {
namespace {

constexpr int kMaxPower = 38;

std::array<absl::uint128, kMaxPower + 1> MakePowers() {
  std::array<absl::uint128, kMaxPower + 1> powers;
  powers[0] = 1;
  for (int i = 1; i <= kMaxPower; ++i) powers[i] = powers[i - 1] * 10;
  return powers;
}

const std::array<absl::uint128, kMaxPower + 1>& Powers() {
  static const std::array<absl::uint128, kMaxPower + 1> powers = MakePowers();
  return powers;
}

// 64-bit division is several times faster than 128-bit, and nearly every number fits.
CanonicalNumber Strip64(uint64_t magnitude, bool negative, int exponent) {
  if (magnitude == 0) return {};
  while (magnitude % 10 == 0) {
    magnitude /= 10;
    ++exponent;
  }
  absl::int128 unscaled = absl::int128(magnitude);
  return {negative ? -unscaled : unscaled, static_cast<int16_t>(exponent)};
}

CanonicalNumber Strip128(absl::int128 unscaled, int exponent) {
  while (absl::Int128High64(unscaled) != 0 || absl::Int128Low64(unscaled) != 0) {
    if (unscaled % 10 != 0) return {unscaled, static_cast<int16_t>(exponent)};
    unscaled /= 10;
    ++exponent;
  }
  return {};
}

// Reads "d.ddddde-XX" as std::to_chars writes it.
CanonicalNumber ReadScientific(const char* begin, const char* end) {
  bool negative = *begin == '-';
  if (negative) ++begin;
  uint64_t digits = 0;
  int fraction_digits = 0;
  bool in_fraction = false;
  for (; begin != end && *begin != 'e'; ++begin) {
    if (*begin == '.') {
      in_fraction = true;
      continue;
    }
    digits = digits * 10 + static_cast<uint64_t>(*begin - '0');
    fraction_digits += in_fraction ? 1 : 0;
  }
  int exponent = begin == end ? 0 : std::atoi(begin + 1);  // the caller ends the text with a zero byte
  return Strip64(digits, negative, exponent - fraction_digits);
}

}  // namespace

absl::uint128 PowerOfTen(int power) { return Powers()[power]; }

absl::uint128 Magnitude(absl::int128 number) {
  absl::uint128 bits = static_cast<absl::uint128>(number);
  return number < 0 ? absl::uint128(0) - bits : bits;
}

int CountDigits(absl::uint128 number) {
  int digits = 1;
  while (digits <= kMaxPower && number >= Powers()[digits]) ++digits;
  return digits;
}

CanonicalNumber CanonicalOf(int64_t integer) { return CanonicalOf(integer, 0); }

CanonicalNumber CanonicalOf(int64_t unscaled, uint8_t scale) {
  const auto bits = static_cast<uint64_t>(unscaled);
  return Strip64(unscaled < 0 ? 0 - bits : bits, unscaled < 0, -int{scale});
}

CanonicalNumber CanonicalOf(Decimal decimal) {
  absl::uint128 magnitude = Magnitude(decimal.unscaled);
  if (absl::Uint128High64(magnitude) == 0) {
    return Strip64(absl::Uint128Low64(magnitude), decimal.unscaled < 0, -int{decimal.scale});
  }
  return Strip128(decimal.unscaled, -int{decimal.scale});
}

CanonicalNumber CanonicalOf(double number) {
  if (!std::isfinite(number)) return {};
  // Below 2^53 an integral double is its own shortest representation.
  constexpr double kExactBelow = 9007199254740992.0;
  if (number > -kExactBelow && number < kExactBelow && number == std::trunc(number)) {
    return CanonicalOf(static_cast<int64_t>(number));
  }
  char text[40];
  auto written = std::to_chars(text, text + sizeof(text) - 1, number, std::chars_format::scientific);
  *written.ptr = '\0';
  return ReadScientific(text, written.ptr);
}

char* WriteDigits(absl::uint128 number, char* out) {
  constexpr uint64_t kChunk = 10'000'000'000'000'000'000u;  // 19 digits, the most that 64 bits always hold
  constexpr int kChunkDigits = 19;
  if (absl::Uint128High64(number) == 0) return std::to_chars(out, out + 20, absl::Uint128Low64(number)).ptr;
  out = WriteDigits(number / kChunk, out);
  uint64_t rest = absl::Uint128Low64(number % kChunk);
  for (int i = kChunkDigits - 1; i >= 0; --i) {
    out[i] = static_cast<char>('0' + rest % 10);
    rest /= 10;
  }
  return out + kChunkDigits;
}

int CompareCanonical(const CanonicalNumber& a, const CanonicalNumber& b) {
  auto sign = [](const absl::int128& number) { return number < 0 ? -1 : (number > 0 ? 1 : 0); };
  int sign_a = sign(a.unscaled);
  int sign_b = sign(b.unscaled);
  if (sign_a != sign_b) return sign_a < sign_b ? -1 : 1;
  if (sign_a == 0 || a == b) return 0;
  absl::uint128 magnitude_a = Magnitude(a.unscaled);
  absl::uint128 magnitude_b = Magnitude(b.unscaled);
  int order_a = CountDigits(magnitude_a) + a.exponent;
  int order_b = CountDigits(magnitude_b) + b.exponent;
  if (order_a != order_b) return order_a < order_b ? -sign_a : sign_a;
  // Same order of magnitude: cut the longer to the digits of the shorter. This cannot overflow, scaling up could.
  bool a_longer = a.exponent < b.exponent;
  int extra = a_longer ? b.exponent - a.exponent : a.exponent - b.exponent;
  const absl::uint128& longer = a_longer ? magnitude_a : magnitude_b;
  const absl::uint128& shorter = a_longer ? magnitude_b : magnitude_a;
  absl::uint128 cut = extra == 0 ? longer : longer / PowerOfTen(extra);
  int longer_wins = a_longer ? sign_a : -sign_a;
  if (cut != shorter) return cut > shorter ? longer_wins : -longer_wins;
  // Equal digits so far; the longer one has further digits, and its last is not zero.
  return extra == 0 ? 0 : longer_wins;
}

}  // namespace chartly
