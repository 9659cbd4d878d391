#include "common/chunk/integer_stream.h"

#include <algorithm>
#include <vector>

#include "common/chunk/bit_packing.h"

namespace chartly {

void EncodeIntegers(absl::Span<const int64_t> values, std::string& out) {
  if (values.empty()) return;
  auto [min, max] = std::minmax_element(values.begin(), values.end());
  if (*min == *max) {
    out.push_back(static_cast<char>(IntegerEncoding::kConstant));
    AppendSigned(*min, out);
    return;
  }
  const auto base = static_cast<uint64_t>(*min);
  std::vector<uint64_t> differences;
  for (int64_t value : values) differences.push_back(static_cast<uint64_t>(value) - base);
  const uint32_t width = BitWidth(static_cast<uint64_t>(*max) - base);
  out.push_back(static_cast<char>(IntegerEncoding::kPacked));
  AppendSigned(*min, out);
  out.push_back(static_cast<char>(width));
  AppendPacked(differences, width, out);
}

bool DecodeIntegers(ByteReader& in, size_t count, int64_t* out, ChunkScratch&, int depth) {
  if (count == 0) return true;
  uint8_t encoding = 0;
  int64_t base = 0;
  uint8_t width = 0;
  if (depth > kMaxStreamDepth || !in.Byte(encoding)) return false;
  switch (static_cast<IntegerEncoding>(encoding)) {
    case IntegerEncoding::kConstant:
      if (!in.Signed(base)) return false;
      std::fill(out, out + count, base);
      return true;
    case IntegerEncoding::kPacked:
      return in.Signed(base) && in.Byte(width) && ReadPacked(in, count, width, static_cast<uint64_t>(base), out);
    default:
      return false;
  }
}

}  // namespace chartly
