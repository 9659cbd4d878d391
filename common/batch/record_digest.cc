#include "common/batch/record_digest.h"

// Most of what is hashed is some tens of bytes, for which a call would cost as much as the hash.
#define XXH_INLINE_ALL
#include <xxhash.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <utility>

#include "common/batch/batch_layout.h"

namespace chartly {
namespace {

// A digest as it goes into the hash of the record: low half first, little-endian.
constexpr size_t kDigestBytes = 16;
// Keep ids and keys apart: the same fields must not give the same hash for both.
constexpr uint64_t kRecordIdSeed = 0;
constexpr uint64_t kRecordKeySeed = 1;
// Rows whose digests lie side by side; with ten fields they fit the nearest cache.
constexpr uint32_t kBlockRows = 128;
// Digests of numbers that are kept: as many as one byte has values.
constexpr int kKnownBits = 8;
// For fewer rows at once there is nothing to gain.
constexpr uint32_t kFewRows = 32;
// After so many numbers it shows whether they come again.
constexpr uint32_t kTrial = 1024;

Hash128 HashBytes(const char* bytes, size_t size, uint64_t seed) {
  const XXH128_hash_t hash = XXH3_128bits_withSeed(bytes, size, seed);
  return {hash.high64, hash.low64};
}

void StoreDigest(const Hash128& digest, char* to) {
  static_assert(std::endian::native == std::endian::little, "digests are stored as they lie in memory");
  std::memcpy(to, &digest.low, sizeof(digest.low));
  std::memcpy(to + sizeof(digest.low), &digest.high, sizeof(digest.high));
}

// What precedes the canonical value of a field in its digest: role and name.
std::string FieldPrefix(Role role, absl::string_view name) {
  std::string prefix(1, static_cast<char>(role));
  AppendLittleEndian(name.size(), 4, prefix);
  prefix.append(name.data(), name.size());
  return prefix;
}

// What is hashed for each of the rows of a block: the digest of the profile, then those of fields.
class DigestRows {
 public:
  DigestRows(absl::string_view profile_id, size_t fields)
      : stride_((fields + 1) * kDigestBytes), bytes_(stride_ * kBlockRows, '\0') {
    const Hash128 profile = HashBytes(profile_id.data(), profile_id.size(), 0);
    for (uint32_t row = 0; row < kBlockRows; ++row) StoreDigest(profile, &bytes_[row * stride_]);
  }
  void Begin() {
    even_ = true;
    size_ = kDigestBytes;
  }
  // `nulls`: whether each row is null; null if none is.
  void Append(const Hash128* digests, const bool* nulls, uint32_t count) {
    char* at = bytes_.data();
    if (even_ && nulls == nullptr) {
      for (uint32_t row = 0; row < count; ++row, at += stride_) StoreDigest(digests[row], at + size_);
      size_ += kDigestBytes;
      return;
    }
    if (std::exchange(even_, false)) sizes_.fill(size_);
    for (uint32_t row = 0; row < count; ++row, at += stride_) {
      if (nulls != nullptr && nulls[row]) continue;
      StoreDigest(digests[row], at + sizes_[row]);
      sizes_[row] += kDigestBytes;
    }
  }
  // Appends the hashes of `count` rows.
  void Hash(uint64_t seed, uint32_t count, std::vector<Hash128>& hashes) const {
    std::array<Hash128, kBlockRows> block;
    const char* at = bytes_.data();
    for (uint32_t row = 0; row < count; ++row, at += stride_) {
      block[row] = HashBytes(at, even_ ? size_ : sizes_[row], seed);
    }
    hashes.insert(hashes.end(), block.begin(), block.begin() + count);
  }

