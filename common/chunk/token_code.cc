#include "common/chunk/token_code.h"

#include <algorithm>
#include <array>
#include <bit>
#include <vector>

#include "common/chunk/bit_packing.h"
#include "common/chunk/rans.h"

namespace chartly {
namespace {

// From coarse to fine. The last tells apart what all others do.
constexpr TokenShape kShapes[] = {{2, 0}, {4, 1}, {5, 2}, {7, 3}, {9, 4}, {12, 4}};
constexpr TokenShape kFinest = kShapes[std::size(kShapes) - 1];
constexpr uint64_t kTableBitsPerToken = 10;
constexpr size_t kBlock = 1024;

constexpr uint32_t TokenCount(TokenShape shape) {
  return (uint32_t{1} << shape.direct_bits) + ((64u - shape.direct_bits) << shape.leading_bits);
}
static_assert(TokenCount(kFinest) <= kMaxSymbols, "every token is a symbol");

uint32_t TokenOf(uint64_t number, TokenShape shape) {
  const uint64_t direct = uint64_t{1} << shape.direct_bits;
  if (number < direct) return static_cast<uint32_t>(number);
  const auto power = static_cast<uint32_t>(std::bit_width(number) - 1);
  const uint64_t leading = (number >> (power - shape.leading_bits)) & LowBits(shape.leading_bits);
  return static_cast<uint32_t>(direct + (uint64_t{power - shape.direct_bits} << shape.leading_bits) + leading);
}

// What a token stands for: the smallest number, and how many bits follow.
struct Token {
  uint64_t base = 0;
  uint32_t extra_bits = 0;
};

Token Explain(uint32_t token, TokenShape shape) {
  const uint32_t direct = uint32_t{1} << shape.direct_bits;
  if (token < direct) return {token, 0};
  const uint32_t power = shape.direct_bits + ((token - direct) >> shape.leading_bits);
  const uint64_t leading = ((token - direct) & LowBits(shape.leading_bits)) | (uint64_t{1} << shape.leading_bits);
  return {leading << (power - shape.leading_bits), power - shape.leading_bits};
}

constexpr uint32_t kLogTableBits = 12;

std::array<uint32_t, 1 << kLogTableBits> MakeLogTable() {
  std::array<uint32_t, 1 << kLogTableBits> table = {};
  for (uint32_t number = 1; number < table.size(); ++number) {
    const auto whole = static_cast<uint32_t>(std::bit_width(number) - 1);
    uint64_t mantissa = (uint64_t{number} << 31) >> whole;  // 1 to 2, times 2^31
    uint32_t log = whole;
    for (int bit = 0; bit < 16; ++bit) {
      mantissa = mantissa * mantissa >> 31;
      const bool over = mantissa >= uint64_t{1} << 32;
      log = log << 1 | (over ? 1 : 0);
      if (over) mantissa >>= 1;
    }
    table[number] = log;
  }
  return table;
}

// Numbers that a shape does not tell apart.
struct Alike {
  uint64_t smallest = 0;
  uint64_t count = 0;
};

// Joins what this shape does not tell apart; it lies side by side.
void Join(TokenShape shape, std::vector<Alike>& numbers) {
  size_t kept = 0;
  uint32_t last = 0;
  for (const Alike& more : numbers) {
    const uint32_t token = TokenOf(more.smallest, shape);
    if (kept > 0 && token == last) {
      numbers[kept - 1].count += more.count;
    } else {
      numbers[kept++] = more;
    }
    last = token;
  }
  numbers.resize(kept);
}

// Bits of the tokens of numbers, which are joined by this shape, and of what follows them, were there `count` of them.
uint64_t CostOf(const std::vector<Alike>& numbers, TokenShape shape, size_t total, size_t count) {
  const uint64_t log_total = FixedLog2(total);
  uint64_t information = 0;  // times 2^16
  uint64_t rests = 0;
  uint64_t once = 0;
  for (const Alike& alike : numbers) {
    information += alike.count * (log_total - FixedLog2(alike.count));
    rests += alike.count * Explain(TokenOf(alike.smallest, shape), shape).extra_bits;
    once += alike.count == 1 ? 1 : 0;
  }
  const uint64_t table = numbers.size() * kTableBitsPerToken;
  uint64_t bits = rests + (information >> 16);
  if (count == total) return table + bits;
  // A sample shows the less information the more it has to tell apart, by 1 / (2 ln 2) bits a token; and for what it
  // has once there is something that it does not have.
  bits += numbers.size() * 3 / 4;
  return table + once * kTableBitsPerToken + bits * count / total;
}

// Bits of the numbers' rests. `fast`: no load passes the end, and none needs more than one.
template <bool fast>
size_t AddRests(absl::string_view bytes, size_t bit, const Token* tokens, const uint16_t* symbols, size_t count,
                uint64_t* numbers) {
  for (size_t i = 0; i < count; ++i) {
    const Token token = tokens[symbols[i]];
    uint64_t rest;
    if constexpr (fast) {
      rest = LoadAs<uint64_t>(bytes.data() + bit / 8) >> (bit % 8) & ((uint64_t{1} << token.extra_bits) - 1);
    } else {
      const uint32_t low = std::min<uint32_t>(token.extra_bits, 32);
      rest = LoadWithin(bytes, bit / 8) >> (bit % 8) & LowBits(low);
      const size_t high_bit = bit + low;
      rest |= (LoadWithin(bytes, high_bit / 8) >> (high_bit % 8) & LowBits(token.extra_bits - low)) << low % 64;
    }
    numbers[i] = token.base + rest;
    bit += token.extra_bits;
  }
  return bit;
}

}  // namespace

uint64_t FixedLog2(uint64_t number) {
  static const std::array<uint32_t, 1 << kLogTableBits> table = MakeLogTable();
  const auto width = static_cast<uint32_t>(std::bit_width(number));
  const uint32_t shift = width > kLogTableBits ? width - kLogTableBits : 0;
  return table[number >> shift] + (uint64_t{shift} << 16);
}

TokenEstimate EstimateTokens(absl::Span<const uint64_t> numbers, size_t count) {
  std::vector<uint32_t> finest(TokenCount(kFinest), 0);
  for (uint64_t number : numbers) ++finest[TokenOf(number, kFinest)];
  std::vector<Alike> alike;
  for (uint32_t token = 0; token < finest.size(); ++token) {
    if (finest[token] > 0) alike.push_back({Explain(token, kFinest).base, finest[token]});
  }
  TokenEstimate best{UINT64_MAX, kFinest};
  // What a shape joins the coarser ones do, too. Of equals the coarser is quicker to read.
  for (size_t i = std::size(kShapes); i-- > 0;) {
    Join(kShapes[i], alike);
    const uint64_t bits = CostOf(alike, kShapes[i], numbers.size(), count);
    if (bits <= best.bits) best = {bits, kShapes[i]};
  }
  return best;
}

void EncodeTokens(absl::Span<const uint64_t> numbers, TokenShape shape, std::string& out) {
  out.push_back(static_cast<char>(shape.direct_bits));
  out.push_back(static_cast<char>(shape.leading_bits));
  std::vector<uint16_t> symbols(numbers.size());
  std::string rests;
  BitWriter writer(rests);
  for (size_t i = 0; i < numbers.size(); ++i) {
    const uint64_t number = numbers[i];
    symbols[i] = static_cast<uint16_t>(TokenOf(number, shape));
    const auto power = static_cast<uint32_t>(std::bit_width(number | 1) - 1);
    if (power < shape.direct_bits) continue;
    const uint32_t extra_bits = power - shape.leading_bits;
    writer.Write(number & LowBits(extra_bits), extra_bits);
  }
  writer.Finish();
  EncodeRans(symbols, out);
  AppendText(rests, out);
}

bool DecodeTokens(ByteReader& in, size_t count, uint64_t* numbers) {
  TokenShape shape;
  thread_local RansDecoder decoder;
  if (!in.Byte(shape.direct_bits) || !in.Byte(shape.leading_bits)) return false;
  if (shape.direct_bits > kFinest.direct_bits || shape.leading_bits > kFinest.leading_bits ||
      shape.leading_bits > shape.direct_bits || !decoder.Open(in, count) || decoder.alphabet() > TokenCount(shape)) {
    return false;
  }
  absl::string_view rests;
  if (!in.Text(in.left(), rests)) return false;
  std::vector<Token> tokens(decoder.alphabet());
  uint32_t most_bits = 0;
  for (uint32_t i = 0; i < tokens.size(); ++i) {
    tokens[i] = Explain(i, shape);
    most_bits = std::max(most_bits, tokens[i].extra_bits);
  }
  uint16_t symbols[kBlock];
  size_t bit = 0;
  for (size_t done = 0; done < count; done += kBlock) {
    const size_t block = std::min(kBlock, count - done);
    decoder.Read(block, symbols);
    if (most_bits == 0) {
      for (size_t i = 0; i < block; ++i) numbers[done + i] = tokens[symbols[i]].base;
      continue;
    }
    const bool fast = most_bits <= kMaxPackedWidth && (bit + block * most_bits) / 8 + 8 <= rests.size();
    bit = (fast ? AddRests<true> : AddRests<false>)(rests, bit, tokens.data(), symbols, block, numbers + done);
  }
  return decoder.Finished() && (bit + 7) / 8 == rests.size();
}

}  // namespace chartly
