#include <bit>
#include <cstring>

#include "absl/numeric/int128.h"
#include "common/batch/batch.h"
#include "common/batch/batch_layout.h"

namespace chartly {
namespace {

template <typename Stored>
Stored LoadAs(const uint8_t* values, size_t index) {
  static_assert(std::endian::native == std::endian::little, "numbers are stored as they lie in memory");
  Stored stored;
  std::memcpy(&stored, values + index * sizeof(Stored), sizeof(Stored));
  return stored;
}

}  // namespace

bool BatchColumn::IsNull(uint32_t row) const { return nulls_ != nullptr && (nulls_[row / 8] >> (row % 8) & 1) != 0; }

Value BatchColumn::Get(uint32_t row) const { return IsNull(row) ? Value() : ValueAt(Position(row)); }

absl::string_view BatchColumn::Text(uint32_t row) const { return TextAt(Position(row)); }

double BatchColumn::AsDouble(uint32_t row) const {
  uint32_t position = Position(row);
  if (type_ == ValueType::kInteger) {
    return static_cast<double>(LoadSigned(values_ + size_t{position} * width_, width_));
  }
  if (type_ == ValueType::kFloat) return std::bit_cast<double>(LoadLittleEndian(values_ + size_t{position} * 8, 8));
  return Value::Of(DecimalAt(position)).ToDouble();
}

uint32_t BatchColumn::DictionaryIndex(uint32_t row) const {
  if (index_width_ == 0) return 0;
  return static_cast<uint32_t>(LoadLittleEndian(indexes_ + size_t{row} * index_width_, index_width_));
}

void BatchColumn::ReadIndexes(uint32_t first, uint32_t count, uint32_t* indexes) const {
  if (index_width_ == 1) {
    for (uint32_t i = 0; i < count; ++i) indexes[i] = indexes_[first + i];
  } else {
    for (uint32_t i = 0; i < count; ++i) indexes[i] = LoadAs<uint16_t>(indexes_, first + i);
  }
}

bool BatchColumn::ReadNumbers(uint32_t first, uint32_t count, int64_t* numbers, uint8_t* scales) const {
  const bool decimal = type_ == ValueType::kDecimal;
  if (type_ == ValueType::kText || type_ == ValueType::kFloat || (decimal && width_ == 16)) return false;
  auto each = [&](auto stored) {
    if (index_width_ == 1) {
      for (uint32_t i = 0; i < count; ++i) numbers[i] = LoadAs<decltype(stored)>(values_, indexes_[first + i]);
    } else if (index_width_ == 2) {
      for (uint32_t i = 0; i < count; ++i) {
        numbers[i] = LoadAs<decltype(stored)>(values_, LoadAs<uint16_t>(indexes_, first + i));
      }
    } else {
      for (uint32_t i = 0; i < count; ++i) numbers[i] = LoadAs<decltype(stored)>(values_, first + i);
    }
  };
  switch (width_ > 0 ? width_ : FixedWidth(type_)) {
    case 1:
      each(int8_t{});  // a boolean, too: 0 or 1
      break;
    case 2:
      each(int16_t{});
      break;
    case 4:
      each(int32_t{});
      break;
    default:
      each(int64_t{});
  }
  for (uint32_t i = 0; scales != nullptr && i < count; ++i) {
    scales[i] = scales_ == nullptr ? scale_ : scales_[Position(first + i)];
  }
  return true;
}

void BatchColumn::ReadOffsets(uint32_t first, uint32_t count, int16_t* minutes) const {
  for (uint32_t i = 0; i < count; ++i) minutes[i] = LoadAs<int16_t>(offsets_, Position(first + i));
}

Value BatchColumn::DictionaryValue(uint32_t index) const { return ValueAt(index); }

absl::string_view BatchColumn::TextAt(uint32_t position) const {
  const uint8_t* offsets = values_ + size_t{position} * 4;
  uint64_t begin = LoadLittleEndian(offsets, 4);
  return absl::string_view(heap_ + begin, LoadLittleEndian(offsets + 4, 4) - begin);
}

Decimal BatchColumn::DecimalAt(uint32_t position) const {
  const uint8_t* bytes = values_ + size_t{position} * width_;
  uint8_t scale = scales_ == nullptr ? scale_ : scales_[position];
  if (width_ < 16) return {LoadSigned(bytes, width_), scale};
  return {absl::MakeInt128(LoadSigned(bytes + 8, 8), LoadLittleEndian(bytes, 8)), scale};
}

Value BatchColumn::ValueAt(uint32_t position) const {
  size_t at = position;
  switch (type_) {
    case ValueType::kText:
      return Value::Text(TextAt(position));
    case ValueType::kInteger:
      return Value::Integer(LoadSigned(values_ + at * width_, width_));
    case ValueType::kDecimal:
      return Value::Of(DecimalAt(position));
    case ValueType::kFloat:
      return Value::Float(std::bit_cast<double>(LoadLittleEndian(values_ + at * 8, 8)));
    case ValueType::kBoolean:
      return Value::Boolean(values_[at] != 0);
    case ValueType::kTimestamp:
      return Value::Of(
          Timestamp{LoadSigned(values_ + at * 8, 8), static_cast<int16_t>(LoadSigned(offsets_ + at * 2, 2))});
    case ValueType::kDate:
      return Value::Of(Date{static_cast<int32_t>(LoadSigned(values_ + at * 4, 4))});
    case ValueType::kNull:
      break;
  }
  return Value();
}

}  // namespace chartly
