#include <algorithm>

#include "common/chunk/bit_packing.h"
#include "common/chunk/integer_stream.h"
#include "common/chunk/token_code.h"

namespace chartly {
namespace {

bool Decode(ByteReader& in, size_t count, int64_t* out, ChunkScratch& scratch, int depth);

bool DecodePacked(ByteReader& in, size_t count, int64_t* out) {
  int64_t base = 0;
  uint8_t width = 0;
  return in.Signed(base) && in.Byte(width) && ReadPacked(in, count, width, static_cast<uint64_t>(base), out);
}

bool DecodeUnsignedTokens(ByteReader& in, size_t count, int64_t* out) {
  int64_t base = 0;
  if (!in.Signed(base) || !DecodeTokens(in, count, reinterpret_cast<uint64_t*>(out))) return false;
  for (size_t i = 0; i < count; ++i) {
    out[i] = static_cast<int64_t>(static_cast<uint64_t>(out[i]) + static_cast<uint64_t>(base));
  }
  return true;
}

bool DecodeSignedTokens(ByteReader& in, size_t count, int64_t* out) {
  if (!DecodeTokens(in, count, reinterpret_cast<uint64_t*>(out))) return false;
  for (size_t i = 0; i < count; ++i) out[i] = UnZigZag(static_cast<uint64_t>(out[i]));
  return true;
}

bool DecodeBytes(ByteReader& in, size_t count, int64_t* out, ChunkScratch& scratch) {
  int64_t base = 0;
  uint8_t width = 0;
  auto block = scratch.TakeBytes();
  block->clear();
  if (!in.Signed(base) || !in.Byte(width) || width < 1 || width > 8 || !ReadBlock(in, count * width, *block)) {
    return false;
  }
  const auto* bytes = reinterpret_cast<const uint8_t*>(block->data());
  for (size_t i = 0; i < count; ++i) {
    out[i] = static_cast<int64_t>(static_cast<uint64_t>(base) + bytes[i]);
  }
  for (uint32_t plane = 1; plane < width; ++plane) {
    bytes += count;
    for (size_t i = 0; i < count; ++i) {
      out[i] = static_cast<int64_t>(static_cast<uint64_t>(out[i]) + (uint64_t{bytes[i]} << (8 * plane)));
    }
  }
  return true;
}

bool DecodeDelta(ByteReader& in, size_t count, int64_t* out, ChunkScratch& scratch, int depth) {
  int64_t first = 0;
  if (!in.Signed(first) || !Decode(in, count - 1, out + 1, scratch, depth)) return false;
  auto sum = static_cast<uint64_t>(first);
  out[0] = first;
  for (size_t i = 1; i < count; ++i) {
    sum += static_cast<uint64_t>(out[i]);
    out[i] = static_cast<int64_t>(sum);
  }
  return true;
}

bool DecodeRuns(ByteReader& in, size_t count, int64_t* out, ChunkScratch& scratch, int depth) {
  size_t runs = 0;
  if (!in.Count(count, runs)) return false;
  auto values = scratch.TakeIntegers();
  auto lengths = scratch.TakeIntegers();
  values->resize(runs);
  lengths->resize(runs);
  if (!Decode(in, runs, values->data(), scratch, depth) || !Decode(in, runs, lengths->data(), scratch, depth)) {
    return false;
  }
  size_t at = 0;
  for (size_t run = 0; run < runs; ++run) {
    const auto length = static_cast<uint64_t>((*lengths)[run]);
    if (length > count - at) return false;
    std::fill(out + at, out + at + length, (*values)[run]);
    at += length;
  }
  return at == count;
}

bool DecodeDictionary(ByteReader& in, size_t count, int64_t* out, ChunkScratch& scratch, int depth) {
  size_t entries = 0;
  if (!in.Count(count, entries)) return false;
  auto values = scratch.TakeIntegers();
  values->resize(entries);
  if (!Decode(in, entries, values->data(), scratch, depth) || !Decode(in, count, out, scratch, depth)) return false;
  uint64_t largest = 0;
  for (size_t i = 0; i < count; ++i) largest = std::max(largest, static_cast<uint64_t>(out[i]));
  if (largest >= entries) return false;
  for (size_t i = 0; i < count; ++i) out[i] = (*values)[static_cast<size_t>(out[i])];
  return true;
}

bool DecodeScaled(ByteReader& in, size_t count, int64_t* out, ChunkScratch& scratch, int depth) {
  int64_t base = 0;
  uint64_t factor = 0;
  if (!in.Signed(base) || !in.Varint(factor) || !Decode(in, count, out, scratch, depth)) return false;
  for (size_t i = 0; i < count; ++i) {
    out[i] = static_cast<int64_t>(static_cast<uint64_t>(base) + factor * static_cast<uint64_t>(out[i]));
  }
  return true;
}

bool Decode(ByteReader& in, size_t count, int64_t* out, ChunkScratch& scratch, int depth) {
  if (count == 0) return true;
  uint8_t encoding = 0;
  int64_t value = 0;
  if (depth > kMaxStreamDepth || !in.Byte(encoding)) return false;
  switch (static_cast<IntegerEncoding>(encoding)) {
    case IntegerEncoding::kConstant:
      if (!in.Signed(value)) return false;
      std::fill(out, out + count, value);
      return true;
    case IntegerEncoding::kPacked:
      return DecodePacked(in, count, out);
    case IntegerEncoding::kTokens:
      return DecodeUnsignedTokens(in, count, out);
    case IntegerEncoding::kSignedTokens:
      return DecodeSignedTokens(in, count, out);
    case IntegerEncoding::kBytes:
      return DecodeBytes(in, count, out, scratch);
    case IntegerEncoding::kDelta:
      return DecodeDelta(in, count, out, scratch, depth + 1);
    case IntegerEncoding::kRuns:
      return DecodeRuns(in, count, out, scratch, depth + 1);
    case IntegerEncoding::kDictionary:
      return DecodeDictionary(in, count, out, scratch, depth + 1);
    case IntegerEncoding::kScaled:
      return DecodeScaled(in, count, out, scratch, depth + 1);
  }
  return false;
}

}  // namespace

bool DecodeIntegers(ByteReader& in, size_t count, int64_t* out, ChunkScratch& scratch) {
  return Decode(in, count, out, scratch, 0);
}

}  // namespace chartly
