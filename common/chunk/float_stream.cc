#include "common/chunk/float_stream.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <vector>

#include "common/chunk/bit_packing.h"
#include "common/chunk/integer_stream.h"
#include "common/chunk/token_code.h"

namespace chartly {
namespace {

using Values = absl::Span<const double>;

// Exact in a double; a product of two exact numbers is rounded once.
constexpr double kPowers[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8, 1e9,
                              1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18};
constexpr int kPowerCount = static_cast<int>(std::size(kPowers));
constexpr double kExactBelow = 9007199254740992.0;  // 2^53
constexpr size_t kSample = 1024;
// One value in so many may be no decimal.
constexpr size_t kExceptionsOneIn = 8;

// The integer that divided by the power gives the value to the bit, or nothing.
std::optional<int64_t> AtPower(double value, int power) {
  const double scaled = std::nearbyint(value * kPowers[power]);
  if (!(std::fabs(scaled) < kExactBelow)) return std::nullopt;
  const double back = static_cast<double>(static_cast<int64_t>(scaled)) / kPowers[power];
  if (std::bit_cast<uint64_t>(back) != std::bit_cast<uint64_t>(value)) return std::nullopt;
  return static_cast<int64_t>(scaled);
}

// Some values from all over.
std::vector<double> SampleOf(Values values) {
  std::vector<double> sample;
  const size_t step = std::max<size_t>(1, values.size() / kSample);
  for (size_t i = 0; i < values.size(); i += step) sample.push_back(values[i]);
  return sample;
}

// The smallest power of ten that suits nearly all values that any power suits.
std::optional<int> FindPower(Values values) {
  size_t counts[kPowerCount] = {};
  size_t fitting = 0;
  const std::vector<double> sample = SampleOf(values);
  for (double value : sample) {
    int power = 0;
    while (power < kPowerCount && !AtPower(value, power)) ++power;
    if (power == kPowerCount) continue;
    ++counts[power];
    ++fitting;
  }
  if (fitting == 0 || (sample.size() - fitting) * kExceptionsOneIn > sample.size()) return std::nullopt;
  size_t covered = 0;
  for (int power = 0; power < kPowerCount; ++power) {
    covered += counts[power];
    if (covered * 50 >= fitting * 49) return power;
  }
  return std::nullopt;
}

// Negative floats in two's complement, so that neighbours of the line of numbers are neighbours.
int64_t Ordered(double value) {
  const auto bits = std::bit_cast<int64_t>(value);
  return bits ^ static_cast<int64_t>(static_cast<uint64_t>(bits >> 63) >> 1);
}
double Unordered(int64_t ordered) {
  return std::bit_cast<double>(ordered ^ static_cast<int64_t>(static_cast<uint64_t>(ordered >> 63) >> 1));
}

std::string Begin(FloatEncoding encoding) { return std::string(1, static_cast<char>(encoding)); }

std::string EncodeBits(Values values) {
  std::vector<int64_t> ordered;
  ordered.reserve(values.size());
  for (double value : values) ordered.push_back(Ordered(value));
  std::string out = Begin(FloatEncoding::kBits);
  EncodeIntegers(ordered, out);
  return out;
}

std::optional<std::string> EncodeDecimal(Values values) {
  const std::optional<int> power = FindPower(values);
  if (!power) return std::nullopt;
  std::vector<int64_t> integers;
  std::vector<int64_t> places;
  std::string exceptions;
  for (size_t i = 0; i < values.size(); ++i) {
    std::optional<int64_t> integer = AtPower(values[i], *power);
    if (!integer) {
      places.push_back(static_cast<int64_t>(i));
      AppendFixed(values[i], exceptions);
      // What costs least where differences are taken.
      integer = integers.empty() ? 0 : integers.back();
    }
    integers.push_back(*integer);
  }
  if (places.size() * kExceptionsOneIn > values.size()) return std::nullopt;
  std::string out = Begin(FloatEncoding::kDecimal);
  out.push_back(static_cast<char>(*power));
  EncodeIntegers(integers, out);
  AppendVarint(places.size(), out);
  EncodeIntegers(places, out);
  return out + exceptions;
}

// How many lower bits to leave out of the entropy coder: where the upper ones begin to repeat. Bits that no coder can
// make smaller cost the same in either part.
uint32_t FindSplit(Values values) {
  std::vector<uint64_t> sample;
  for (double value : SampleOf(values)) sample.push_back(static_cast<uint64_t>(Ordered(value)));
  std::sort(sample.begin(), sample.end());
  const uint64_t log_total = FixedLog2(sample.size());
  uint64_t best_cost = UINT64_MAX;
  uint32_t best = 0;
  for (uint32_t low = 0; low <= kMaxPackedWidth; low += 2) {
    uint64_t cost = (uint64_t{low} * sample.size()) << 16;
    for (size_t begin = 0; begin < sample.size();) {
      size_t end = begin + 1;
      while (end < sample.size() && sample[end] >> low == sample[begin] >> low) ++end;
      const uint64_t seen = end - begin;
      // A value seen once stands for many that will be seen once.
      cost += seen > 1 ? seen * (log_total - FixedLog2(seen)) : uint64_t{64 - low} << 16;
      begin = end;
    }
    if (cost < best_cost) {
      best_cost = cost;
      best = low;
    }
  }
  return best;
}

std::string EncodeSplit(Values values) {
  const uint32_t low = FindSplit(values);
  std::vector<int64_t> upper;
  std::vector<int64_t> lower;
  for (double value : values) {
    upper.push_back(Ordered(value) >> low);
    lower.push_back(static_cast<int64_t>(static_cast<uint64_t>(Ordered(value)) & LowBits(low)));
  }
  std::string out = Begin(FloatEncoding::kSplit);
  out.push_back(static_cast<char>(low));
  EncodeIntegers(upper, out);
  AppendPacked(lower, 0, low, out);
  return out;
}

bool DecodeDecimal(ByteReader& in, size_t count, double* out, ChunkScratch& scratch) {
  uint8_t power = 0;
  size_t exceptions = 0;
  auto integers = scratch.TakeIntegers();
  auto places = scratch.TakeIntegers();
  integers->resize(count);
  if (!in.Byte(power) || power >= kPowerCount || !DecodeIntegers(in, count, integers->data(), scratch)) return false;
  const double divisor = kPowers[power];
  const int64_t* from = integers->data();
  for (size_t i = 0; i < count; ++i) out[i] = static_cast<double>(from[i]) / divisor;
  if (!in.Count(count, exceptions)) return false;
  places->resize(exceptions);
  if (!DecodeIntegers(in, exceptions, places->data(), scratch)) return false;
  for (int64_t place : *places) {
    if (static_cast<uint64_t>(place) >= count || !in.Fixed(out[place])) return false;
  }
  return true;
}

bool DecodeSplit(ByteReader& in, size_t count, double* out, ChunkScratch& scratch) {
  uint8_t low = 0;
  auto upper = scratch.TakeIntegers();
  auto lower = scratch.TakeIntegers();
  upper->resize(count);
  lower->resize(count);
  if (!in.Byte(low) || low > kMaxPackedWidth || !DecodeIntegers(in, count, upper->data(), scratch) ||
      !ReadPacked(in, count, low, 0, lower->data())) {
    return false;
  }
  const int64_t* high_bits = upper->data();
  const int64_t* low_bits = lower->data();
  for (size_t i = 0; i < count; ++i) {
    out[i] = Unordered(static_cast<int64_t>(static_cast<uint64_t>(high_bits[i]) << low) | low_bits[i]);
  }
  return true;
}

bool DecodeBits(ByteReader& in, size_t count, double* out, ChunkScratch& scratch) {
  auto ordered = scratch.TakeIntegers();
  ordered->resize(count);
  if (!DecodeIntegers(in, count, ordered->data(), scratch)) return false;
  const int64_t* from = ordered->data();
  for (size_t i = 0; i < count; ++i) out[i] = Unordered(from[i]);
  return true;
}

}  // namespace

void EncodeFloats(absl::Span<const double> values, std::string& out) {
  std::optional<std::string> decimal = EncodeDecimal(values);
  std::string best = EncodeBits(values);
  if (decimal && decimal->size() <= best.size()) best = std::move(*decimal);
  // Decimals of few digits are not random in their lower bits.
  if (best.size() > values.size() * 4) {
    std::string split = EncodeSplit(values);
    if (split.size() < best.size()) best = std::move(split);
  }
  out += best;
}

std::optional<std::string> EncodeFloatsAs(FloatEncoding encoding, absl::Span<const double> values) {
  switch (encoding) {
    case FloatEncoding::kBits:
      return EncodeBits(values);
    case FloatEncoding::kDecimal:
      return EncodeDecimal(values);
    case FloatEncoding::kSplit:
      return EncodeSplit(values);
  }
  return std::nullopt;
}

bool DecodeFloats(ByteReader& in, size_t count, double* out, ChunkScratch& scratch) {
  uint8_t encoding = 0;
  if (!in.Byte(encoding)) return false;
  switch (static_cast<FloatEncoding>(encoding)) {
    case FloatEncoding::kBits:
      return DecodeBits(in, count, out, scratch);
    case FloatEncoding::kDecimal:
      return DecodeDecimal(in, count, out, scratch);
    case FloatEncoding::kSplit:
      return DecodeSplit(in, count, out, scratch);
  }
  return false;
}

}  // namespace chartly
