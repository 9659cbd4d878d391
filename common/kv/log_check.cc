#include "common/kv/log_check.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <system_error>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

namespace chartly {
namespace {

static_assert(std::endian::native == std::endian::little, "numbers of a log are read as they lie in memory");

// A log is a row of blocks; a record never crosses from one into the next, it goes on there as another fragment. Less
// than a header at the end of a block is filled up.
constexpr size_t kBlockBytes = size_t{32} << 10;
// Checksum (4), length (2), type (1). The checksum is of type and content.
constexpr size_t kHeaderBytes = 7;
constexpr size_t kCheckedFrom = 6;
constexpr uint8_t kZeroType = 0;
// Of logs in files that were used before; this store never does so.
constexpr uint8_t kFirstReusedType = 5;
constexpr uint8_t kLastReusedType = 8;

constexpr uint32_t kCastagnoli = 0x82f63b78;  // reflected
using Tables = std::array<std::array<uint32_t, 256>, 8>;

// tables[n] is the checksum of a byte with n zero bytes behind it, so that eight bytes go in one step.
constexpr Tables MakeTables() {
  Tables tables{};
  for (uint32_t byte = 0; byte < 256; ++byte) {
    uint32_t crc = byte;
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ ((crc & 1) != 0 ? kCastagnoli : 0);
    tables[0][byte] = crc;
  }
  for (size_t n = 1; n < tables.size(); ++n) {
    for (uint32_t byte = 0; byte < 256; ++byte) {
      const uint32_t before = tables[n - 1][byte];
      tables[n][byte] = (before >> 8) ^ tables[0][before & 0xff];
    }
  }
  return tables;
}

constexpr Tables kTables = MakeTables();

template <typename Number>
Number Load(const char* bytes) {
  Number number;
  std::memcpy(&number, bytes, sizeof(number));
  return number;
}

uint32_t ExtendByByte(uint32_t state, uint8_t byte) { return (state >> 8) ^ kTables[0][(state ^ byte) & 0xff]; }

uint32_t Extend(uint32_t state, absl::string_view bytes) {
  size_t at = 0;
  for (; at + 8 <= bytes.size(); at += 8) {
    const uint64_t word = Load<uint64_t>(bytes.data() + at) ^ state;
    state = 0;
    for (size_t i = 0; i < 8; ++i) state ^= kTables[7 - i][(word >> (8 * i)) & 0xff];
  }
  for (; at < bytes.size(); ++at) state = ExtendByByte(state, static_cast<uint8_t>(bytes[at]));
  return state;
}

constexpr uint32_t kEmptyState = 0xffffffff;

// As it stands in a header: rotated, since checksums of texts that hold checksums are weak.
uint32_t StoredForm(uint32_t state) {
  const uint32_t crc = ~state;
  return ((crc >> 15) | (crc << 17)) + 0xa282ead8;
}

struct Header {
  explicit Header(absl::string_view bytes)
      : checksum(Load<uint32_t>(bytes.data())),
        length(Load<uint16_t>(bytes.data() + 4)),
        type(static_cast<uint8_t>(bytes[kCheckedFrom])) {}
  uint32_t checksum;
  size_t length;
  uint8_t type;
};

bool IsZero(absl::string_view bytes) {
  return std::all_of(bytes.begin(), bytes.end(), [](char byte) { return byte == 0; });
}

// Whether a whole record of another length than its header says stands at the beginning of `bytes`: then it was not
// being written, its length is damaged.
bool HoldsWholeRecord(absl::string_view bytes, const Header& header) {
  uint32_t state = ExtendByByte(kEmptyState, header.type);
  for (size_t at = kHeaderBytes;; ++at) {
    if (StoredForm(state) == header.checksum) return true;
    if (at == bytes.size()) return false;
    state = ExtendByByte(state, static_cast<uint8_t>(bytes[at]));
  }
}

// Finds the first record that is not as it was written. Blocks come in order; the last one may be short.
class LogCheck {
 public:
  std::optional<LogDamage> TakeBlock(absl::string_view block, bool is_last) {
    const bool may_break_off = is_last && block.size() < kBlockBytes;
    size_t at = 0;
    while (at + kHeaderBytes <= block.size()) {
      const Header header(block.substr(at));
      if (header.type == kZeroType && header.length == 0) in_zeros_ = true;
      const absl::string_view fault = FaultAt(block, at, header, may_break_off);
      if (!fault.empty()) return LogDamage{std::string(fault), taken_ + at};
      if (in_zeros_) break;
      at += kHeaderBytes + header.length;
    }
    taken_ += block.size();
    return std::nullopt;
  }

 private:
  absl::string_view FaultAt(absl::string_view block, size_t at, const Header& header, bool may_break_off) const {
    const absl::string_view rest = block.substr(at);
    if (in_zeros_) return IsZero(rest) ? "" : "a piece of it was overwritten with zeros";
    if (header.type >= kFirstReusedType && header.type <= kLastReusedType) {
      return "a record has a type that is never written";
    }
    const size_t bytes = kHeaderBytes + header.length;
    if (bytes > rest.size()) {
      const bool unfinished = may_break_off && at + bytes <= kBlockBytes && !HoldsWholeRecord(rest, header);
      return unfinished ? "" : "the length of a record is not that of its content";
    }
    const uint32_t state = Extend(kEmptyState, rest.substr(kCheckedFrom, bytes - kCheckedFrom));
    return StoredForm(state) == header.checksum ? "" : "the checksum of a record does not fit its content";
  }

  uint64_t taken_ = 0;
  bool in_zeros_ = false;
};

}  // namespace

absl::StatusOr<std::optional<LogDamage>> FindLogDamage(const std::string& file) {
  std::error_code error;
  // What is appended from now on is not looked at.
  uint64_t left = std::filesystem::file_size(file, error);
  std::ifstream in(file, std::ios::binary);
  if (error || !in) return absl::UnavailableError(absl::StrCat(file, ": ", std::strerror(errno)));
  LogCheck check;
  std::string block;
  while (left > 0) {
    block.resize(std::min<uint64_t>(left, kBlockBytes));
    if (!in.read(block.data(), static_cast<std::streamsize>(block.size()))) {
      return absl::UnavailableError(absl::StrCat(file, ": ", std::strerror(errno)));
    }
    left -= block.size();
    std::optional<LogDamage> damage = check.TakeBlock(block, left == 0);
    if (damage.has_value()) return damage;
  }
  return std::nullopt;
}

}  // namespace chartly
