// A set of rows of one chunk: a bitmap in memory, gaps and lengths on disk.
//
// Plain value type.
#ifndef CHARTLY_CONTROL_AGGREGATOR_ROW_SET_H_
#define CHARTLY_CONTROL_AGGREGATOR_ROW_SET_H_

#include <bit>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace chartly::aggregator {

class RowSet {
 public:
  RowSet() = default;
  // The rows 0..rows-1.
  static RowSet All(uint32_t rows);

  void Add(uint32_t row) {
    if (row / 64 >= words_.size()) words_.resize(row / 64 + 1);
    words_[row / 64] |= uint64_t{1} << row % 64;
  }
  bool Contains(uint32_t row) const { return row / 64 < words_.size() && (words_[row / 64] >> row % 64 & 1) != 0; }
  void AddAll(const RowSet& other);
  void RemoveAll(const RowSet& other);
  uint32_t Count() const;
  bool empty() const { return Count() == 0; }
  // Calls fn(row) in ascending order from `first` on, until it returns false.
  template <typename Fn>
  void ForEach(uint32_t first, Fn&& fn) const {
    for (size_t word = first / 64; word < words_.size(); ++word) {
      uint64_t bits = words_[word];
      if (word == first / 64) bits &= ~uint64_t{0} << first % 64;
      for (; bits != 0; bits &= bits - 1) {
        if (!fn(static_cast<uint32_t>(word * 64 + std::countr_zero(bits)))) return;
      }
    }
  }

  // One bit a row, lowest bit first, for `rows` rows.
  std::string ToBits(uint32_t rows) const;
  static RowSet FromBits(absl::string_view bits);
  // Pairs of varints: rows skipped, rows taken. DataLoss (STORE_CORRUPT) if it does not parse.
  std::string ToRanges() const;
  static absl::StatusOr<RowSet> FromRanges(absl::string_view ranges);

  bool operator==(const RowSet& other) const { return ToRanges() == other.ToRanges(); }

 private:
  std::vector<uint64_t> words_;
};

}  // namespace chartly::aggregator

#endif  // CHARTLY_CONTROL_AGGREGATOR_ROW_SET_H_