 private:
  const size_t stride_;
  std::string bytes_;
  bool even_ = true;  // all rows have as many bytes: size_; else each its own
  size_t size_ = 0;
  std::array<size_t, kBlockRows> sizes_ = {};
};

}  // namespace

FieldHasher::FieldHasher(Role role, absl::string_view name)
    : bytes_(FieldPrefix(role, name)),
      number_(bytes_ + std::string(kCanonicalNumberBytes, '\0')),
      prefix_bytes_(bytes_.size()) {}

Hash128 FieldHasher::OfText(absl::string_view text) {
  bytes_.resize(prefix_bytes_);
  AppendCanonicalText(text, bytes_);
  return HashBytes(bytes_.data(), bytes_.size(), 0);
}

void FieldHasher::OfNumbers(const int64_t* unscaled, const uint8_t* scales, uint32_t count, Hash128* digests) {
  const bool is_worth_it = looked_up_ < kTrial || found_ >= looked_up_ / 2;
  if (!is_worth_it || count < kFewRows) {
    for (uint32_t i = 0; i < count; ++i) digests[i] = OfNumber(unscaled[i], scales[i]);
    return;
  }
  if (known_.empty()) known_.resize(size_t{1} << kKnownBits);
  uint32_t found = 0;
  for (uint32_t i = 0; i < count; ++i) {
    constexpr uint64_t kSpread = 0x9E3779B97F4A7C15u;  // odd, and no simple fraction of 2^64
    Known& known = known_[static_cast<uint64_t>(unscaled[i]) * kSpread >> (64 - kKnownBits)];
    if (known.unscaled != unscaled[i] || known.scale != scales[i]) {
      known = {unscaled[i], scales[i], OfNumber(unscaled[i], scales[i])};
    } else {
      ++found;
    }
    digests[i] = known.digest;
  }
  looked_up_ += count;
  found_ += found;
}

Hash128 FieldHasher::OfNumber(int64_t unscaled, uint8_t scale) {
  StoreCanonicalNumber(unscaled, scale, &number_[prefix_bytes_]);
  return HashBytes(number_.data(), number_.size(), 0);
}

Hash128 FieldHasher::Of(const Value& value) {
  bytes_.resize(prefix_bytes_);
  value.AppendCanonical(bytes_);
  return HashBytes(bytes_.data(), bytes_.size(), 0);
}

RecordIds HashRecords(absl::string_view profile_id, uint32_t rows, const FieldDigestsList& fields, bool with_ids) {
  auto in_key = [](const std::unique_ptr<FieldDigests>& field) { return field->in_key(); };
  const auto key_fields = static_cast<size_t>(std::count_if(fields.begin(), fields.end(), in_key));
  // Mostly all dims are of the key, and come first: then what is hashed for the key begins what is hashed for the id.
  const bool shared = with_ids && std::is_partitioned(fields.begin(), fields.end(), in_key);
  DigestRows all(profile_id, with_ids ? fields.size() : 0);
  DigestRows key(profile_id, shared ? 0 : key_fields);
  RecordIds result;
  if (with_ids) result.ids.reserve(rows);
  result.keys.reserve(rows);
  std::array<Hash128, kBlockRows> digests;
  std::array<bool, kBlockRows> nulls;
  for (uint32_t first = 0; first < rows; first += kBlockRows) {
    const uint32_t count = std::min(kBlockRows, rows - first);
    all.Begin();
    key.Begin();
    for (size_t i = 0; i < fields.size(); ++i) {
      FieldDigests& field = *fields[i];
      if (shared && i == key_fields) all.Hash(kRecordKeySeed, count, result.keys);
      if (!with_ids && !field.in_key()) continue;
      field.Read(first, count, digests.data());
      const bool has_nulls = field.has_nulls();
      for (uint32_t row = 0; has_nulls && row < count; ++row) nulls[row] = field.IsNull(first + row);
      if (with_ids) all.Append(digests.data(), has_nulls ? nulls.data() : nullptr, count);
      if (!shared && field.in_key()) key.Append(digests.data(), has_nulls ? nulls.data() : nullptr, count);
    }
    if (!shared) key.Hash(kRecordKeySeed, count, result.keys);
    if (shared && key_fields == fields.size()) all.Hash(kRecordKeySeed, count, result.keys);
    if (with_ids) all.Hash(kRecordIdSeed, count, result.ids);
  }
  return result;
}

}  // namespace chartly
