#include <algorithm>
#include <numeric>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "common/chunk/bit_packing.h"
#include "common/chunk/integer_stream.h"
#include "common/chunk/token_code.h"

namespace chartly {
namespace {

using Values = absl::Span<const int64_t>;

// How much smaller, in percent, an encoding that is slower to read must be than one that is quicker.
constexpr uint64_t kTokensPay = 96;
constexpr uint64_t kBytesPay = 97;
// Differences, runs and dictionaries are tried down to this depth; what lies deeper is small.
constexpr int kTransformDepth = 4;
constexpr size_t kMostEntries = 4096;
constexpr uint64_t kCloseTogether = 65536;
// Short streams are tried in every way, whatever a look at them promises.
constexpr size_t kShort = 512;
// Runs are long where there is one for so many values.
constexpr size_t kRegularOneIn = 8;

uint64_t Unsigned(int64_t value) { return static_cast<uint64_t>(value); }

// One look at the values.
struct Shape {
  int64_t min = 0;
  int64_t max = 0;
  size_t runs = 0;        // of equal neighbours
  size_t delta_runs = 0;  // of equal differences
  uint64_t range() const { return Unsigned(max) - Unsigned(min); }
};

Shape LookAt(Values values) {
  Shape shape{values[0], values[0], 1, 1};
  uint64_t previous_delta = 0;
  for (size_t i = 1; i < values.size(); ++i) {
    shape.min = std::min(shape.min, values[i]);
    shape.max = std::max(shape.max, values[i]);
    const uint64_t delta = Unsigned(values[i]) - Unsigned(values[i - 1]);
    shape.runs += delta != 0 ? 1 : 0;
    shape.delta_runs += i > 1 && delta != previous_delta ? 1 : 0;
    previous_delta = delta;
  }
  return shape;
}

uint64_t CommonFactor(Values values, int64_t min) {
  uint64_t factor = 0;
  for (int64_t value : values) {
    factor = std::gcd(factor, Unsigned(value) - Unsigned(min));
    if (factor == 1) break;
  }
  return factor;
}

std::vector<uint64_t> DifferencesTo(Values values, int64_t base) {
  std::vector<uint64_t> differences;
  differences.reserve(values.size());
  for (int64_t value : values) differences.push_back(Unsigned(value) - Unsigned(base));
  return differences;
}

std::vector<uint64_t> ZigZags(Values values) {
  std::vector<uint64_t> numbers;
  numbers.reserve(values.size());
  for (int64_t value : values) numbers.push_back(ZigZag(value));
  return numbers;
}

std::vector<int64_t> Deltas(Values values) {
  std::vector<int64_t> deltas;
  deltas.reserve(values.size());
  for (size_t i = 1; i < values.size(); ++i) {
    deltas.push_back(static_cast<int64_t>(Unsigned(values[i]) - Unsigned(values[i - 1])));
  }
  return deltas;
}

// Whether stretches of neighbours come again: then a block of bytes finds what repeats. They must be long enough not to
// do so by chance where values are few.
bool Repeats(Values values) {
  constexpr size_t kStretch = 24;
  constexpr int kTableBits = 14;
  constexpr uint64_t kFactor = 0x9E3779B97F4A7C15u;
  if (values.size() < 2 * kStretch) return false;
  uint64_t last_factor = 1;  // kFactor to the power of kStretch
  for (size_t i = 0; i < kStretch; ++i) last_factor *= kFactor;
  std::vector<uint32_t> last(size_t{1} << kTableBits, 0);
  size_t seen = 0;
  uint64_t hash = 0;
  for (size_t end = 1; end <= values.size(); ++end) {
    hash = (hash + Unsigned(values[end - 1]) + 1) * kFactor;
    if (end < kStretch) continue;
    const size_t begin = end - kStretch;
    const uint64_t mixed = (hash ^ hash >> 32) * kFactor;
    uint32_t& place = last[mixed >> (64 - kTableBits)];
    seen += place > 0 && std::equal(&values[begin], &values[begin] + kStretch, &values[place - 1]) ? 1 : 0;
    place = static_cast<uint32_t>(begin + 1);
    hash -= (Unsigned(values[begin]) + 1) * last_factor;
  }
  return seen > values.size() / 8;
}

// Stretches from all over, for estimates that do not depend on what lies between them.
constexpr size_t kSample = 8192;
constexpr size_t kSampleStretch = 64;

template <typename Add>
void ForSample(size_t count, Add add) {
  const size_t step = std::max(kSampleStretch, count / (kSample / kSampleStretch));
  for (size_t begin = 0; begin < count; begin += step) {
    for (size_t i = begin; i < std::min(count, begin + kSampleStretch); ++i) add(i);
  }
}

std::vector<int64_t> SampleOf(Values values) {
  std::vector<int64_t> sample;
  sample.reserve(kSample + kSampleStretch);
  ForSample(values.size(), [&](size_t i) { sample.push_back(values[i]); });
  return sample;
}

// Differences of neighbours. Requires: at least two values.
std::vector<int64_t> SampleOfDeltas(Values values) {
  std::vector<int64_t> sample;
  sample.reserve(kSample + kSampleStretch);
  ForSample(values.size() - 1,
            [&](size_t i) { sample.push_back(static_cast<int64_t>(Unsigned(values[i + 1]) - Unsigned(values[i]))); });
  return sample;
}

std::string Begin(IntegerEncoding encoding) { return std::string(1, static_cast<char>(encoding)); }

std::string Encode(Values values, int depth);

std::string EncodeConstant(int64_t value) {
  std::string out = Begin(IntegerEncoding::kConstant);
  AppendSigned(value, out);
  return out;
}

std::string EncodePacked(Values values, const Shape& shape) {
  std::string out = Begin(IntegerEncoding::kPacked);
  const uint32_t width = BitWidth(shape.range());
  AppendSigned(shape.min, out);
  out.push_back(static_cast<char>(width));
  AppendPacked(DifferencesTo(values, shape.min), width, out);
  return out;
}

std::string EncodeUnsignedTokens(absl::Span<const uint64_t> differences, int64_t min, TokenShape shape) {
  std::string out = Begin(IntegerEncoding::kTokens);
  AppendSigned(min, out);
  EncodeTokens(differences, shape, out);
  return out;
}

std::string EncodeSignedTokens(absl::Span<const uint64_t> zigzags, TokenShape shape) {
  std::string out = Begin(IntegerEncoding::kSignedTokens);
  EncodeTokens(zigzags, shape, out);
  return out;
}

std::string EncodeBytes(Values values, const Shape& shape) {
  std::string out = Begin(IntegerEncoding::kBytes);
  const uint32_t width = std::max<uint32_t>(1, (BitWidth(shape.range()) + 7) / 8);
  AppendSigned(shape.min, out);
  out.push_back(static_cast<char>(width));
  const std::vector<uint64_t> differences = DifferencesTo(values, shape.min);
  std::string planes;
  planes.reserve(values.size() * width);
  for (uint32_t plane = 0; plane < width; ++plane) {
    for (uint64_t difference : differences) planes.push_back(static_cast<char>(difference >> (8 * plane)));
  }
  AppendBlock(planes, out);
  return out;
}

std::string EncodeDelta(Values values, int depth) {
  std::string out = Begin(IntegerEncoding::kDelta);
  AppendSigned(values[0], out);
  return out + Encode(Deltas(values), depth + 1);
}

std::string EncodeRuns(Values values, int depth) {
  std::vector<int64_t> distinct;
  std::vector<int64_t> lengths;
  for (int64_t value : values) {
    if (distinct.empty() || distinct.back() != value) {
      distinct.push_back(value);
      lengths.push_back(0);
    }
    ++lengths.back();
  }
  std::string out = Begin(IntegerEncoding::kRuns);
  AppendVarint(distinct.size(), out);
  return out + Encode(distinct, depth + 1) + Encode(lengths, depth + 1);
}

std::string EncodeScaled(Values values, int64_t min, uint64_t factor, int depth) {
  std::vector<int64_t> multiples;
  multiples.reserve(values.size());
  for (int64_t value : values) multiples.push_back(static_cast<int64_t>((Unsigned(value) - Unsigned(min)) / factor));
  std::string out = Begin(IntegerEncoding::kScaled);
  AppendSigned(min, out);
  AppendVarint(factor, out);
  return out + Encode(multiples, depth + 1);
}

struct Dictionary {
  std::vector<int64_t> entries;  // sorted; none if there are more than `most`
  std::vector<int64_t> codes;
};

// Where the values lie close together.
Dictionary MakeDenseDictionary(Values values, const Shape& shape, size_t most) {
  std::vector<uint32_t> places(shape.range() + 1, 0);
  for (int64_t value : values) places[Unsigned(value) - Unsigned(shape.min)] = 1;
  Dictionary dictionary;
  for (size_t i = 0; i < places.size(); ++i) {
    if (places[i] == 0) continue;
    places[i] = static_cast<uint32_t>(dictionary.entries.size());
    dictionary.entries.push_back(static_cast<int64_t>(Unsigned(shape.min) + i));
    if (dictionary.entries.size() > most) return {};
  }
  dictionary.codes.reserve(values.size());
  for (int64_t value : values) dictionary.codes.push_back(places[Unsigned(value) - Unsigned(shape.min)]);
  return dictionary;
}

Dictionary MakeDictionary(Values values, const Shape& shape, size_t most) {
  if (shape.range() < kCloseTogether) return MakeDenseDictionary(values, shape, most);
  Dictionary dictionary;
  absl::flat_hash_map<int64_t, uint32_t> seen;
  dictionary.codes.reserve(values.size());
  int64_t previous = 0;
  uint32_t code = 0;
  for (int64_t value : values) {
    if (seen.empty() || value != previous) {
      auto [place, is_new] = seen.try_emplace(value, static_cast<uint32_t>(seen.size()));
      if (is_new && seen.size() > most) return {};
      code = place->second;
      previous = value;
    }
    dictionary.codes.push_back(code);
  }
  for (const auto& [value, ignored] : seen) dictionary.entries.push_back(value);
  std::sort(dictionary.entries.begin(), dictionary.entries.end());
  std::vector<int64_t> sorted_codes(dictionary.entries.size());
  for (size_t i = 0; i < dictionary.entries.size(); ++i) {
    sorted_codes[seen[dictionary.entries[i]]] = static_cast<int64_t>(i);
  }
  for (int64_t& each : dictionary.codes) each = sorted_codes[static_cast<size_t>(each)];
  return dictionary;
}

// Whether a look at some values promises few distinct ones.
bool MayHaveFewEntries(Values values, size_t most) {
  const std::vector<int64_t> sample = SampleOf(values);
  if (values.size() > kSample) most = std::min(most, sample.size() / 2);
  // A table of those that came, of which at most one place in four is taken before the end.
  constexpr int kTableBits = 14;
  static_assert(kMostEntries < size_t{1} << (kTableBits - 1), "the table has room");
  constexpr size_t kMask = (size_t{1} << kTableBits) - 1;
  std::vector<uint32_t> table(kMask + 1, 0);
  size_t distinct = 0;
  for (uint32_t i = 0; i < sample.size() && distinct <= most; ++i) {
    size_t place = Unsigned(sample[i]) * 0x9E3779B97F4A7C15u >> (64 - kTableBits);
    while (table[place] != 0 && sample[table[place] - 1] != sample[i]) place = (place + 1) & kMask;
    distinct += table[place] == 0 ? 1 : 0;
    table[place] = i + 1;
  }
  return distinct <= most;
}

std::string EncodeDictionary(const Dictionary& dictionary, int depth) {
  std::string out = Begin(IntegerEncoding::kDictionary);
  AppendVarint(dictionary.entries.size(), out);
  // The codes have no dictionary again: their own would be themselves.
  return out + Encode(dictionary.entries, depth + 1) + Encode(dictionary.codes, depth + 1);
}

void KeepSmaller(std::string candidate, uint64_t percent, std::string& best) {
  if (candidate.size() * 100 < best.size() * percent) best = std::move(candidate);
}

// About the bits that the values would take without differences, runs or dictionaries, from a sample.
uint64_t EstimateBits(Values sample, size_t count) {
  const Shape shape = LookAt(sample);
  const uint64_t tokens =
      std::min(EstimateTokens(DifferencesTo(sample, shape.min)).bits, EstimateTokens(ZigZags(sample)).bits);
  return std::min<uint64_t>(sample.size() * BitWidth(shape.range()), tokens) * count / sample.size();
}

// Keeps the tokens of differences or of the values, whichever promise less, if they are smaller.
void TryTokens(Values values, const Shape& shape, std::string& best) {
  const std::vector<int64_t> sample = SampleOf(values);
  const TokenEstimate unsigned_tokens = EstimateTokens(DifferencesTo(sample, shape.min));
  const TokenEstimate signed_tokens = EstimateTokens(ZigZags(sample));
  const uint64_t bits = std::min(unsigned_tokens.bits, signed_tokens.bits) * values.size() / sample.size();
  if (bits / 8 >= best.size()) return;
  if (signed_tokens.bits < unsigned_tokens.bits) {
    KeepSmaller(EncodeSignedTokens(ZigZags(values), signed_tokens.shape), kTokensPay, best);
  } else {
    KeepSmaller(EncodeUnsignedTokens(DifferencesTo(values, shape.min), shape.min, unsigned_tokens.shape), kTokensPay,
                best);
  }
}

// The best encoding that holds no further streams.
std::string EncodeFlat(Values values, const Shape& shape) {
  std::string best = EncodePacked(values, shape);
  TryTokens(values, shape, best);
  if (values.size() < kShort || Repeats(values)) KeepSmaller(EncodeBytes(values, shape), kBytesPay, best);
  return best;
}

void TryDictionary(Values values, const Shape& shape, int depth, std::string& best) {
  const size_t most = std::min(kMostEntries, values.size() / 4);
  if (!MayHaveFewEntries(values, most)) return;
  const Dictionary dictionary = MakeDictionary(values, shape, most);
  // Where codes are as dense as the values, a dictionary says nothing new.
  if (dictionary.entries.empty() || dictionary.entries.size() - 1 >= shape.range()) return;
  if (values.size() >= kShort && EstimateBits(SampleOf(dictionary.codes), values.size()) / 8 >= best.size()) return;
  KeepSmaller(EncodeDictionary(dictionary, depth), 98, best);
}

std::string Encode(Values values, int depth) {
  if (values.empty()) return "";
  const Shape shape = LookAt(values);
  if (shape.min == shape.max) return EncodeConstant(shape.min);
  if (depth >= kTransformDepth) return EncodeFlat(values, shape);
  const uint64_t factor = CommonFactor(values, shape.min);
  if (factor > 1) return EncodeScaled(values, shape.min, factor, depth);
  const size_t count = values.size();
  const bool few_runs = shape.runs <= count / kRegularOneIn;
  const bool regular = shape.delta_runs <= count / kRegularOneIn;
  // What is regular is not worth a thorough look at it as it is.
  std::string best = few_runs || regular ? EncodePacked(values, shape) : EncodeFlat(values, shape);
  if (shape.runs <= count / 2) KeepSmaller(EncodeRuns(values, depth), 100, best);
  if (count < kShort || regular || EstimateBits(SampleOfDeltas(values), count) / 8 < best.size()) {
    KeepSmaller(EncodeDelta(values, depth), 99, best);
  }
  if (!few_runs && !regular) TryDictionary(values, shape, depth, best);
  return best;
}

}  // namespace

void EncodeIntegers(absl::Span<const int64_t> values, std::string& out) { out += Encode(values, 0); }

std::optional<std::string> EncodeIntegersAs(IntegerEncoding encoding, absl::Span<const int64_t> values) {
  const Shape shape = LookAt(values);
  const std::vector<uint64_t> differences = DifferencesTo(values, shape.min);
  switch (encoding) {
    case IntegerEncoding::kConstant:
      if (shape.min != shape.max) return std::nullopt;
      return EncodeConstant(shape.min);
    case IntegerEncoding::kPacked:
      return EncodePacked(values, shape);
    case IntegerEncoding::kTokens:
      return EncodeUnsignedTokens(differences, shape.min, EstimateTokens(differences).shape);
    case IntegerEncoding::kSignedTokens:
      return EncodeSignedTokens(ZigZags(values), EstimateTokens(ZigZags(values)).shape);
    case IntegerEncoding::kBytes:
      return EncodeBytes(values, shape);
    case IntegerEncoding::kDelta:
      return EncodeDelta(values, 0);
    case IntegerEncoding::kRuns:
      return EncodeRuns(values, 0);
    case IntegerEncoding::kDictionary:
      return EncodeDictionary(MakeDictionary(values, shape, values.size()), 0);
    case IntegerEncoding::kScaled:
      return EncodeScaled(values, shape.min, std::max<uint64_t>(CommonFactor(values, shape.min), 1), 0);
  }
  return std::nullopt;
}

}  // namespace chartly
