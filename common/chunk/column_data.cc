#include "common/chunk/column_data.h"

#include <bit>
#include <optional>
#include <tuple>

#include "absl/strings/str_cat.h"
#include "common/status/status.h"

namespace chartly {
namespace {

constexpr uint8_t kMaxScale = 38;

absl::Status Invalid(const ColumnData& column, absl::string_view what) {
  return Error(absl::StatusCode::kInvalidArgument, "COLUMN_INVALID", absl::StrCat("column ", column.name, " ", what),
               {{"column", column.name}});
}

template <typename T>
size_t BytesOf(const std::vector<T>& vector) {
  return vector.capacity() * sizeof(T);
}

// An empty vector stands for one value that all rows share.
template <typename T>
bool FitsRows(const std::vector<T>& vector, uint32_t rows) {
  return vector.empty() || vector.size() == rows;
}

template <typename T>
void Unite(const ColumnData& column, std::vector<T>& each, T& all) {
  std::optional<T> first;
  for (uint32_t row = 0; row < each.size(); ++row) {
    if (column.IsNull(row)) continue;
    if (first && *first != each[row]) return;
    first = each[row];
  }
  if (first) all = *first;
  each.clear();
}

absl::Status CheckTexts(const ColumnData& column) {
  const size_t entries = column.text_ends.size();
  if (column.codes.empty() ? entries != column.rows : column.codes.size() != column.rows) {
    return Invalid(column, "has not one text a row");
  }
  for (uint32_t code : column.codes) {
    if (code >= entries) return Invalid(column, "has a code past its entries");
  }
  uint32_t previous = 0;
  for (uint32_t end : column.text_ends) {
    if (end < previous) return Invalid(column, "has a text that ends before it begins");
    previous = end;
  }
  if (previous != column.heap.size()) return Invalid(column, "has texts that do not fill its heap");
  for (uint32_t i = 1; !column.codes.empty() && i < entries; ++i) {
    if (column.Entry(i - 1) >= column.Entry(i)) return Invalid(column, "has entries out of order");
  }
  return absl::OkStatus();
}

absl::Status CheckNulls(const ColumnData& column) {
  if (column.nulls.empty()) return absl::OkStatus();
  if (column.nulls.size() != (size_t{column.rows} + 63) / 64) return Invalid(column, "has not one null bit a row");
  if (column.rows % 64 != 0 && column.nulls.back() >> (column.rows % 64) != 0) {
    return Invalid(column, "has null bits past its rows");
  }
  return absl::OkStatus();
}

absl::Status CheckColumn(const ColumnData& column) {
  RETURN_IF_ERROR(CheckNulls(column));
  if (column.type == ValueType::kText) return CheckTexts(column);
  if (column.type == ValueType::kNull || column.type > ValueType::kDate) return Invalid(column, "has no known type");
  size_t values = column.integers.size();
  if (column.type == ValueType::kFloat) values = column.floats.size();
  if (column.type == ValueType::kDecimal && !column.wide.empty()) values = column.wide.size();
  if (values != column.rows) return Invalid(column, "has not one value a row");
  if (!FitsRows(column.scales, column.rows) || !FitsRows(column.offsets_minutes, column.rows)) {
    return Invalid(column, "has not one scale or offset a row");
  }
  if (column.scale > kMaxScale) return Invalid(column, "has a scale past 38");
  for (uint8_t scale : column.scales) {
    if (scale > kMaxScale) return Invalid(column, "has a scale past 38");
  }
  return absl::OkStatus();
}

}  // namespace

uint32_t ColumnData::NullCount() const {
  uint32_t count = 0;
  for (uint64_t word : nulls) count += static_cast<uint32_t>(std::popcount(word));
  return count;
}

double ColumnData::AsDouble(uint32_t row) const {
  if (type == ValueType::kFloat) return floats[row];
  if (type == ValueType::kInteger) return static_cast<double>(integers[row]);
  return Value::Of(DecimalAt(row)).ToDouble();
}

Value ColumnData::Get(uint32_t row) const {
  if (IsNull(row)) return Value();
  switch (type) {
    case ValueType::kText:
      return Value::Text(Text(row));
    case ValueType::kInteger:
      return Value::Integer(integers[row]);
    case ValueType::kDecimal:
      return Value::Of(DecimalAt(row));
    case ValueType::kFloat:
      return Value::Float(floats[row]);
    case ValueType::kBoolean:
      return Value::Boolean(integers[row] != 0);
    case ValueType::kTimestamp:
      return Value::Of(TimestampAt(row));
    case ValueType::kDate:
      return Value::Of(Date{static_cast<int32_t>(integers[row])});
    case ValueType::kNull:
      break;
  }
  return Value();
}

size_t ColumnData::MemoryBytes() const {
  return sizeof(*this) + name.capacity() + BytesOf(nulls) + BytesOf(integers) + BytesOf(wide) + BytesOf(floats) +
         BytesOf(scales) + BytesOf(offsets_minutes) + BytesOf(text_ends) + heap.capacity() + BytesOf(codes);
}

void ColumnData::Clear() {
  rows = 0;
  nulls.clear();
  integers.clear();
  wide.clear();
  floats.clear();
  scale = 0;
  scales.clear();
  offset_minutes = 0;
  offsets_minutes.clear();
  text_ends.clear();
  heap.clear();
  codes.clear();
}

void ColumnData::ClearFor(ValueType wanted) {
  std::vector<int64_t> kept_integers = std::move(integers);
  std::vector<double> kept_floats = std::move(floats);
  std::vector<uint32_t> kept_codes = std::move(codes);
  if (wanted != ValueType::kFloat) kept_floats.clear();
  if (wanted != ValueType::kText) kept_codes.clear();
  if (wanted == ValueType::kFloat || wanted == ValueType::kText) kept_integers.clear();
  Clear();
  integers = std::move(kept_integers);
  floats = std::move(kept_floats);
  codes = std::move(kept_codes);
}

void UniteScales(ColumnData& column) { Unite(column, column.scales, column.scale); }
void UniteOffsets(ColumnData& column) { Unite(column, column.offsets_minutes, column.offset_minutes); }

bool ColumnOrder(const ColumnData& a, const ColumnData& b) {
  return std::tie(a.role, a.name, a.type) < std::tie(b.role, b.name, b.type);
}

const ColumnData* FindColumn(const ColumnSet& columns, Role role, absl::string_view name, ValueType type) {
  for (const ColumnData& column : columns) {
    if (column.role == role && column.type == type && column.name == name) return &column;
  }
  return nullptr;
}

Value GetValue(const ColumnSet& columns, Role role, absl::string_view name, uint32_t row) {
  for (const ColumnData& column : columns) {
    if (column.role == role && column.name == name && !column.IsNull(row)) return column.Get(row);
  }
  return Value();
}

uint32_t RowsOf(const ColumnSet& columns) { return columns.empty() ? 0 : columns.front().rows; }

absl::Status CheckColumns(const ColumnSet& columns) {
  for (size_t i = 0; i < columns.size(); ++i) {
    RETURN_IF_ERROR(CheckColumn(columns[i]));
    if (columns[i].rows != columns[0].rows) return Invalid(columns[i], "has another number of rows than the first");
    if (i > 0 && !ColumnOrder(columns[i - 1], columns[i])) return Invalid(columns[i], "is out of order");
  }
  return absl::OkStatus();
}

}  // namespace chartly
