#include "common/chunk/column_ids.h"

#include <algorithm>
#include <memory>

#include "common/batch/record_digest.h"

namespace chartly {
namespace {

// Of one column. The entries of texts with codes are hashed once.
class ColumnDigests final : public FieldDigests {
 public:
  ColumnDigests(const ColumnData& column, bool in_key)
      : FieldDigests(in_key), column_(column), hasher_(column.role, column.name), has_nulls_(column.NullCount() > 0) {
    if (column.codes.empty()) return;
    entries_.reserve(column.text_ends.size());
    for (uint32_t i = 0; i < column.text_ends.size(); ++i) entries_.push_back(hasher_.OfText(column.Entry(i)));
  }

  bool has_nulls() const override { return has_nulls_; }
  bool IsNull(uint32_t row) const override { return column_.IsNull(row); }
  void Read(uint32_t first, uint32_t count, Hash128* digests) override {
    const bool is_number = column_.type == ValueType::kInteger || column_.type == ValueType::kDecimal;
    if (!entries_.empty()) {
      for (uint32_t i = 0; i < count; ++i) digests[i] = entries_[column_.codes[first + i]];
    } else if (is_number && column_.wide.empty()) {
      if (column_.scales.empty() && same_scales_.size() < count) same_scales_.assign(count, column_.scale);
      const uint8_t* scales = column_.scales.empty() ? same_scales_.data() : &column_.scales[first];
      hasher_.OfNumbers(&column_.integers[first], scales, count, digests);
    } else {
      for (uint32_t i = 0; i < count; ++i) {
        if (!column_.IsNull(first + i)) digests[i] = Of(first + i);
      }
    }
  }

 private:
  Hash128 Of(uint32_t row) {
    return column_.type == ValueType::kText ? hasher_.OfText(column_.Text(row)) : hasher_.Of(column_.Get(row));
  }

  const ColumnData& column_;
  FieldHasher hasher_;
  const bool has_nulls_;
  std::vector<Hash128> entries_;
  std::vector<uint8_t> same_scales_;
};

bool IsKeyDim(const ColumnData& column, absl::Span<const std::string> key) {
  return column.role == Role::kDim && (key.empty() || std::find(key.begin(), key.end(), column.name) != key.end());
}

RecordIds Compute(const ColumnSet& columns, absl::string_view profile_id, absl::Span<const std::string> key,
                  bool with_ids) {
  FieldDigestsList fields;
  for (const ColumnData& column : columns) {
    const bool in_key = IsKeyDim(column, key);
    if (column.role > Role::kAttr || (!with_ids && !in_key)) continue;
    fields.push_back(std::make_unique<ColumnDigests>(column, in_key));
  }
  return HashRecords(profile_id, RowsOf(columns), fields, with_ids);
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
