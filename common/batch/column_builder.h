// Collects the values of one type of one column, then encodes them as docs/formats/batch.md says. Rows without a value
// are null. Appending allocates only when the vectors grow. Not thread-safe.
#ifndef CHARTLY_COMMON_BATCH_COLUMN_BUILDER_H_
#define CHARTLY_COMMON_BATCH_COLUMN_BUILDER_H_

#include <cstdint>
#include <string>
#include <vector>

#include "chartly/storage/v1/batch.pb.h"
#include "common/batch/column_value.h"
#include "common/batch/text_dictionary.h"
#include "common/value/value.h"

namespace chartly {

class ColumnBuilder {
 public:
  explicit ColumnBuilder(ValueType type) : type_(type) {}

  // Memory that encoding a column needs; used for one column after the other.
  struct Scratch {
    std::vector<uint32_t> places;     // of a hash table of slots, or by value
    std::vector<uint32_t> firsts;     // the row of each distinct slot
    std::vector<uint32_t> indexes;    // one a row
    std::vector<uint64_t> low, high;  // of the distinct slots
    std::vector<int16_t> extra;
  };

  // Sets the value of `row` and returns the bytes that it takes besides those of its row. Requires: `row` is past every
  // row set before; the value is of type().
  size_t Append(uint32_t row, const ColumnValue& value) {
    if (row != slots()) SkipTo(row);
    if (type_ == ValueType::kText) return AppendText(value.text());
    if (!extra_.empty() || value.extra != one_extra_) AddExtra(value.extra);
    if (type_ == ValueType::kDecimal && (!high_.empty() || value.high != SignOf(value.low))) AddHigh(value.high);
    low_.push_back(value.low);
    return 0;
  }
  // The same for the rows from `row` on, as long as their values are of type(); returns for how many of the `count`
  // that was, and adds the bytes to `bytes`. Requires: the first one is.
  size_t AppendRun(uint32_t row, const ColumnValue* values, size_t count, size_t& bytes);
  // The integers first, first + step, ... for `count` rows from the next one on.
  void AppendSeries(uint64_t first, uint64_t step, size_t count);
  // Forgets the value of `row`, if it was the last one set.
  void Undo(uint32_t row);
  void Clear();

  ValueType type() const { return type_; }
  bool empty() const { return slots() == nulls_; }
  // The most that a row takes, its bit for null included.
  static size_t MaxRowBytes(ValueType type);

  // The largest value in the order of CompareValues; null if there is none.
  Value Largest() const;

  // Appends the values of rows 0 to rows-1 to `body` and describes them in `column`; name, role and offset are the
  // caller's. Requires: every row set is below `rows`.
  void Encode(uint32_t rows, storage::v1::Column& column, std::string& body, Scratch& scratch) const;

 private:
  // A value of a fixed size: an integer, a double's bits, microseconds, days; for decimals also the high half and, like
  // a timestamp's offset, an extra.
  struct Slot {
    uint64_t low = 0;
    uint64_t high = 0;
    int16_t extra = 0;
    bool operator==(const Slot&) const = default;
  };
  // Of the values of an integer or decimal column, and 0; nothing for other types.
  struct Range {
    int64_t smallest = 0;
    int64_t largest = 0;
  };

  static uint64_t SignOf(uint64_t low) { return static_cast<uint64_t>(static_cast<int64_t>(low) >> 63); }
  uint32_t slots() const { return static_cast<uint32_t>(low_.size()); }  // rows so far, nulls included
  bool has_extra() const { return type_ == ValueType::kDecimal || type_ == ValueType::kTimestamp; }
  bool IsNull(uint32_t row) const {
    if (row >= slots()) return true;
    return row / 64 < null_bits_.size() && (null_bits_[row / 64] >> (row % 64) & 1) != 0;
  }
  int16_t ExtraAt(uint32_t row) const { return extra_.empty() ? one_extra_ : extra_[row]; }
  uint64_t HighAt(uint32_t row) const { return high_.empty() ? SignOf(low_[row]) : high_[row]; }
  Slot At(uint32_t row) const;
  Value ValueAt(uint32_t row) const;
  void SkipTo(uint32_t row);
  bool AppendEven(const ColumnValue* values, size_t count);
  size_t AppendExpected(const ColumnValue* values, size_t count);
  size_t AppendUnseen(const ColumnValue* values, size_t count);
  size_t AppendText(absl::string_view text);
  size_t AppendOtherText(absl::string_view text);
  size_t PlainTextBytes(uint32_t rows) const { return sizeof(uint32_t) * (size_t{rows} + 1) + text_bytes_; }
  // Whether looking texts up saves most of their bytes, however many of them are new.
  bool LongTextsRepeat() const { return text_bytes_ > 2 * texts_.bytes(); }
  // Of the value that comes next.
  void AddExtra(int16_t extra);
  void AddHigh(uint64_t high);

  void EncodeNulls(uint32_t rows, storage::v1::Column& column, std::string& body) const;
  void EncodeText(uint32_t rows, storage::v1::Column& column, std::string& body) const;
  void EncodeFixed(uint32_t rows, storage::v1::Column& column, std::string& body, Scratch& scratch) const;
  // Bytes of the narrowest integer that holds every value; decimals also settle their scales.
  Range ChooseWidth(storage::v1::Column& column) const;
  bool HasMixedExtras() const;
  void FillExtra(std::vector<int16_t>& extra) const;
  // Distinct values and the index of each row; false if that would take more room than the plain values.
  bool MakeDictionary(uint32_t rows, size_t value_bytes, const Range& range, Scratch& scratch) const;
  template <typename PlaceOf>
  bool CollectDistinct(uint32_t rows, size_t most, Scratch& scratch, const PlaceOf& place_of) const;
  size_t SlotHash(uint32_t row) const;
  // The parts of `count` values, and zeros for `padding` rows that have none.
  void AppendPadded(const uint64_t* low, const uint64_t* high, const int16_t* extra, size_t count, size_t padding,
                    const storage::v1::Column& column, std::string& body) const;

  ValueType type_;
  int16_t one_extra_ = 0;
  uint32_t nulls_ = 0;
  std::vector<uint64_t> low_;  // one a row; for text, the index in texts_
  // These three are empty as long as they say nothing: no row is null, low_ is the whole of every decimal, one_extra_
  // is the extra of every row.
  std::vector<uint64_t> null_bits_;  // up to the last null
  std::vector<uint64_t> high_;
  std::vector<int16_t> extra_;
  TextDictionary texts_;
  bool looks_up_ = true;            // whether a text is looked for in texts_ before it is added
  bool repeats_ = false;            // whether the last text that was expected was the same as the one before it
  size_t text_bytes_ = 0;           // of all rows together
  uint32_t last_new_text_row_ = 0;  // row + 1 that brought the newest entry of texts_
};

}  // namespace chartly

#endif  // CHARTLY_COMMON_BATCH_COLUMN_BUILDER_H_
