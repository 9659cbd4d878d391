#include "common/batch/column_builder.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "common/batch/batch.h"
#include "common/batch/batch_layout.h"

namespace chartly {
namespace {

// Bytes of the narrowest two's complement integer that holds both.
uint32_t NarrowestWidth(int64_t smallest, int64_t largest) {
  for (uint32_t width : {1, 2, 4}) {
    int64_t limit = int64_t{1} << (8 * width - 1);
    if (smallest >= -limit && largest < limit) return width;
  }
  return 8;
}

// Whether values repeat is seen in the first rows of a batch.
constexpr uint32_t kSampleRows = 1024;
constexpr uint32_t kMostDistinctOfSample = kSampleRows * 3 / 4;

}  // namespace

size_t ColumnBuilder::MaxRowBytes(ValueType type) {
  switch (type) {
    case ValueType::kText:
      return 3;  // an index of 2 bytes; the texts themselves count by heap_bytes
    case ValueType::kDecimal:
      return 18;
    case ValueType::kTimestamp:
      return 11;
    case ValueType::kInteger:
    case ValueType::kFloat:
      return 9;
    default:
      return 5;
  }
}

void ColumnBuilder::Append(uint32_t row, const Value& value) {
  switch (type_) {
    case ValueType::kText:
      return AppendText(row, value.text());
    case ValueType::kInteger:
      return AppendInteger(row, value.integer());
    case ValueType::kDecimal: {
      const Decimal decimal = value.decimal();
      SkipTo(row);
      return Push(absl::Int128Low64(decimal.unscaled), static_cast<uint64_t>(absl::Int128High64(decimal.unscaled)),
                  decimal.scale);
    }
    case ValueType::kFloat:
      SkipTo(row);
      return PushLow(std::bit_cast<uint64_t>(value.float_value()));
    case ValueType::kBoolean:
      SkipTo(row);
      return PushLow(value.boolean() ? 1 : 0);
    case ValueType::kTimestamp:
      SkipTo(row);
      return Push(static_cast<uint64_t>(value.timestamp().micros), 0, value.timestamp().offset_minutes);
    case ValueType::kDate:
      SkipTo(row);
      return PushLow(static_cast<uint64_t>(int64_t{value.date().days}));
    case ValueType::kNull:
      return;
  }
}

void ColumnBuilder::AppendText(uint32_t row, absl::string_view text) {
  SkipTo(row);
  // Neighbours are often equal; comparing is cheaper than hashing.
  bool as_before = row > 0 && !IsNull(row - 1) && texts_.At(static_cast<uint32_t>(low_[row - 1])) == text;
  uint32_t index = 0;
  if (as_before) {
    index = static_cast<uint32_t>(low_[row - 1]);
  } else {
    uint32_t size_before = texts_.size();
    index = looks_up_ ? texts_.Add(text) : texts_.AddUnseen(text);
    if (texts_.size() != size_before) last_new_text_row_ = row + 1;
    if (slots_ == kSampleRows) looks_up_ = texts_.size() <= kMostDistinctOfSample;
  }
  text_bytes_ += texts_.At(index).size();
  PushLow(index);
}

void ColumnBuilder::Undo(uint32_t row) {
  if (slots_ != row + 1 || IsNull(row)) return;
  if (type_ == ValueType::kText) {
    text_bytes_ -= texts_.At(static_cast<uint32_t>(low_.back())).size();
    if (last_new_text_row_ == row + 1) {
      texts_.RemoveLast();
      last_new_text_row_ = 0;
    }
  }
  low_.pop_back();
  if (has_high()) high_.pop_back();
  if (has_extra()) extra_.pop_back();
  --slots_;
}

void ColumnBuilder::Clear() {
  slots_ = 0;
  nulls_ = 0;
  null_bits_.clear();
  low_.clear();
  high_.clear();
  extra_.clear();
  texts_.Clear();
  text_bytes_ = 0;
  last_new_text_row_ = 0;
  looks_up_ = true;
}

Value ColumnBuilder::ValueAt(uint32_t row) const {
  const Slot slot = At(row);
  switch (type_) {
    case ValueType::kText:
      return Value::Text(texts_.At(static_cast<uint32_t>(slot.low)));
    case ValueType::kInteger:
      return Value::Integer(static_cast<int64_t>(slot.low));
    case ValueType::kDecimal:
      return Value::Of(
          Decimal{absl::MakeInt128(static_cast<int64_t>(slot.high), slot.low), static_cast<uint8_t>(slot.extra)});
    case ValueType::kFloat:
      return Value::Float(std::bit_cast<double>(slot.low));
    case ValueType::kBoolean:
      return Value::Boolean(slot.low != 0);
    case ValueType::kTimestamp:
      return Value::Of(Timestamp{static_cast<int64_t>(slot.low), slot.extra});
    case ValueType::kDate:
      return Value::Of(Date{static_cast<int32_t>(static_cast<int64_t>(slot.low))});
    case ValueType::kNull:
      break;
  }
  return Value();
}

Value ColumnBuilder::Largest() const {
  // Most rows are settled by their slots alone; a Value is made only where that does not tell.
  const bool by_slot = type_ == ValueType::kInteger || type_ == ValueType::kTimestamp || type_ == ValueType::kDate;
  Value largest;
  uint32_t at = 0;
  for (uint32_t row = 0; row < slots_; ++row) {
    if (IsNull(row)) continue;
    bool larger = largest.is_null();
    if (!larger && low_[row] != low_[at]) {
      larger = by_slot ? static_cast<int64_t>(low_[row]) > static_cast<int64_t>(low_[at])
                       : CompareValues(ValueAt(row), largest) > 0;
    } else if (!larger && has_high()) {
      larger = CompareValues(ValueAt(row), largest) > 0;
    }
    if (!larger) continue;
    at = row;
    largest = ValueAt(row);
  }
  return largest;
}

ColumnBuilder::Slot ColumnBuilder::At(uint32_t row) const {
  if (row >= slots_) return {};
  return {low_[row], has_high() ? high_[row] : 0, has_extra() ? extra_[row] : int16_t{0}};
}

void ColumnBuilder::PushNull() {
  uint32_t row = slots_;
  Push(0, 0, 0);
  null_bits_[row / 64] |= uint64_t{1} << (row % 64);
  ++nulls_;
}

void ColumnBuilder::Encode(uint32_t rows, storage::v1::Column& column, std::string& body, Scratch& scratch) const {
  size_t begin = body.size();
  column.set_type(static_cast<storage::v1::Type>(type_));
  EncodeNulls(rows, column, body);
  if (type_ == ValueType::kText) {
    EncodeText(rows, column, body);
  } else {
    EncodeFixed(rows, column, body, scratch);
  }
  column.set_size(static_cast<uint32_t>(body.size() - begin));
}

void ColumnBuilder::EncodeNulls(uint32_t rows, storage::v1::Column& column, std::string& body) const {
  column.set_nulls(nulls_ + (rows - slots_));
  if (column.nulls() == 0) return;
  size_t begin = body.size();
  body.resize(begin + NullBitmapBytes(rows), '\0');
  for (uint32_t row = 0; row < rows; ++row) {
    if (IsNull(row)) body[begin + row / 8] |= static_cast<char>(1 << (row % 8));
  }
}

void ColumnBuilder::EncodeText(uint32_t rows, storage::v1::Column& column, std::string& body) const {
  size_t plain_bytes = 4 * (size_t{rows} + 1) + text_bytes_;
  size_t dictionary_bytes = heap_bytes() + size_t{rows} * IndexWidth(texts_.size());
  if (looks_up_ && dictionary_bytes <= plain_bytes) {
    column.set_encoding(storage::v1::ENCODING_DICTIONARY);
    column.set_entries(texts_.size());
    AppendLittleEndian(texts_.offsets().data(), texts_.offsets().size(), 4, body);
    body.append(texts_.heap());
    const size_t width = IndexWidth(texts_.size());
    AppendLittleEndian(low_.data(), slots_, width, body);
    body.append((rows - slots_) * width, '\0');
    return;
  }
  column.set_encoding(storage::v1::ENCODING_PLAIN);
  auto text_of = [this](uint32_t row) {
    return IsNull(row) ? absl::string_view() : texts_.At(static_cast<uint32_t>(low_[row]));
  };
  const size_t begin = body.size();
  body.resize(begin + plain_bytes);
  char* offsets = body.data() + begin;
  char* texts = offsets + 4 * (size_t{rows} + 1);
  uint32_t offset = 0;
  for (uint32_t row = 0; row <= rows; ++row) {
    std::memcpy(offsets + 4 * size_t{row}, &offset, 4);
    if (row == rows) break;
    const absl::string_view text = text_of(row);
    if (!text.empty()) std::memcpy(texts + offset, text.data(), text.size());
    offset += static_cast<uint32_t>(text.size());
  }
}

void ColumnBuilder::EncodeFixed(uint32_t rows, storage::v1::Column& column, std::string& body, Scratch& scratch) const {
  ChooseWidth(rows, column);
  size_t value_bytes = column.width() > 0 ? column.width() : FixedWidth(type_);
  if (column.mixed_scales()) value_bytes += 1;
  if (type_ == ValueType::kTimestamp) value_bytes += 2;
  if (!MakeDictionary(rows, value_bytes, scratch)) {
    column.set_encoding(storage::v1::ENCODING_PLAIN);
    return AppendPadded(low_.data(), high_.data(), extra_.data(), slots_, rows - slots_, column, body);
  }
  const size_t entries = scratch.firsts.size();
  column.set_encoding(storage::v1::ENCODING_DICTIONARY);
  column.set_entries(static_cast<uint32_t>(entries));
  scratch.low.clear();
  scratch.high.clear();
  scratch.extra.clear();
  for (uint32_t row : scratch.firsts) {
    scratch.low.push_back(low_[row]);
    if (has_high()) scratch.high.push_back(high_[row]);
    if (has_extra()) scratch.extra.push_back(extra_[row]);
  }
  AppendPadded(scratch.low.data(), scratch.high.data(), scratch.extra.data(), entries, 0, column, body);
  AppendLittleEndian(scratch.indexes.data(), rows, IndexWidth(column.entries()), body);
}

void ColumnBuilder::ChooseWidth(uint32_t rows, storage::v1::Column& column) const {
  if (type_ != ValueType::kInteger && type_ != ValueType::kDecimal) return;
  int64_t smallest = 0;
  int64_t largest = 0;
  bool wide = false;
  int scale = -1;
  bool mixed = false;
  for (uint32_t row = 0; row < std::min(rows, slots_); ++row) {
    if (IsNull(row)) continue;
    auto low = static_cast<int64_t>(low_[row]);
    smallest = std::min(smallest, low);
    largest = std::max(largest, low);
    if (type_ == ValueType::kInteger) continue;
    wide = wide || static_cast<int64_t>(high_[row]) != (low < 0 ? -1 : 0);
    mixed = mixed || (scale >= 0 && scale != extra_[row]);
    scale = extra_[row];
  }
  column.set_width(wide ? 16 : NarrowestWidth(smallest, largest));
  column.set_mixed_scales(mixed);
  if (!mixed && scale > 0) column.set_scale(static_cast<uint32_t>(scale));
}

bool ColumnBuilder::MakeDictionary(uint32_t rows, size_t value_bytes, Scratch& scratch) const {
  // Past a quarter of the rows, the smaller indexes do not make up for hashing every value.
  if (value_bytes < 2 || rows < 8) return false;
  const size_t most = rows / 4;
  const size_t mask = std::bit_ceil(2 * (most + 2)) - 1;
  scratch.places.assign(mask + 1, 0);  // index + 1 of a distinct slot
  scratch.firsts.clear();
  scratch.indexes.assign(rows, 0);
  uint32_t last = kMaxBatchRows;  // the row before that is not null
  for (uint32_t row = 0; row < slots_; ++row) {
    if (IsNull(row)) continue;
    if (last < row && At(row) == At(last)) {
      scratch.indexes[row] = scratch.indexes[last];
      last = row;
      continue;
    }
    last = row;
    size_t at = SlotHash(row) & mask;
    while (scratch.places[at] != 0 && At(scratch.firsts[scratch.places[at] - 1]) != At(row)) at = (at + 1) & mask;
    if (scratch.places[at] == 0) {
      scratch.firsts.push_back(row);
      scratch.places[at] = static_cast<uint32_t>(scratch.firsts.size());
      const size_t entries = scratch.firsts.size();
      if (entries > most || (row <= kSampleRows && entries > kSampleRows / 2)) return false;
    }
    scratch.indexes[row] = scratch.places[at] - 1;
  }
  size_t entries = scratch.firsts.size();
  return entries * value_bytes + size_t{rows} * IndexWidth(static_cast<uint32_t>(entries)) < rows * value_bytes;
}

size_t ColumnBuilder::SlotHash(uint32_t row) const {
  constexpr uint64_t kSpread = 0x9E3779B97F4A7C15u;  // odd, and no simple fraction of 2^64
  uint64_t mixed = low_[row];
  if (has_high()) mixed ^= high_[row] * kSpread;
  if (has_extra()) mixed += static_cast<uint64_t>(static_cast<uint16_t>(extra_[row])) << 48;
  mixed *= kSpread;
  return mixed ^ (mixed >> 32);
}

void ColumnBuilder::AppendPadded(const uint64_t* low, const uint64_t* high, const int16_t* extra, size_t count,
                                 size_t padding, const storage::v1::Column& column, std::string& body) const {
  const size_t width = column.width() > 0 ? column.width() : FixedWidth(type_);
  if (width == 16) {
    for (size_t i = 0; i < count; ++i) {
      AppendLittleEndian(low[i], 8, body);
      AppendLittleEndian(high[i], 8, body);
    }
  } else {
    AppendLittleEndian(low, count, width, body);
  }
  body.append(padding * width, '\0');
  const size_t extra_width = column.mixed_scales() ? 1 : type_ == ValueType::kTimestamp ? 2 : 0;
  if (extra_width == 0) return;
  AppendLittleEndian(extra, count, extra_width, body);
  body.append(padding * extra_width, '\0');
}

}  // namespace chartly
