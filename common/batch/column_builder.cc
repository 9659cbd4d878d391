#include "common/batch/column_builder.h"

#include <algorithm>
#include <bit>

#include "absl/container/flat_hash_map.h"
#include "common/batch/batch_layout.h"

namespace chartly {
namespace {

void AppendIndexes(const std::vector<uint32_t>& indexes, uint32_t entries, std::string& body) {
  uint8_t width = IndexWidth(entries);
  for (uint32_t index : indexes) AppendLittleEndian(index, width, body);
}

// Bytes of the narrowest two's complement integer that holds both.
uint32_t NarrowestWidth(int64_t smallest, int64_t largest) {
  for (uint32_t width : {1, 2, 4}) {
    int64_t limit = int64_t{1} << (8 * width - 1);
    if (smallest >= -limit && largest < limit) return width;
  }
  return 8;
}

}  // namespace

struct ColumnBuilder::FixedDictionary {
  std::vector<Slot> entries;
  std::vector<uint32_t> indexes;  // one a row
};

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
  Slot slot;
  switch (type_) {
    case ValueType::kText:
      return AppendText(row, value.text());
    case ValueType::kInteger:
      return AppendInteger(row, value.integer());
    case ValueType::kDecimal: {
      Decimal decimal = value.decimal();
      slot = {absl::Int128Low64(decimal.unscaled), static_cast<uint64_t>(absl::Int128High64(decimal.unscaled)),
              decimal.scale};
      break;
    }
    case ValueType::kFloat:
      slot.low = std::bit_cast<uint64_t>(value.float_value());
      break;
    case ValueType::kBoolean:
      slot.low = value.boolean() ? 1 : 0;
      break;
    case ValueType::kTimestamp:
      slot.low = static_cast<uint64_t>(value.timestamp().micros);
      slot.extra = value.timestamp().offset_minutes;
      break;
    case ValueType::kDate:
      slot.low = static_cast<uint64_t>(int64_t{value.date().days});
      break;
    case ValueType::kNull:
      return;
  }
  SkipTo(row);
  Push(slot);
}

void ColumnBuilder::AppendInteger(uint32_t row, int64_t integer) {
  SkipTo(row);
  Push({static_cast<uint64_t>(integer), 0, 0});
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
    index = texts_.Add(text);
    if (texts_.size() != size_before) last_new_text_row_ = row + 1;
  }
  text_bytes_ += texts_.At(index).size();
  Push({index, 0, 0});
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

void ColumnBuilder::SkipTo(uint32_t row) {
  while (slots_ < row) PushNull();
}

void ColumnBuilder::PushNull() {
  uint32_t row = slots_;
  Push({});
  null_bits_[row / 64] |= uint64_t{1} << (row % 64);
  ++nulls_;
}

void ColumnBuilder::Push(const Slot& slot) {
  Grow();
  low_.push_back(slot.low);
  if (has_high()) high_.push_back(slot.high);
  if (has_extra()) extra_.push_back(slot.extra);
  ++slots_;
}

void ColumnBuilder::Grow() {
  if (null_bits_.size() * 64 <= slots_) null_bits_.push_back(0);
}

void ColumnBuilder::Encode(uint32_t rows, storage::v1::Column& column, std::string& body) const {
  size_t begin = body.size();
  column.set_type(static_cast<storage::v1::Type>(type_));
  EncodeNulls(rows, column, body);
  if (type_ == ValueType::kText) {
    EncodeText(rows, column, body);
  } else {
    EncodeFixed(rows, column, body);
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
  if (dictionary_bytes <= plain_bytes) {
    column.set_encoding(storage::v1::ENCODING_DICTIONARY);
    column.set_entries(texts_.size());
    for (uint32_t offset : texts_.offsets()) AppendLittleEndian(offset, 4, body);
    body.append(texts_.heap());
    std::vector<uint32_t> indexes(rows, 0);
    for (uint32_t row = 0; row < slots_; ++row) indexes[row] = static_cast<uint32_t>(low_[row]);
    return AppendIndexes(indexes, texts_.size(), body);
  }
  column.set_encoding(storage::v1::ENCODING_PLAIN);
  auto text_of = [this](uint32_t row) {
    return IsNull(row) ? absl::string_view() : texts_.At(static_cast<uint32_t>(low_[row]));
  };
  size_t offset = 0;
  AppendLittleEndian(0, 4, body);
  for (uint32_t row = 0; row < rows; ++row) AppendLittleEndian(offset += text_of(row).size(), 4, body);
  for (uint32_t row = 0; row < rows; ++row) body.append(text_of(row).data(), text_of(row).size());
}

void ColumnBuilder::EncodeFixed(uint32_t rows, storage::v1::Column& column, std::string& body) const {
  ChooseWidth(rows, column);
  size_t value_bytes = column.width() > 0 ? column.width() : FixedWidth(type_);
  if (column.mixed_scales()) value_bytes += 1;
  if (type_ == ValueType::kTimestamp) value_bytes += 2;
  FixedDictionary dictionary;
  if (MakeDictionary(rows, value_bytes, dictionary)) {
    column.set_encoding(storage::v1::ENCODING_DICTIONARY);
    column.set_entries(static_cast<uint32_t>(dictionary.entries.size()));
    AppendFixed(dictionary.entries, column, body);
    return AppendIndexes(dictionary.indexes, column.entries(), body);
  }
  column.set_encoding(storage::v1::ENCODING_PLAIN);
  std::vector<Slot> slots(rows);
  for (uint32_t row = 0; row < slots_; ++row) slots[row] = At(row);
  AppendFixed(slots, column, body);
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

bool ColumnBuilder::MakeDictionary(uint32_t rows, size_t value_bytes, FixedDictionary& dictionary) const {
  // Past a quarter of the rows, the smaller indexes do not make up for hashing every value.
  constexpr uint32_t kSample = 1024;
  if (value_bytes < 2 || rows < 8) return false;
  absl::flat_hash_map<Slot, uint32_t> index_of;
  dictionary.indexes.resize(rows, 0);
  for (uint32_t row = 0; row < slots_; ++row) {
    if (IsNull(row)) continue;
    auto [place, is_new] = index_of.try_emplace(At(row), static_cast<uint32_t>(dictionary.entries.size()));
    if (is_new) dictionary.entries.push_back(place->first);
    dictionary.indexes[row] = place->second;
    if (dictionary.entries.size() > rows / 4 || (row == kSample && dictionary.entries.size() > kSample / 2))
      return false;
  }
  size_t entries = dictionary.entries.size();
  return entries * value_bytes + size_t{rows} * IndexWidth(static_cast<uint32_t>(entries)) < rows * value_bytes;
}

void ColumnBuilder::AppendFixed(const std::vector<Slot>& slots, const storage::v1::Column& column,
                                std::string& body) const {
  size_t width = column.width() > 0 ? column.width() : FixedWidth(type_);
  body.reserve(body.size() + slots.size() * (width + 2));
  for (const Slot& slot : slots) {
    AppendLittleEndian(slot.low, std::min<size_t>(width, 8), body);
    if (width == 16) AppendLittleEndian(slot.high, 8, body);
  }
  if (column.mixed_scales()) {
    for (const Slot& slot : slots) AppendLittleEndian(static_cast<uint64_t>(slot.extra), 1, body);
  }
  if (type_ == ValueType::kTimestamp) {
    for (const Slot& slot : slots) AppendLittleEndian(static_cast<uint16_t>(slot.extra), 2, body);
  }
}

}  // namespace chartly
