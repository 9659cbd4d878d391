#include "common/chunk/sort_key.h"

#include <algorithm>

#include "common/value/canonical_number.h"

namespace chartly {
namespace {

// First bytes of a value, in the order of the classes of CompareValues.
constexpr char kBooleanTag = 1;
constexpr char kNumberTag = 2;
constexpr char kDateTag = 3;
constexpr char kTimestampTag = 4;
constexpr char kTextTag = 5;

constexpr int kExponentBias = 0x4000;
constexpr int kZeroExponent = 0x8000;

template <typename Number>
void AppendBigEndian(Number number, std::string& out) {
  for (int shift = 8 * (static_cast<int>(sizeof(number)) - 1); shift >= 0; shift -= 8) {
    out.push_back(static_cast<char>(number >> shift));
  }
}

// Two bytes: 0x8000 for zero; else 0x8000 + bias + the power of ten above the first digit. Then two digits a byte (1 to
// 100), then 0. All bits are inverted for a negative number.
void AppendNumber(const CanonicalNumber& number, std::string& out) {
  out.push_back(kNumberTag);
  const absl::uint128 magnitude = Magnitude(number.unscaled);
  if (magnitude == 0) return AppendBigEndian(static_cast<uint16_t>(kZeroExponent), out);
  const size_t begin = out.size();
  char digits[40];
  char* end = WriteDigits(magnitude, digits);
  const int count = static_cast<int>(end - digits);
  *end = '0';  // an odd number of digits ends in half a pair
  AppendBigEndian(static_cast<uint16_t>(kZeroExponent + kExponentBias + count + number.exponent), out);
  for (const char* at = digits; at < end; at += 2) {
    out.push_back(static_cast<char>((at[0] - '0') * 10 + (at[1] - '0') + 1));
  }
  out.push_back('\0');
  if (number.unscaled >= 0) return;
  for (size_t i = begin; i < out.size(); ++i) out[i] = static_cast<char>(~out[i]);
}

// A zero byte becomes 00 FF, and 00 00 ends the text: so a text sorts before those that it begins.
void AppendEscaped(absl::string_view text, std::string& out) {
  size_t zero = text.find('\0');
  while (zero != absl::string_view::npos) {
    out.append(text.data(), zero + 1);
    out.push_back('\xFF');
    text.remove_prefix(zero + 1);
    zero = text.find('\0');
  }
  out.append(text.data(), text.size());
  out.append(2, '\0');
}

void AppendText(absl::string_view text, std::string& out) {
  out.push_back(kTextTag);
  AppendEscaped(text, out);
}

void AppendInstant(int64_t micros, std::string& out) {
  out.push_back(kTimestampTag);
  AppendBigEndian(static_cast<uint64_t>(micros) ^ (uint64_t{1} << 63), out);
}

void AppendDate(int64_t days, std::string& out) {
  out.push_back(kDateTag);
  AppendBigEndian(static_cast<uint32_t>(days) ^ (uint32_t{1} << 31), out);
}

void AppendBoolean(bool value, std::string& out) {
  out.push_back(kBooleanTag);
  out.push_back(value ? 1 : 0);
}

void AppendRow(const ColumnData& column, uint32_t row, std::string& out) {
  switch (column.type) {
    case ValueType::kText:
      return AppendText(column.Text(row), out);
    case ValueType::kInteger:
      return AppendNumber(CanonicalOf(column.integers[row]), out);
    case ValueType::kDecimal:
      return AppendNumber(CanonicalOf(column.DecimalAt(row)), out);
    case ValueType::kFloat:
      return AppendNumber(CanonicalOf(column.floats[row]), out);
    case ValueType::kBoolean:
      return AppendBoolean(column.integers[row] != 0, out);
    case ValueType::kTimestamp:
      return AppendInstant(column.integers[row], out);
    case ValueType::kDate:
      return AppendDate(column.integers[row], out);
    case ValueType::kNull:
      return;
  }
}

bool IsKeyDim(const ColumnData& column, absl::Span<const std::string> key) {
  return column.role == Role::kDim && (key.empty() || std::find(key.begin(), key.end(), column.name) != key.end());
}

}  // namespace

void AppendSortable(absl::string_view name, const Value& value, std::string& out) {
  AppendEscaped(name, out);
  switch (value.type()) {
    case ValueType::kText:
      return AppendText(value.text(), out);
    case ValueType::kInteger:
      return AppendNumber(CanonicalOf(value.integer()), out);
    case ValueType::kDecimal:
      return AppendNumber(CanonicalOf(value.decimal()), out);
    case ValueType::kFloat:
      return AppendNumber(CanonicalOf(value.float_value()), out);
    case ValueType::kBoolean:
      return AppendBoolean(value.boolean(), out);
    case ValueType::kTimestamp:
      return AppendInstant(value.timestamp().micros, out);
    case ValueType::kDate:
      return AppendDate(value.date().days, out);
    case ValueType::kNull:
      return;
  }
}

SortKeyEncoder::SortKeyEncoder(const ColumnSet& columns, absl::Span<const std::string> key) {
  // A set is in order of name and type already.
  for (const ColumnData& data : columns) {
    if (!IsKeyDim(data, key)) continue;
    Column& column = columns_.emplace_back();
    column.data = &data;
    AppendEscaped(data.name, column.name);
    // Entries that hardly repeat cost more than they save.
    if (data.codes.empty() || data.text_ends.size() > data.rows / 2) continue;
    for (uint32_t i = 0; i < data.text_ends.size(); ++i) {
      column.entries += column.name;
      AppendText(data.Entry(i), column.entries);
      column.ends.push_back(static_cast<uint32_t>(column.entries.size()));
    }
  }
}

void SortKeyEncoder::Append(uint32_t row, std::string& out) const {
  for (const Column& column : columns_) {
    if (column.data->IsNull(row)) continue;
    if (column.ends.empty()) {
      out += column.name;
      AppendRow(*column.data, row, out);
      continue;
    }
    const uint32_t code = column.data->codes[row];
    const uint32_t begin = code == 0 ? 0 : column.ends[code - 1];
    out.append(column.entries, begin, column.ends[code] - begin);
  }
}

std::string SortKeyEncoder::Of(uint32_t row) const {
  std::string key;
  Append(row, key);
  return key;
}

}  // namespace chartly
