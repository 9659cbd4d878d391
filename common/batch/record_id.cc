#include "common/batch/record_id.h"

#include <algorithm>
#include <array>

#include "absl/strings/str_format.h"
#include "common/batch/record_digest.h"

namespace chartly {
namespace {

// Of one column. A dictionary's entries are hashed once.
class ColumnDigests final : public FieldDigests {
 public:
  ColumnDigests(const BatchColumn& column, bool in_key)
      : FieldDigests(in_key), column_(column), hasher_(column.role(), column.name()) {
    entries_.reserve(column.dictionary_size());
    for (uint32_t i = 0; i < column.dictionary_size(); ++i) entries_.push_back(hasher_.Of(column.DictionaryValue(i)));
  }

  bool has_nulls() const override { return column_.has_nulls(); }
  bool IsNull(uint32_t row) const override { return column_.IsNull(row); }
  void Read(uint32_t first, uint32_t count, Hash128* digests) override {
    for (uint32_t done = 0; done < count; done += kStretch) {
      ReadSome(first + done, std::min(kStretch, count - done), digests + done);
    }
  }

 private:
  static constexpr uint32_t kStretch = 128;

  void ReadSome(uint32_t first, uint32_t count, Hash128* digests) {
    if (!entries_.empty()) {
      std::array<uint32_t, kStretch> indexes;
      column_.ReadIndexes(first, count, indexes.data());
      for (uint32_t i = 0; i < count; ++i) digests[i] = entries_[indexes[i]];
      return;
    }
    const bool is_number = column_.type() == ValueType::kInteger || column_.type() == ValueType::kDecimal;
    std::array<int64_t, kStretch> numbers;
    std::array<uint8_t, kStretch> scales;
    if (is_number && column_.ReadNumbers(first, count, numbers.data(), scales.data())) {
      return hasher_.OfNumbers(numbers.data(), scales.data(), count, digests);
    }
    for (uint32_t i = 0; i < count; ++i) {
      if (!column_.IsNull(first + i)) digests[i] = Of(first + i);
    }
  }
  Hash128 Of(uint32_t row) {
    return column_.type() == ValueType::kText ? hasher_.OfText(column_.Text(row)) : hasher_.Of(column_.Get(row));
  }

  const BatchColumn& column_;
  FieldHasher hasher_;
  std::vector<Hash128> entries_;
};

bool IsKeyDim(const BatchHeader& header, const BatchColumn& column) {
  if (column.role() != Role::kDim) return false;
  return header.key().empty() ||
         std::find(header.key().begin(), header.key().end(), column.name()) != header.key().end();
}

}  // namespace

std::string Hash128::ToHex() const { return absl::StrFormat("%016x%016x", high, low); }

RecordIds ComputeRecordIds(const Batch& batch) {
  // Columns of a batch are in order of role and name, which is the canonical order of fields.
  FieldDigestsList fields;
  for (const BatchColumn& column : batch.columns()) {
    if (column.role() == Role::kSource) continue;
    fields.push_back(std::make_unique<ColumnDigests>(column, IsKeyDim(batch.header(), column)));
  }
  return HashRecords(batch.header().profile_id(), batch.rows(), fields, true);
}

}  // namespace chartly
