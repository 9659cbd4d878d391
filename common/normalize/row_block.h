// Rows side by side: all fields of a slot lie together, so that one field after the other is mapped for many rows
// instead of one row after the other. Not thread-safe.
#ifndef CHARTLY_COMMON_NORMALIZE_ROW_BLOCK_H_
#define CHARTLY_COMMON_NORMALIZE_ROW_BLOCK_H_

#include <algorithm>
#include <cstddef>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "common/normalize/row.h"

namespace chartly {

class RowBlock {
 public:
  // As many as stay in the nearest cache while they are mapped, and a bound of raw bytes, which may be passed by a row.
  static constexpr size_t kMaxRows = 128;
  static constexpr size_t kMaxFields = 1024;
  static constexpr size_t kMaxRawBytes = size_t{64} << 10;

  explicit RowBlock(size_t slots)
      : slots_(slots),
        capacity_(std::clamp<size_t>(kMaxFields / std::max<size_t>(slots, 1), 1, kMaxRows)),
        fields_(slots * capacity_),
        raws_(capacity_) {}

  // Texts of fields and `raw` are views that must outlive the block or its next Clear. Requires: !full().
  void Add(const Field* const* fields, absl::string_view raw) {
    Field* to = fields_.data() + rows_;
    for (size_t slot = 0; slot < slots_; ++slot, to += capacity_) {
      to->kind = fields[slot]->kind;
      to->text = absl::string_view(fields[slot]->text.data(), fields[slot]->text.size());
    }
    Take(raw);
  }
  // The same without a copy: fields of the rows that come next are written where they will stand, from next(slot) on,
  // then each row is taken. Requires: at most room() rows; !full() before each.
  Field* next(size_t slot) { return fields_.data() + slot * capacity_ + rows_; }
  size_t room() const { return capacity_ - rows_; }
  void Take(absl::string_view raw) {
    raws_[rows_++] = raw;
    raw_bytes_ += raw.size();
  }
  void Clear() { rows_ = raw_bytes_ = 0; }

  bool full() const { return rows_ == capacity_ || raw_bytes_ >= kMaxRawBytes; }
  size_t rows() const { return rows_; }
  size_t slots() const { return slots_; }
  // Requires: slot < slots(). The first rows() fields are those of the rows.
  const Field* column(size_t slot) const { return fields_.data() + slot * capacity_; }
  absl::string_view raw(size_t row) const { return raws_[row]; }

 private:
  const size_t slots_;
  const size_t capacity_;
  size_t rows_ = 0;
  size_t raw_bytes_ = 0;
  std::vector<Field> fields_;
  std::vector<absl::string_view> raws_;
};

// One of its rows. Requires: the block outlives this.
class RowOfBlock final : public Row {
 public:
  RowOfBlock(const RowBlock& block, size_t row) : block_(block), row_(row) {}
  Field Get(size_t slot) const override { return block_.column(slot)[row_]; }
  std::string Raw() const override { return std::string(block_.raw(row_)); }

 private:
  const RowBlock& block_;
  const size_t row_;
};

}  // namespace chartly

#endif  // CHARTLY_COMMON_NORMALIZE_ROW_BLOCK_H_
