#include "common/batch/record_id.h"

#include <xxhash.h>

#include <algorithm>
#include <cstring>

#include "absl/strings/str_format.h"
#include "common/batch/batch_layout.h"
#include "common/batch/record_digest.h"

namespace chartly {
namespace {

// Digests of the fields of one column. A dictionary's entries are hashed once.
class FieldDigests {
 public:
  FieldDigests(const BatchColumn& column, bool in_key) : column_(column), in_key_(in_key) {
    buffer_ = FieldPrefix(column.role(), column.name());
    prefix_bytes_ = buffer_.size();
    entries_.reserve(column.dictionary_size());
    for (uint32_t i = 0; i < column.dictionary_size(); ++i) {
      column.DictionaryValue(i).AppendCanonical(buffer_);
      entries_.push_back(TakeDigest());
    }
  }

  bool in_key() const { return in_key_; }
  bool IsNull(uint32_t row) const { return column_.IsNull(row); }
  // Requires: not null.
  Hash128 Of(uint32_t row) {
    if (!entries_.empty()) return entries_[column_.DictionaryIndex(row)];
    if (column_.type() == ValueType::kText) {
      AppendCanonicalText(column_.Text(row), buffer_);
    } else {
      column_.Get(row).AppendCanonical(buffer_);
    }
    return TakeDigest();
  }

 private:
  Hash128 TakeDigest() {
    Hash128 digest = HashBytes(buffer_, 0);
    buffer_.resize(prefix_bytes_);
    return digest;
  }

  const BatchColumn& column_;
  bool in_key_;
  std::string buffer_;  // role and name, then the value that is hashed
  size_t prefix_bytes_ = 0;
  std::vector<Hash128> entries_;
};

bool IsKeyDim(const BatchHeader& header, const BatchColumn& column) {
  if (column.role() != Role::kDim) return false;
  return header.key().empty() ||
         std::find(header.key().begin(), header.key().end(), column.name()) != header.key().end();
}

}  // namespace

Hash128 HashBytes(absl::string_view bytes, uint64_t seed) {
  XXH128_hash_t hash = XXH3_128bits_withSeed(bytes.data(), bytes.size(), seed);
  return {hash.high64, hash.low64};
}

void StoreDigest(const Hash128& digest, char* to) {
  for (size_t i = 0; i < 8; ++i) {
    to[i] = static_cast<char>(digest.low >> (8 * i));
    to[8 + i] = static_cast<char>(digest.high >> (8 * i));
  }
}

std::string FieldPrefix(Role role, absl::string_view name) {
  std::string prefix(1, static_cast<char>(role));
  AppendLittleEndian(name.size(), 4, prefix);
  prefix.append(name.data(), name.size());
  return prefix;
}

std::string Hash128::ToHex() const { return absl::StrFormat("%016x%016x", high, low); }

RecordIds ComputeRecordIds(const Batch& batch) {
  // Columns of a batch are in order of role and name, which is the canonical order of fields.
  std::vector<FieldDigests> fields;
  fields.reserve(batch.columns().size());
  for (const BatchColumn& column : batch.columns()) {
    if (column.role() != Role::kSource) fields.emplace_back(column, IsKeyDim(batch.header(), column));
  }
  std::string id_bytes((fields.size() + 1) * kDigestBytes, '\0');
  std::string key_bytes = id_bytes;
  Hash128 profile = HashBytes(batch.header().profile_id(), 0);
  StoreDigest(profile, id_bytes.data());
  StoreDigest(profile, key_bytes.data());

  RecordIds result;
  result.ids.reserve(batch.rows());
  result.keys.reserve(batch.rows());
  for (uint32_t row = 0; row < batch.rows(); ++row) {
    size_t id_size = kDigestBytes;
    size_t key_size = kDigestBytes;
    for (FieldDigests& field : fields) {
      if (field.IsNull(row)) continue;
      Hash128 digest = field.Of(row);
      StoreDigest(digest, &id_bytes[id_size]);
      id_size += kDigestBytes;
      if (!field.in_key()) continue;
      StoreDigest(digest, &key_bytes[key_size]);
      key_size += kDigestBytes;
    }
    result.ids.push_back(HashBytes(absl::string_view(id_bytes.data(), id_size), kRecordIdSeed));
    result.keys.push_back(HashBytes(absl::string_view(key_bytes.data(), key_size), kRecordKeySeed));
  }
  return result;
}

}  // namespace chartly
