#include "common/chunk/bit_packing.h"

namespace chartly {
namespace {

template <typename Stored>
void UnpackWhole(absl::string_view bytes, size_t count, uint64_t base, int64_t* out) {
  const char* from = bytes.data();
  for (size_t i = 0; i < count; ++i) out[i] = static_cast<int64_t>(base + LoadAs<Stored>(from + i * sizeof(Stored)));
}

void UnpackBits(absl::string_view bytes, size_t count, uint32_t width, uint64_t base, int64_t* out) {
  const uint64_t mask = LowBits(width);
  // Numbers whose load of 8 bytes lies within the block.
  size_t inner = bytes.size() < 8 ? 0 : std::min(count, ((bytes.size() - 8) * 8 + 7) / width);
  const char* from = bytes.data();
  size_t bit = 0;
  for (size_t i = 0; i < inner; ++i, bit += width) {
    out[i] = static_cast<int64_t>(base + (LoadAs<uint64_t>(from + bit / 8) >> (bit % 8) & mask));
  }
  for (size_t i = inner; i < count; ++i, bit += width) {
    out[i] = static_cast<int64_t>(base + (LoadWithin(bytes, bit / 8) >> (bit % 8) & mask));
  }
}

template <typename Stored>
void PackWhole(absl::Span<const int64_t> values, uint64_t base, char* to) {
  for (size_t i = 0; i < values.size(); ++i) {
    const auto stored = static_cast<Stored>(static_cast<uint64_t>(values[i]) - base);
    std::memcpy(to + i * sizeof(stored), &stored, sizeof(stored));
  }
}

// Requires: 0 < width < 64.
void PackBits(absl::Span<const int64_t> values, uint64_t base, uint32_t width, char* to) {
  uint64_t word = 0;
  uint32_t held = 0;
  for (int64_t value : values) {
    const uint64_t more = static_cast<uint64_t>(value) - base;
    word |= more << held;
    held += width;
    if (held < 64) continue;
    std::memcpy(to, &word, sizeof(word));
    to += sizeof(word);
    held -= 64;
    word = held == 0 ? 0 : more >> (width - held);
  }
  std::memcpy(to, &word, (held + 7) / 8);
}

}  // namespace

void AppendPacked(absl::Span<const int64_t> values, uint64_t base, uint32_t width, std::string& out) {
  const size_t begin = out.size();
  out.resize(begin + PackedBytes(values.size(), width));
  char* to = out.data() + begin;
  switch (width) {
    case 0:
      return;
    case 8:
      return PackWhole<uint8_t>(values, base, to);
    case 16:
      return PackWhole<uint16_t>(values, base, to);
    case 32:
      return PackWhole<uint32_t>(values, base, to);
    case 64:
      return PackWhole<uint64_t>(values, base, to);
    default:
      return PackBits(values, base, width, to);
  }
}

bool ReadPacked(ByteReader& in, size_t count, uint32_t width, uint64_t base, int64_t* out) {
  if (width > kMaxPackedWidth && width != 64) return false;
  absl::string_view bytes;
  if (!in.Bytes(PackedBytes(count, width), bytes)) return false;
  switch (width) {
    case 0:
      std::fill(out, out + count, static_cast<int64_t>(base));
      return true;
    case 8:
      UnpackWhole<uint8_t>(bytes, count, base, out);
      return true;
    case 16:
      UnpackWhole<uint16_t>(bytes, count, base, out);
      return true;
    case 32:
      UnpackWhole<uint32_t>(bytes, count, base, out);
      return true;
    case 64:
      UnpackWhole<uint64_t>(bytes, count, base, out);
      return true;
    default:
      UnpackBits(bytes, count, width, base, out);
      return true;
  }
}

}  // namespace chartly
