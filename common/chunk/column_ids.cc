#include "common/chunk/column_ids.h"

#include <algorithm>

#include "common/batch/record_digest.h"

namespace chartly {
namespace {

// Digests of the fields of one column. The entries of texts with codes are hashed once.
class FieldDigests {
 public:
  FieldDigests(const ColumnData& column, bool in_key)
      : column_(column),
        in_key_(in_key),
        buffer_(FieldPrefix(column.role, column.name)),
        prefix_bytes_(buffer_.size()) {
    if (column.codes.empty()) return;
    entries_.reserve(column.text_ends.size());
    for (uint32_t i = 0; i < column.text_ends.size(); ++i) {
      AppendCanonicalText(column.Entry(i), buffer_);
      entries_.push_back(TakeDigest());
    }
  }

  bool in_key() const { return in_key_; }
  bool IsNull(uint32_t row) const { return column_.IsNull(row); }
  // Requires: not null.
  Hash128 Of(uint32_t row) {
    if (!entries_.empty()) return entries_[column_.codes[row]];
    if (column_.type == ValueType::kText) {
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

  const ColumnData& column_;
  bool in_key_;
  std::string buffer_;  // role and name, then the value that is hashed
  size_t prefix_bytes_;
  std::vector<Hash128> entries_;
};

// Appends digests behind that of the profile.
class DigestRow {
 public:
  DigestRow(const Hash128& profile, size_t fields) : bytes_((fields + 1) * kDigestBytes, '\0') {
    StoreDigest(profile, bytes_.data());
  }
  void Begin() { size_ = kDigestBytes; }
  void Append(const Hash128& digest) {
    StoreDigest(digest, &bytes_[size_]);
    size_ += kDigestBytes;
  }
  Hash128 Hash(uint64_t seed) const { return HashBytes(absl::string_view(bytes_.data(), size_), seed); }

 private:
  std::string bytes_;
  size_t size_ = kDigestBytes;
};

bool IsKeyDim(const ColumnData& column, absl::Span<const std::string> key) {
  return column.role == Role::kDim && (key.empty() || std::find(key.begin(), key.end(), column.name) != key.end());
}

RecordIds Compute(const ColumnSet& columns, absl::string_view profile_id, absl::Span<const std::string> key,
                  bool with_ids) {
  std::vector<FieldDigests> fields;
  fields.reserve(columns.size());
  for (const ColumnData& column : columns) {
    const bool in_key = IsKeyDim(column, key);
    if (column.role <= Role::kAttr && (with_ids || in_key)) fields.emplace_back(column, in_key);
  }
  const Hash128 profile = HashBytes(profile_id, 0);
  DigestRow id(profile, fields.size());
  DigestRow record_key(profile, fields.size());
  RecordIds result;
  const uint32_t rows = RowsOf(columns);
  if (with_ids) result.ids.reserve(rows);
  result.keys.reserve(rows);
  for (uint32_t row = 0; row < rows; ++row) {
    id.Begin();
    record_key.Begin();
    for (FieldDigests& field : fields) {
      if (field.IsNull(row)) continue;
      const Hash128 digest = field.Of(row);
      if (with_ids) id.Append(digest);
      if (field.in_key()) record_key.Append(digest);
    }
    if (with_ids) result.ids.push_back(id.Hash(kRecordIdSeed));
    result.keys.push_back(record_key.Hash(kRecordKeySeed));
  }
  return result;
}

}  // namespace

RecordIds ComputeRecordIds(const ColumnSet& columns, absl::string_view profile_id, absl::Span<const std::string> key) {
  return Compute(columns, profile_id, key, true);
}

std::vector<Hash128> ComputeRecordKeys(const ColumnSet& columns, absl::string_view profile_id,
                                       absl::Span<const std::string> key) {
  return Compute(columns, profile_id, key, false).keys;
}

}  // namespace chartly
