// The bytes around and inside a batch, as docs/formats/batch.md states them: what the builder and the parser share.
#ifndef CHARTLY_COMMON_BATCH_BATCH_LAYOUT_H_
#define CHARTLY_COMMON_BATCH_BATCH_LAYOUT_H_

#include <bit>
#include <cstdint>
#include <cstring>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/value/value.h"

namespace chartly {

inline constexpr char kBatchMagic[] = "CHB1";
inline constexpr uint16_t kBatchFormatVersion = 1;
inline constexpr size_t kBatchPreambleBytes = 32;

// The fixed bytes at the begin of a batch.
struct BatchPreamble {
  uint32_t header_bytes = 0;
  uint32_t packed_bytes = 0;
  uint32_t unpacked_bytes = 0;
};

// Writes the preamble into the first kBatchPreambleBytes of `batch`, checksum included. Requires: header and packed
// body are in place after it.
void SealBatch(const BatchPreamble& preamble, std::string& batch);
// Checks magic, version, lengths and checksum. DataLoss (BATCH_CORRUPT) if anything is off.
absl::StatusOr<BatchPreamble> OpenBatch(absl::string_view batch);

// DataLoss with reason BATCH_CORRUPT.
absl::Status CorruptBatch(absl::string_view what);

// Bytes of an index of a dictionary.
inline uint8_t IndexWidth(uint32_t entries) { return entries <= 256 ? 1 : 2; }
inline size_t NullBitmapBytes(uint32_t rows) { return (size_t{rows} + 7) / 8; }
// Whether integers of that many bytes may hold values of the type.
bool IsIntegerWidth(ValueType type, uint32_t width);
// Bytes of one value that has no width of its own: float, boolean, timestamp (without its offset), date.
uint8_t FixedWidth(ValueType type);

// Little-endian numbers, whatever the machine is.
void AppendLittleEndian(uint64_t number, size_t bytes, std::string& out);
// The same of `count` numbers in a row. Requires: `bytes` is 1, 2, 4 or 8.
template <typename Number>
void AppendLittleEndian(const Number* numbers, size_t count, size_t bytes, std::string& out);
uint64_t LoadLittleEndian(const uint8_t* bytes, size_t count);
// Two's complement of 1, 2, 4 or 8 bytes.
int64_t LoadSigned(const uint8_t* bytes, size_t count);

template <typename Stored, typename Number>
void AppendLittleEndianAs(const Number* numbers, size_t count, std::string& out) {
  static_assert(std::endian::native == std::endian::little, "numbers are stored as they lie in memory");
  const size_t begin = out.size();
  out.resize(begin + count * sizeof(Stored));
  char* to = out.data() + begin;
  for (size_t i = 0; i < count; ++i, to += sizeof(Stored)) {
    const auto stored = static_cast<Stored>(numbers[i]);
    std::memcpy(to, &stored, sizeof(stored));
  }
}

template <typename Number>
void AppendLittleEndian(const Number* numbers, size_t count, size_t bytes, std::string& out) {
  switch (bytes) {
    case 1:
      return AppendLittleEndianAs<uint8_t>(numbers, count, out);
    case 2:
      return AppendLittleEndianAs<uint16_t>(numbers, count, out);
    case 4:
      return AppendLittleEndianAs<uint32_t>(numbers, count, out);
    default:
      return AppendLittleEndianAs<uint64_t>(numbers, count, out);
  }
}

}  // namespace chartly

#endif  // CHARTLY_COMMON_BATCH_BATCH_LAYOUT_H_
