// Reading and writing the small parts of a chunk: bytes, varints, packed byte blocks. A reader never passes its end; a
// function that says false has met bytes that the format does not allow.
#ifndef CHARTLY_COMMON_CHUNK_BYTE_IO_H_
#define CHARTLY_COMMON_CHUNK_BYTE_IO_H_

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>

#include "absl/strings/string_view.h"

namespace chartly {

static_assert(std::endian::native == std::endian::little, "numbers of a chunk are read as they lie in memory");

inline uint64_t ZigZag(int64_t value) {
  return (static_cast<uint64_t>(value) << 1) ^ static_cast<uint64_t>(value >> 63);
}
inline int64_t UnZigZag(uint64_t value) { return static_cast<int64_t>((value >> 1) ^ (0 - (value & 1))); }

template <typename Number>
Number LoadAs(const void* bytes) {
  Number number;
  std::memcpy(&number, bytes, sizeof(number));
  return number;
}

template <typename Number>
void AppendFixed(Number number, std::string& out) {
  char bytes[sizeof(number)];
  std::memcpy(bytes, &number, sizeof(number));
  out.append(bytes, sizeof(number));
}

// Seven bits a byte, lowest first, the high bit set on all but the last.
inline void AppendVarint(uint64_t value, std::string& out) {
  for (; value >= 0x80; value >>= 7) out.push_back(static_cast<char>(value | 0x80));
  out.push_back(static_cast<char>(value));
}
inline void AppendSigned(int64_t value, std::string& out) { AppendVarint(ZigZag(value), out); }
// Length, then the bytes.
inline void AppendText(absl::string_view text, std::string& out) {
  AppendVarint(text.size(), out);
  out.append(text.data(), text.size());
}

class ByteReader {
 public:
  explicit ByteReader(absl::string_view bytes) : rest_(bytes) {}

  size_t left() const { return rest_.size(); }

  bool Byte(uint8_t& value) {
    if (rest_.empty()) return false;
    value = static_cast<uint8_t>(rest_.front());
    rest_.remove_prefix(1);
    return true;
  }
  bool Varint(uint64_t& value) {
    value = 0;
    for (int shift = 0; shift < 64; shift += 7) {
      uint8_t byte = 0;
      if (!Byte(byte)) return false;
      value |= static_cast<uint64_t>(byte & 0x7F) << shift;
      if (byte < 0x80) return true;
    }
    return false;
  }
  // A varint of at most `limit`.
  bool Count(uint64_t limit, size_t& count) {
    uint64_t value = 0;
    if (!Varint(value) || value > limit) return false;
    count = value;
    return true;
  }
  bool Signed(int64_t& value) {
    uint64_t bits = 0;
    if (!Varint(bits)) return false;
    value = UnZigZag(bits);
    return true;
  }
  template <typename Number>
  bool Fixed(Number& number) {
    absl::string_view bytes;
    if (!Bytes(sizeof(number), bytes)) return false;
    number = LoadAs<Number>(bytes.data());
    return true;
  }
  bool Bytes(size_t count, absl::string_view& bytes) {
    if (count > rest_.size()) return false;
    bytes = rest_.substr(0, count);
    rest_.remove_prefix(count);
    return true;
  }
  bool Text(size_t limit, absl::string_view& text) {
    size_t size = 0;
    return Count(limit, size) && Bytes(size, text);
  }

 private:
  absl::string_view rest_;
};

// A block of bytes whose length the reader knows: as it is, or as a zstd frame if that is smaller.
void AppendBlock(absl::string_view bytes, std::string& out);
// Appends a block of exactly `size` bytes.
bool ReadBlock(ByteReader& in, size_t size, std::string& out);

}  // namespace chartly

#endif  // CHARTLY_COMMON_CHUNK_BYTE_IO_H_
