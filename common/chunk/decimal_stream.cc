#include "common/chunk/decimal_stream.h"

#include <algorithm>
#include <optional>

#include "common/chunk/integer_stream.h"

namespace chartly {
namespace {

// The order is stored; never change it.
enum class Layout : uint8_t {
  kPlain = 0,    // unscaled values and scales
  kAligned = 1,  // values at the largest scale, and scales
  kRule = 2,     // values at the largest scale; each has the smallest scale that holds it, but for exceptions
};

// More steps would cost more time than the scales cost space.
constexpr int kMostSteps = 12;
constexpr size_t kExceptionsOneIn = 16;

int64_t PowerOf10(int power) {
  int64_t result = 1;
  for (; power > 0; --power) result *= 10;
  return result;
}

struct Aligned {
  int smallest = 0;
  int largest = 0;
  std::vector<int64_t> values;  // at the largest scale
};

// Nothing if a value does not fit into 64 bits at the largest scale.
std::optional<Aligned> Align(absl::Span<const int64_t> unscaled, absl::Span<const uint8_t> scales) {
  auto [smallest, largest] = std::minmax_element(scales.begin(), scales.end());
  Aligned aligned{*smallest, *largest, {}};
  if (aligned.largest - aligned.smallest > kMostSteps) return std::nullopt;
  aligned.values.reserve(unscaled.size());
  for (size_t i = 0; i < unscaled.size(); ++i) {
    int64_t value = 0;
    if (__builtin_mul_overflow(unscaled[i], PowerOf10(aligned.largest - scales[i]), &value)) return std::nullopt;
    aligned.values.push_back(value);
  }
  return aligned;
}

int RuleScale(int64_t value, int smallest, int largest) {
  int scale = largest;
  for (; scale > smallest && value % 10 == 0; --scale) value /= 10;
  return scale;
}

void AppendRange(const Aligned& aligned, std::string& out) {
  out.push_back(static_cast<char>(aligned.smallest));
  out.push_back(static_cast<char>(aligned.largest));
}

std::string Begin(Layout layout) { return std::string(1, static_cast<char>(layout)); }

std::optional<std::string> EncodeByRule(const Aligned& aligned, absl::Span<const uint8_t> scales) {
  std::vector<int64_t> places;
  std::string exceptions;
  for (size_t i = 0; i < scales.size(); ++i) {
    if (RuleScale(aligned.values[i], aligned.smallest, aligned.largest) == scales[i]) continue;
    places.push_back(static_cast<int64_t>(i));
    exceptions.push_back(static_cast<char>(scales[i]));
  }
  if (places.size() * kExceptionsOneIn > scales.size()) return std::nullopt;
  std::string out = Begin(Layout::kRule);
  AppendRange(aligned, out);
  EncodeIntegers(aligned.values, out);
  AppendVarint(places.size(), out);
  EncodeIntegers(places, out);
  return out + exceptions;
}

std::vector<int64_t> Widened(absl::Span<const uint8_t> scales) { return {scales.begin(), scales.end()}; }

std::string EncodeAligned(const Aligned& aligned, absl::Span<const uint8_t> scales) {
  std::string out = Begin(Layout::kAligned);
  AppendRange(aligned, out);
  EncodeIntegers(aligned.values, out);
  EncodeIntegers(Widened(scales), out);
  return out;
}

bool DecodeScales(ByteReader& in, size_t count, uint8_t* scales, ChunkScratch& scratch) {
  auto wide = scratch.TakeIntegers();
  wide->resize(count);
  if (!DecodeIntegers(in, count, wide->data(), scratch)) return false;
  bool good = true;
  for (size_t i = 0; i < count; ++i) {
    good &= static_cast<uint64_t>((*wide)[i]) <= kMaxDecimalScale;
    scales[i] = static_cast<uint8_t>((*wide)[i]);
  }
  return good;
}

// From the largest scale to that of each value.
bool Unalign(size_t count, int smallest, int largest, int64_t* unscaled, const uint8_t* scales) {
  int64_t powers[kMostSteps + 1];
  for (int step = 0; step <= kMostSteps; ++step) powers[step] = PowerOf10(step);
  for (size_t i = 0; i < count; ++i) {
    if (scales[i] < smallest || scales[i] > largest) return false;
    unscaled[i] /= powers[largest - scales[i]];
  }
  return true;
}

void ApplyRule(size_t count, int smallest, int largest, int64_t* unscaled, uint8_t* scales) {
  std::fill(scales, scales + count, static_cast<uint8_t>(largest));
  for (int step = smallest; step < largest; ++step) {
    // A value that could not be divided once must not be divided later: its scale has stayed behind.
    const auto expected = static_cast<uint8_t>(largest - (step - smallest));
    for (size_t i = 0; i < count; ++i) {
      const int64_t tenth = unscaled[i] / 10;
      const bool divides = tenth * 10 == unscaled[i] && scales[i] == expected;
      unscaled[i] = divides ? tenth : unscaled[i];
      scales[i] = static_cast<uint8_t>(scales[i] - (divides ? 1 : 0));
    }
  }
}

bool DecodeByRule(ByteReader& in, size_t count, int smallest, int largest, int64_t* unscaled, uint8_t* scales,
                  ChunkScratch& scratch) {
  ApplyRule(count, smallest, largest, unscaled, scales);
  size_t exceptions = 0;
  auto places = scratch.TakeIntegers();
  if (!in.Count(count, exceptions)) return false;
  places->resize(exceptions);
  if (!DecodeIntegers(in, exceptions, places->data(), scratch)) return false;
  for (int64_t place : *places) {
    uint8_t scale = 0;
    if (static_cast<uint64_t>(place) >= count || !in.Byte(scale) || scale < scales[place] || scale > largest) {
      return false;
    }
    const uint64_t factor = static_cast<uint64_t>(PowerOf10(scale - scales[place]));
    unscaled[place] = static_cast<int64_t>(static_cast<uint64_t>(unscaled[place]) * factor);
    scales[place] = scale;
  }
  return true;
}

}  // namespace

void EncodeDecimals(absl::Span<const int64_t> unscaled, absl::Span<const uint8_t> scales, std::string& out) {
  const std::optional<Aligned> aligned = Align(unscaled, scales);
  const std::optional<std::string> by_rule = aligned ? EncodeByRule(*aligned, scales) : std::nullopt;
  if (by_rule) {
    out += *by_rule;
    return;
  }
  std::string best = Begin(Layout::kPlain);
  EncodeIntegers(unscaled, best);
  EncodeIntegers(Widened(scales), best);
  if (aligned) {
    std::string candidate = EncodeAligned(*aligned, scales);
    if (candidate.size() < best.size()) best = std::move(candidate);
  }
  out += best;
}

bool DecodeDecimals(ByteReader& in, size_t count, int64_t* unscaled, uint8_t* scales, ChunkScratch& scratch) {
  uint8_t layout = 0;
  uint8_t smallest = 0;
  uint8_t largest = 0;
  if (!in.Byte(layout) || layout > static_cast<uint8_t>(Layout::kRule)) return false;
  const bool plain = layout == static_cast<uint8_t>(Layout::kPlain);
  if (!plain) {
    if (!in.Byte(smallest) || !in.Byte(largest)) return false;
    if (smallest > largest || largest > kMaxDecimalScale || largest - smallest > kMostSteps) return false;
  }
  if (!DecodeIntegers(in, count, unscaled, scratch)) return false;
  if (plain) return DecodeScales(in, count, scales, scratch);
  if (layout == static_cast<uint8_t>(Layout::kRule)) {
    return DecodeByRule(in, count, smallest, largest, unscaled, scales, scratch);
  }
  return DecodeScales(in, count, scales, scratch) && Unalign(count, smallest, largest, unscaled, scales);
}

}  // namespace chartly
