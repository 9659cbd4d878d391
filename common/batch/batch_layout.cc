#include "common/batch/batch_layout.h"

#include <xxhash.h>

#include <cstring>

#include "absl/strings/str_cat.h"
#include "common/batch/batch.h"
#include "common/status/status.h"

namespace chartly {
namespace {

constexpr size_t kVersionAt = 4;
constexpr size_t kChecksumAt = 8;
constexpr size_t kCheckedFrom = 16;  // the checksum covers everything from here
constexpr size_t kHeaderBytesAt = 16;
constexpr size_t kPackedBytesAt = 20;
constexpr size_t kUnpackedBytesAt = 24;

void Store(uint64_t number, size_t bytes, size_t at, std::string& out) {
  for (size_t i = 0; i < bytes; ++i) out[at + i] = static_cast<char>(number >> (8 * i));
}

}  // namespace

void SealBatch(const BatchPreamble& preamble, std::string& batch) {
  std::memset(batch.data(), 0, kBatchPreambleBytes);
  std::memcpy(batch.data(), kBatchMagic, 4);
  Store(kBatchFormatVersion, 2, kVersionAt, batch);
  Store(preamble.header_bytes, 4, kHeaderBytesAt, batch);
  Store(preamble.packed_bytes, 4, kPackedBytesAt, batch);
  Store(preamble.unpacked_bytes, 4, kUnpackedBytesAt, batch);
  Store(XXH3_64bits(batch.data() + kCheckedFrom, batch.size() - kCheckedFrom), 8, kChecksumAt, batch);
}

absl::StatusOr<BatchPreamble> OpenBatch(absl::string_view batch) {
  if (batch.size() < kBatchPreambleBytes) return CorruptBatch(absl::StrCat("only ", batch.size(), " bytes"));
  if (batch.size() > kMaxBatchBytes) return CorruptBatch(absl::StrCat("larger than ", kMaxBatchBytes, " bytes"));
  const auto* bytes = reinterpret_cast<const uint8_t*>(batch.data());
  if (std::memcmp(bytes, kBatchMagic, 4) != 0) return CorruptBatch("it does not begin with CHB1");
  uint64_t version = LoadLittleEndian(bytes + kVersionAt, 4);  // with the reserved bytes, which are 0
  if (version != kBatchFormatVersion) return CorruptBatch(absl::StrCat("format version ", version, " is not known"));
  uint64_t checksum = XXH3_64bits(bytes + kCheckedFrom, batch.size() - kCheckedFrom);
  if (checksum != LoadLittleEndian(bytes + kChecksumAt, 8)) return CorruptBatch("the checksum does not match");
  BatchPreamble preamble;
  preamble.header_bytes = static_cast<uint32_t>(LoadLittleEndian(bytes + kHeaderBytesAt, 4));
  preamble.packed_bytes = static_cast<uint32_t>(LoadLittleEndian(bytes + kPackedBytesAt, 4));
  preamble.unpacked_bytes = static_cast<uint32_t>(LoadLittleEndian(bytes + kUnpackedBytesAt, 4));
  if (kBatchPreambleBytes + uint64_t{preamble.header_bytes} + preamble.packed_bytes != batch.size()) {
    return CorruptBatch("its lengths do not add up");
  }
  if (preamble.unpacked_bytes > kMaxBatchBodyBytes) return CorruptBatch("the unpacked body is too large");
  return preamble;
}

absl::Status CorruptBatch(absl::string_view what) {
  return Error(absl::StatusCode::kDataLoss, "BATCH_CORRUPT", absl::StrCat("batch is corrupt: ", what));
}

bool IsIntegerWidth(ValueType type, uint32_t width) {
  if (type == ValueType::kDecimal && width == 16) return true;
  bool has_width = type == ValueType::kInteger || type == ValueType::kDecimal;
  return has_width && (width == 1 || width == 2 || width == 4 || width == 8);
}

uint8_t FixedWidth(ValueType type) {
  switch (type) {
    case ValueType::kFloat:
    case ValueType::kTimestamp:
      return 8;
    case ValueType::kDate:
      return 4;
    case ValueType::kBoolean:
      return 1;
    default:
      return 0;
  }
}

void AppendLittleEndian(uint64_t number, size_t bytes, std::string& out) {
  char buffer[8];
  for (size_t i = 0; i < sizeof(buffer); ++i) buffer[i] = static_cast<char>(number >> (8 * i));
  out.append(buffer, bytes);
}

uint64_t LoadLittleEndian(const uint8_t* bytes, size_t count) {
  uint64_t number = 0;
  for (size_t i = 0; i < count; ++i) number |= uint64_t{bytes[i]} << (8 * i);
  return number;
}

int64_t LoadSigned(const uint8_t* bytes, size_t count) {
  switch (count) {
    case 1:
      return static_cast<int8_t>(bytes[0]);
    case 2:
      return static_cast<int16_t>(LoadLittleEndian(bytes, 2));
    case 4:
      return static_cast<int32_t>(LoadLittleEndian(bytes, 4));
    default:
      return static_cast<int64_t>(LoadLittleEndian(bytes, 8));
  }
}

}  // namespace chartly
