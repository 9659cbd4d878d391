#include <algorithm>
#include <numeric>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "common/chunk/bit_packing.h"
#include "common/chunk/integer_stream.h"
#include "common/chunk/number_range.h"
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
// A block of bytes takes about as many itself.
constexpr size_t kLeastBlock = 64;
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
  const auto [min, max] = LeastAndMost(values);
  Shape shape{min, max, 1, 1};
  if (min == max) return shape;
  size_t changes = values.size() > 1 && values[1] != values[0] ? 1 : 0;
  size_t delta_changes = 0;
  uint64_t delta_before = values.size() > 1 ? Unsigned(values[1]) - Unsigned(values[0]) : 0;
  for (size_t i = 2; i < values.size(); ++i) {
    const uint64_t delta = Unsigned(values[i]) - Unsigned(values[i - 1]);
    changes += delta != 0 ? 1 : 0;
    delta_changes += delta != delta_before ? 1 : 0;
    delta_before = delta;
  }
  shape.runs += changes;
  shape.delta_runs += delta_changes;
  return shape;
}

uint64_t CommonFactor(Values values, int64_t min) {
  uint64_t factor = 0;
  for (int64_t value : values) {
    const uint64_t difference = Unsigned(value) - Unsigned(min);
    if (factor != 0 && difference % factor == 0) continue;
    factor = std::gcd(factor, difference);
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
// do so by chance where values are few. Every stretch is kept, of one in so many it is asked whether it was there.
bool Repeats(Values values) {
  constexpr size_t kStretch = 24;
  constexpr size_t kAskOneIn = 4;
  constexpr int kTableBits = 14;
  constexpr uint64_t kFactor = 0x9E3779B97F4A7C15u;
  // Where a stretch began, and in the upper half some bits of its hash, so that others are hardly ever compared.
  constexpr int kPlaceBits = 32;
  if (values.size() < 2 * kStretch) return false;
  uint64_t last_factor = 1;  // kFactor to the power of kStretch
  for (size_t i = 0; i < kStretch; ++i) last_factor *= kFactor;
  std::vector<uint64_t> last(size_t{1} << kTableBits, 0);
  size_t seen = 0;
  uint64_t hash = 0;
  for (size_t i = 0; i + 1 < kStretch; ++i) hash = (hash + Unsigned(values[i]) + 1) * kFactor;
  for (size_t begin = 0; begin + kStretch <= values.size(); ++begin) {
    hash = (hash + Unsigned(values[begin + kStretch - 1]) + 1) * kFactor;
    const uint64_t mixed = (hash ^ hash >> 32) * kFactor;
    const uint64_t tag = mixed << kTableBits >> kPlaceBits;
    uint64_t& place = last[mixed >> (64 - kTableBits)];
    if (begin % kAskOneIn == 0 && place >> kPlaceBits == tag && static_cast<uint32_t>(place) > 0) {
      const size_t before = static_cast<uint32_t>(place) - 1;
      seen += std::equal(&values[begin], &values[begin] + kStretch, &values[before]) ? 1 : 0;
    }
    place = tag << kPlaceBits | static_cast<uint32_t>(begin + 1);
    hash -= (Unsigned(values[begin]) + 1) * last_factor;
  }
  return seen * kAskOneIn > values.size() / 8;
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
  out.reserve(PackedBytes(values.size(), width) + 16);
  AppendSigned(shape.min, out);
  out.push_back(static_cast<char>(width));
  AppendPacked(values, Unsigned(shape.min), width, out);
  return out;
}

// The smallest encoding of those that were tried. The size of packed values is known without packing them: that is done
// only if nothing else was smaller.
class Smallest {
 public:
  Smallest(Values values, const Shape& shape)
      : values_(values), shape_(shape), size_(2 + PackedBytes(values.size(), BitWidth(shape.range()))) {
    std::string min;
    AppendSigned(shape.min, min);
    size_ += min.size();
  }
  size_t size() const { return size_; }
  // Whether something of about so many bits could be taken, if it must be smaller than so many percent of what is
  // there.
  bool MayTake(uint64_t bits, uint64_t percent) const { return bits / 8 * 100 < size_ * percent; }
  void Offer(std::string other, uint64_t percent) {
    if (other.size() * 100 >= size_ * percent) return;
    size_ = other.size();
    other_ = std::move(other);
  }
  std::string Take() { return other_.empty() ? EncodePacked(values_, shape_) : std::move(other_); }

 private:
  const Values values_;
  const Shape& shape_;
  size_t size_;
  std::string other_;
};

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
  std::string planes(values.size() * width, '\0');
  char* to = planes.data();
  for (uint32_t plane = 0; plane < width; ++plane) {
    for (int64_t value : values) *to++ = static_cast<char>((Unsigned(value) - Unsigned(shape.min)) >> (8 * plane));
  }
  AppendBlock(planes, out);
  return out;
}

std::string EncodeDelta(Values values, int depth) {
  std::string out = Begin(IntegerEncoding::kDelta);
  AppendSigned(values[0], out);
  return out + Encode(Deltas(values), depth + 1);
}

struct Runs {
  std::vector<int64_t> values;
  std::vector<int64_t> lengths;
};

// `count`: how many there are.
Runs MakeRuns(Values values, size_t count) {
  Runs runs;
  runs.values.reserve(count);
  runs.lengths.reserve(count);
  for (size_t begin = 0; begin < values.size();) {
    size_t end = begin + 1;
    while (end < values.size() && values[end] == values[begin]) ++end;
    runs.values.push_back(values[begin]);
    runs.lengths.push_back(static_cast<int64_t>(end - begin));
    begin = end;
  }
  return runs;
}

std::string EncodeRuns(const Runs& runs, int depth) {
  std::string out = Begin(IntegerEncoding::kRuns);
  AppendVarint(runs.values.size(), out);
  return out + Encode(runs.values, depth + 1) + Encode(runs.lengths, depth + 1);
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

// How many distinct ones there are among some values; more than `most` if that many do not promise to be all. Not more
// than there are among all.
size_t FewEntries(Values values, size_t most) {
  const std::vector<int64_t> sample = SampleOf(values);
  if (values.size() > kSample) most = std::min(most, sample.size() / 2);
  // A table of those that came, of which at most one place in four is taken before the end.
  constexpr int kTableBits = 14;
  static_assert(kMostEntries < size_t{1} << (kTableBits - 1), "the table has room");
  constexpr size_t kMask = (size_t{1} << kTableBits) - 1;
  std::vector<uint32_t> table(kMask + 1, 0);
  size_t distinct = 0;
  for (uint32_t i = 0; i < sample.size(); ++i) {
    size_t place = Unsigned(sample[i]) * 0x9E3779B97F4A7C15u >> (64 - kTableBits);
    while (table[place] != 0 && sample[table[place] - 1] != sample[i]) place = (place + 1) & kMask;
    distinct += table[place] == 0 ? 1 : 0;
    table[place] = i + 1;
    if (distinct > most) return SIZE_MAX;
  }
  return distinct;
}

std::string EncodeDictionary(const Dictionary& dictionary, int depth) {
  std::string out = Begin(IntegerEncoding::kDictionary);
  AppendVarint(dictionary.entries.size(), out);
  // The codes have no dictionary again: their own would be themselves.
  return out + Encode(dictionary.entries, depth + 1) + Encode(dictionary.codes, depth + 1);
}

// What tokens of the differences to the smallest, or of the values, promise to take.
struct TokenChoice {
  TokenEstimate estimate;
  bool is_signed = false;
};

TokenChoice ChooseTokens(Values sample, int64_t min, size_t count) {
  TokenChoice choice{EstimateTokens(DifferencesTo(sample, min), count), false};
  if (min >= 0) return choice;  // the values are no smaller than the differences
  const TokenEstimate zigzags = EstimateTokens(ZigZags(sample), count);
  if (zigzags.bits < choice.estimate.bits) choice = {zigzags, true};
  return choice;
}

// About the bits that `count` values would take without differences, runs or dictionaries, from a sample of them.
uint64_t EstimateBits(Values sample, size_t count) {
  const Shape shape = LookAt(sample);
  if (shape.min == shape.max) return 0;
  return std::min<uint64_t>(count * BitWidth(shape.range()), ChooseTokens(sample, shape.min, count).estimate.bits);
}

// The same, or with differences, whichever is less.
uint64_t PromisedBits(Values values) {
  const uint64_t bits = EstimateBits(SampleOf(values), values.size());
  return values.size() < 2 ? bits : std::min(bits, EstimateBits(SampleOfDeltas(values), values.size()));
}

void TryTokens(Values values, const Shape& shape, Smallest& best) {
  const TokenChoice choice = ChooseTokens(SampleOf(values), shape.min, values.size());
  // What is promised is not far from what comes of it.
  if (!best.MayTake(choice.estimate.bits, kTokensPay + 1)) return;
  if (choice.is_signed) {
    best.Offer(EncodeSignedTokens(ZigZags(values), choice.estimate.shape), kTokensPay);
  } else {
    best.Offer(EncodeUnsignedTokens(DifferencesTo(values, shape.min), shape.min, choice.estimate.shape), kTokensPay);
  }
}

// The encodings that hold no further streams.
void TryFlat(Values values, const Shape& shape, Smallest& best) {
  TryTokens(values, shape, best);
  if (best.size() < kLeastBlock) return;
  if (values.size() < kShort || Repeats(values)) best.Offer(EncodeBytes(values, shape), kBytesPay);
}

void TryRuns(Values values, const Shape& shape, bool few, int depth, Smallest& best) {
  const Runs runs = MakeRuns(values, shape.runs);
  const bool promising =
      few || values.size() < kShort || best.MayTake(PromisedBits(runs.values) + PromisedBits(runs.lengths), 100);
  if (promising) best.Offer(EncodeRuns(runs, depth), 100);
}

void TryDictionary(Values values, const Shape& shape, int depth, Smallest& best) {
  const size_t most = std::min(kMostEntries, values.size() / 4);
  const size_t entries = FewEntries(values, most);
  // Where codes are as dense as the values, a dictionary says nothing new.
  if (entries == SIZE_MAX || entries - 1 >= shape.range()) return;
  const Dictionary dictionary = MakeDictionary(values, shape, most);
  if (dictionary.entries.empty() || dictionary.entries.size() - 1 >= shape.range()) return;
  const size_t count = values.size();
  if (count >= kShort && !best.MayTake(EstimateBits(SampleOf(dictionary.codes), count), 100)) return;
  best.Offer(EncodeDictionary(dictionary, depth), 98);
}

// Whether the differences of neighbours are worth being encoded.
bool DeltasPromise(Values values, const Shape& shape, bool regular, const Smallest& best) {
  if (values.size() < kShort) return true;
  // Each end of a run is a difference, and all others are zeros: runs say the same.
  if (shape.runs <= values.size() / kRegularOneIn && shape.delta_runs >= shape.runs) return false;
  return regular || best.MayTake(EstimateBits(SampleOfDeltas(values), values.size()), 100);
}

std::string Encode(Values values, int depth) {
  if (values.empty()) return "";
  const Shape shape = LookAt(values);
  if (shape.min == shape.max) return EncodeConstant(shape.min);
  Smallest best(values, shape);
  const size_t count = values.size();
  const bool few_runs = shape.runs <= count / kRegularOneIn;
  const bool regular = shape.delta_runs <= count / kRegularOneIn;
  const bool transforms = depth < kTransformDepth;
  // What is regular is not worth a thorough look at it as it is: what the runs or the differences are is.
  const bool plain = !few_runs && !regular;
  if (transforms && (plain || count < kShort)) {
    const uint64_t factor = CommonFactor(values, shape.min);
    if (factor > 1) return EncodeScaled(values, shape.min, factor, depth);
  }
  if (!transforms || plain) TryFlat(values, shape, best);
  if (!transforms) return best.Take();
  if (shape.runs <= count / 2) TryRuns(values, shape, few_runs, depth, best);
  if (DeltasPromise(values, shape, regular, best)) best.Offer(EncodeDelta(values, depth), 99);
  if (plain) TryDictionary(values, shape, depth, best);
  return best.Take();
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
      return EncodeUnsignedTokens(differences, shape.min, EstimateTokens(differences, values.size()).shape);
    case IntegerEncoding::kSignedTokens:
      return EncodeSignedTokens(ZigZags(values), EstimateTokens(ZigZags(values), values.size()).shape);
    case IntegerEncoding::kBytes:
      return EncodeBytes(values, shape);
    case IntegerEncoding::kDelta:
      return EncodeDelta(values, 0);
    case IntegerEncoding::kRuns:
      return EncodeRuns(MakeRuns(values, shape.runs), 0);
    case IntegerEncoding::kDictionary:
      return EncodeDictionary(MakeDictionary(values, shape, values.size()), 0);
    case IntegerEncoding::kScaled:
      return EncodeScaled(values, shape.min, std::max<uint64_t>(CommonFactor(values, shape.min), 1), 0);
  }
  return std::nullopt;
}

}  // namespace chartly
