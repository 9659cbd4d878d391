#include "common/chunk/radix_sort.h"

#include <bit>

namespace chartly {
namespace {

// The counters of a pass lie in the nearest cache, and so do the lines that are written by turns.
constexpr int kMaxDigitBits = 9;

int WidthOf(uint64_t number) { return std::bit_width(number); }
int WidthOf(absl::uint128 number) {
  const uint64_t high = absl::Uint128High64(number);
  return high != 0 ? 64 + std::bit_width(high) : std::bit_width(absl::Uint128Low64(number));
}

// By the digit of `bits` bits at `shift`, those that have the same in the order that they have.
template <typename Number>
void SortByDigit(int shift, int bits, std::vector<Number>& numbers, std::vector<Number>& other) {
  uint32_t begins[(size_t{1} << kMaxDigitBits) + 1] = {};
  const uint64_t mask = (uint64_t{1} << bits) - 1;
  auto digit = [shift, mask](const Number& number) { return static_cast<uint64_t>(number >> shift) & mask; };
  for (const Number& number : numbers) ++begins[digit(number) + 1];
  for (uint64_t i = 0; i < mask; ++i) begins[i + 1] += begins[i];
  for (const Number& number : numbers) other[begins[digit(number)]++] = number;
  numbers.swap(other);
}

template <typename Number>
void Sort(int low_bits, std::vector<Number>& numbers) {
  Number differ = 0;
  for (const Number& number : numbers) differ |= number ^ numbers.front();
  differ >>= low_bits;
  const int bits = WidthOf(differ);
  if (bits == 0) return;
  const int passes = (bits + kMaxDigitBits - 1) / kMaxDigitBits;
  const int digit_bits = (bits + passes - 1) / passes;
  std::vector<Number> other(numbers.size());
  for (int shift = 0; shift < bits; shift += digit_bits) {
    const bool alike = (static_cast<uint64_t>(differ >> shift) & ((uint64_t{1} << digit_bits) - 1)) == 0;
    if (!alike) SortByDigit(low_bits + shift, digit_bits, numbers, other);
  }
}

}  // namespace

void SortByUpperBits(int low_bits, std::vector<uint64_t>& numbers) { Sort(low_bits, numbers); }
void SortByUpperBits(int low_bits, std::vector<absl::uint128>& numbers) { Sort(low_bits, numbers); }

}  // namespace chartly
