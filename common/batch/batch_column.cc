#include <bit>

#include "absl/numeric/int128.h"
#include "common/batch/batch.h"
#include "common/batch/batch_layout.h"

namespace chartly {

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
