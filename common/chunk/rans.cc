#include "common/chunk/rans.h"

#include <algorithm>

namespace chartly {
namespace {

constexpr uint32_t kLowState = uint32_t{1} << 16;
constexpr uint32_t kMinTableBits = 9;
constexpr uint32_t kMaxTableBits = 14;
// Fewer symbols than this are not worth several states.
constexpr size_t kFewSymbols = 2048;

size_t LanesFor(size_t count) { return count < kFewSymbols ? 1 : RansDecoder::kLanes; }

// Finer where there are more symbols to tell apart, coarser where the table itself would cost too much.
uint32_t TableBitsFor(size_t count, size_t distinct) {
  uint32_t bits = count < kFewSymbols ? 10 : 12;
  while (bits < kMaxTableBits && (size_t{1} << bits) < distinct * 12) ++bits;
  return bits;
}

// Scales counts so that they sum to 2^bits and none that occurs is 0.
std::vector<uint32_t> Normalize(const std::vector<uint32_t>& counts, size_t total, uint32_t bits) {
  const int64_t sum_wanted = int64_t{1} << bits;
  std::vector<uint32_t> scaled(counts.size(), 0);
  int64_t sum = 0;
  for (size_t i = 0; i < counts.size(); ++i) {
    if (counts[i] == 0) continue;
    const uint64_t share = ((uint64_t{counts[i]} << bits) + total / 2) / total;
    scaled[i] = static_cast<uint32_t>(std::max<uint64_t>(share, 1));
    sum += scaled[i];
  }
  while (sum != sum_wanted) {
    uint32_t& largest = *std::max_element(scaled.begin(), scaled.end());
    const int64_t change = std::max<int64_t>(sum_wanted - sum, -static_cast<int64_t>(largest / 4 + 1));
    largest = static_cast<uint32_t>(largest + change);
    sum += change;
  }
  return scaled;
}

// Frequencies of the symbols in order; a zero is followed by how many more zeros there are.
void AppendFrequencies(const std::vector<uint32_t>& frequencies, uint32_t bits, std::string& out) {
  out.push_back(static_cast<char>(bits));
  AppendVarint(frequencies.size(), out);
  for (size_t i = 0; i < frequencies.size(); ++i) {
    AppendVarint(frequencies[i], out);
    if (frequencies[i] != 0) continue;
    size_t zeros = 0;
    while (i + 1 < frequencies.size() && frequencies[i + 1] == 0) {
      ++zeros;
      ++i;
    }
    AppendVarint(zeros, out);
  }
}

}  // namespace

void EncodeRans(absl::Span<const uint16_t> symbols, std::string& out) {
  std::vector<uint32_t> counts(size_t{*std::max_element(symbols.begin(), symbols.end())} + 1, 0);
  for (uint16_t symbol : symbols) ++counts[symbol];
  const auto distinct =
      static_cast<size_t>(std::count_if(counts.begin(), counts.end(), [](uint32_t count) { return count > 0; }));
  const uint32_t bits = TableBitsFor(symbols.size(), distinct);
  const std::vector<uint32_t> frequencies = Normalize(counts, symbols.size(), bits);
  AppendFrequencies(frequencies, bits, out);
  std::vector<uint32_t> starts(frequencies.size(), 0);
  for (size_t i = 1; i < starts.size(); ++i) starts[i] = starts[i - 1] + frequencies[i - 1];

  const size_t lanes = LanesFor(symbols.size());
  uint32_t states[RansDecoder::kLanes];
  std::fill(std::begin(states), std::end(states), kLowState);
  std::vector<uint16_t> words(symbols.size());  // at most one a symbol; filled from the end
  size_t first = words.size();
  for (size_t i = symbols.size(); i-- > 0;) {
    uint32_t& state = states[i % lanes];
    const uint32_t frequency = frequencies[symbols[i]];
    if (uint64_t{state} >= uint64_t{frequency} << (32 - bits)) {
      words[--first] = static_cast<uint16_t>(state);
      state >>= 16;
    }
    state = (state / frequency << bits) + state % frequency + starts[symbols[i]];
  }
  for (size_t lane = 0; lane < lanes; ++lane) AppendFixed(states[lane], out);
  AppendVarint(words.size() - first, out);
  out.append(reinterpret_cast<const char*>(words.data() + first), (words.size() - first) * sizeof(uint16_t));
}

bool RansDecoder::ReadFrequencies(ByteReader& in) {
  uint8_t bits = 0;
  size_t alphabet = 0;
  if (!in.Byte(bits) || bits < kMinTableBits || bits > kMaxTableBits || !in.Count(kMaxSymbols, alphabet)) return false;
  table_bits_ = bits;
  alphabet_ = static_cast<uint32_t>(alphabet);
  const uint32_t size = uint32_t{1} << bits;
  slots_.resize(size);
  uint32_t start = 0;
  for (uint32_t symbol = 0; symbol < alphabet_; ++symbol) {
    size_t frequency = 0;
    size_t zeros = 0;
    if (!in.Count(size - start, frequency)) return false;
    if (frequency == 0) {
      if (!in.Count(alphabet_ - symbol - 1, zeros)) return false;
      symbol += static_cast<uint32_t>(zeros);
      continue;
    }
    for (uint32_t bias = 0; bias < frequency; ++bias) {
      slots_[start + bias] = {static_cast<uint16_t>(frequency), static_cast<uint16_t>(bias),
                              static_cast<uint16_t>(symbol)};
    }
    start += static_cast<uint32_t>(frequency);
  }
  return start == size;
}

bool RansDecoder::Open(ByteReader& in, size_t count) {
  if (!ReadFrequencies(in)) return false;
  lanes_ = LanesFor(count);
  for (size_t lane = 0; lane < lanes_; ++lane) {
    if (!in.Fixed(states_[lane])) return false;
  }
  size_t words = 0;
  absl::string_view bytes;
  if (!in.Count(in.left() / 2, words) || !in.Bytes(words * 2, bytes)) return false;
  at_ = bytes.data();
  end_ = at_ + bytes.size();
  passed_end_ = false;
  return true;
}

inline uint16_t RansDecoder::Step(uint32_t& state) {
  const Slot& slot = slots_[state & ((uint32_t{1} << table_bits_) - 1)];
  state = slot.frequency * (state >> table_bits_) + slot.bias;
  if (state < kLowState) {
    if (at_ == end_) {
      passed_end_ = true;
    } else {
      state = state << 16 | LoadAs<uint16_t>(at_);
      at_ += 2;
    }
  }
  return slot.symbol;
}

void RansDecoder::Read(size_t count, uint16_t* symbols) {
  size_t i = 0;
  if (lanes_ == kLanes) {
    const Slot* const slots = slots_.data();
    const uint32_t bits = table_bits_;
    const uint32_t mask = (uint32_t{1} << bits) - 1;
    uint32_t a = states_[0], b = states_[1], c = states_[2], d = states_[3];
    const char* at = at_;
    // One step of all states takes at most 8 bytes. Without branches: whether a word is taken cannot be predicted.
    auto step = [&](uint32_t& state) {
      const Slot slot = slots[state & mask];
      state = slot.frequency * (state >> bits) + slot.bias;
      const uint32_t more = state << 16 | LoadAs<uint16_t>(at);
      const bool low = state < kLowState;
      state = low ? more : state;
      at += low ? 2 : 0;
      return slot.symbol;
    };
    for (; i + kLanes <= count && end_ - at >= 8; i += kLanes) {
      symbols[i] = step(a);
      symbols[i + 1] = step(b);
      symbols[i + 2] = step(c);
      symbols[i + 3] = step(d);
    }
    at_ = at;
    states_[0] = a;
    states_[1] = b;
    states_[2] = c;
    states_[3] = d;
  }
  for (; i < count; ++i) symbols[i] = Step(states_[i % lanes_]);
}

bool RansDecoder::Finished() const {
  return !passed_end_ && at_ == end_ &&
         std::all_of(states_, states_ + lanes_, [](uint32_t state) { return state == kLowState; });
}

}  // namespace chartly
