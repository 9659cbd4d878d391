// Collects the values of one type of one column, then encodes them as docs/formats/batch.md says. Rows without a value
// are null. Appending allocates only when the vectors grow. Not thread-safe.
#ifndef CHARTLY_COMMON_BATCH_COLUMN_BUILDER_H_
#define CHARTLY_COMMON_BATCH_COLUMN_BUILDER_H_

#include <cstdint>
#include <string>
#include <vector>

#include "chartly/storage/v1/batch.pb.h"
#include "common/batch/text_dictionary.h"
#include "common/value/value.h"

namespace chartly {

class ColumnBuilder {
 public:
  explicit ColumnBuilder(ValueType type) : type_(type) {}

  // Memory that encoding a column needs; used for one column after the other.
  struct Scratch {
    std::vector<uint32_t> places;     // of a hash table of slots
    std::vector<uint32_t> firsts;     // the row of each distinct slot
    std::vector<uint32_t> indexes;    // one a row
    std::vector<uint64_t> low, high;  // of the distinct slots
    std::vector<int16_t> extra;
  };

  // Each sets the value of `row`. Requires: `row` is past every row set before; the value is of type().
  void Append(uint32_t row, const Value& value);
  void AppendText(uint32_t row, absl::string_view text);
  void AppendInteger(uint32_t row, int64_t integer) {
    SkipTo(row);
    PushLow(static_cast<uint64_t>(integer));
  }
  // Forgets the value of `row`, if it was the last one set.
  void Undo(uint32_t row);
  void Clear();

  ValueType type() const { return type_; }
  bool empty() const { return slots_ == nulls_; }
  // Bytes that texts take besides their rows.
  size_t heap_bytes() const { return texts_.heap().size() + texts_.offsets().size() * sizeof(uint32_t); }
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

  bool has_high() const { return type_ == ValueType::kDecimal; }
  bool has_extra() const { return type_ == ValueType::kDecimal || type_ == ValueType::kTimestamp; }
  bool IsNull(uint32_t row) const { return row >= slots_ || (null_bits_[row / 64] >> (row % 64) & 1) != 0; }
  Slot At(uint32_t row) const;
  Value ValueAt(uint32_t row) const;
  void SkipTo(uint32_t row) {
    while (slots_ < row) PushNull();
  }
  void PushNull();
  void PushLow(uint64_t low) {
    if (slots_ % 64 == 0) null_bits_.push_back(0);
    low_.push_back(low);
    ++slots_;
  }
  void Push(uint64_t low, uint64_t high, int16_t extra) {
    PushLow(low);
    if (has_high()) high_.push_back(high);
    if (has_extra()) extra_.push_back(extra);
  }

  void EncodeNulls(uint32_t rows, storage::v1::Column& column, std::string& body) const;
  void EncodeText(uint32_t rows, storage::v1::Column& column, std::string& body) const;
  void EncodeFixed(uint32_t rows, storage::v1::Column& column, std::string& body, Scratch& scratch) const;
  // Bytes of the narrowest integer that holds every value; decimals also settle their scales.
  void ChooseWidth(uint32_t rows, storage::v1::Column& column) const;
  // Distinct values and the index of each row; false if that would take more room than the plain values.
  bool MakeDictionary(uint32_t rows, size_t value_bytes, Scratch& scratch) const;
  size_t SlotHash(uint32_t row) const;
  // The parts of `count` values, and zeros for `padding` rows that have none.
  void AppendPadded(const uint64_t* low, const uint64_t* high, const int16_t* extra, size_t count, size_t padding,
                    const storage::v1::Column& column, std::string& body) const;

  ValueType type_;
  uint32_t slots_ = 0;  // rows so far, nulls included
  uint32_t nulls_ = 0;
  std::vector<uint64_t> null_bits_;
  std::vector<uint64_t> low_;  // for text, the index in texts_
  std::vector<uint64_t> high_;
  std::vector<int16_t> extra_;
  TextDictionary texts_;
  bool looks_up_ = true;            // whether a text is looked for in texts_ before it is added
  size_t text_bytes_ = 0;           // of all rows together
  uint32_t last_new_text_row_ = 0;  // row + 1 that brought the newest entry of texts_
};

}  // namespace chartly

#endif  // CHARTLY_COMMON_BATCH_COLUMN_BUILDER_H_
