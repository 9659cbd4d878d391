#include "common/chunk/batch_columns.h"

#include <algorithm>
#include <numeric>
#include <utility>

#include "common/chunk/text_entries.h"

namespace chartly {
namespace {

std::vector<uint32_t> AllRows(uint32_t count) {
  std::vector<uint32_t> rows(count);
  std::iota(rows.begin(), rows.end(), 0);
  return rows;
}

ColumnData IntegerColumn(Role role, const char* name, uint32_t rows) {
  ColumnData column;
  column.role = role;
  column.name = name;
  column.type = ValueType::kInteger;
  column.rows = rows;
  column.integers.reserve(rows);
  return column;
}

void FillNulls(const BatchColumn& from, absl::Span<const uint32_t> rows, ColumnData& to) {
  if (!from.has_nulls()) return;
  to.nulls.assign((rows.size() + 63) / 64, 0);
  uint64_t any = 0;
  for (size_t i = 0; i < rows.size(); ++i) to.nulls[i / 64] |= uint64_t{from.IsNull(rows[i])} << (i % 64);
  for (uint64_t word : to.nulls) any |= word;
  if (any == 0) to.nulls.clear();
}

bool FollowEachOther(absl::Span<const uint32_t> rows) {
  bool follow = true;
  for (size_t i = 0; i < rows.size(); ++i) follow &= rows[i] == rows[0] + i;
  return follow;
}

// Reads rows that follow each other together: read(first row of the batch, how many, the first place).
template <typename Read>
void ReadTogether(absl::Span<const uint32_t> rows, Read read) {
  if (rows.empty()) return;
  if (FollowEachOther(rows)) return read(rows.front(), static_cast<uint32_t>(rows.size()), size_t{0});
  for (size_t i = 0; i < rows.size(); ++i) read(rows[i], 1, i);
}

// As BatchColumn::ReadNumbers, with zeros where a row is null.
bool ReadNumbers(const BatchColumn& from, absl::Span<const uint32_t> rows, ColumnData& to, uint8_t* scales) {
  to.integers.resize(rows.size());
  bool read = true;
  ReadTogether(rows, [&](uint32_t first, uint32_t count, size_t at) {
    read = read && from.ReadNumbers(first, count, &to.integers[at], scales == nullptr ? nullptr : &scales[at]);
  });
  for (uint32_t i = 0; read && !to.nulls.empty() && i < rows.size(); ++i) {
    if (!to.IsNull(i)) continue;
    to.integers[i] = 0;
    if (scales != nullptr) scales[i] = 0;
  }
  if (!read) to.integers.clear();
  return read;
}

void FillTexts(const BatchColumn& from, absl::Span<const uint32_t> rows, ColumnData& to) {
  for (uint32_t i = 0; i < from.dictionary_size(); ++i) {
    to.heap += from.DictionaryValue(i).text();
    to.text_ends.push_back(static_cast<uint32_t>(to.heap.size()));
  }
  if (from.dictionary_size() > 0) {
    to.codes.resize(rows.size());
    ReadTogether(rows,
                 [&](uint32_t first, uint32_t count, size_t at) { from.ReadIndexes(first, count, &to.codes[at]); });
    return SortEntries(to);
  }
  for (size_t i = 0; i < rows.size(); ++i) {
    if (!to.IsNull(static_cast<uint32_t>(i))) {
      absl::string_view text = from.Text(rows[i]);
      to.heap.append(text.data(), text.size());
    }
    to.text_ends.push_back(static_cast<uint32_t>(to.heap.size()));
  }
}

void FillDecimals(const BatchColumn& from, absl::Span<const uint32_t> rows, ColumnData& to) {
  to.scales.resize(rows.size());
  if (ReadNumbers(from, rows, to, to.scales.data())) return UniteScales(to);
  to.scales.clear();
  bool narrow = true;
  for (uint32_t row : rows) {
    const Value value = from.Get(row);
    const Decimal decimal = value.is_null() ? Decimal() : value.decimal();
    narrow = narrow && decimal.unscaled >= INT64_MIN && decimal.unscaled <= INT64_MAX;
    to.wide.push_back(decimal.unscaled);
    to.scales.push_back(decimal.scale);
  }
  if (narrow) {
    for (const absl::int128& unscaled : to.wide) to.integers.push_back(static_cast<int64_t>(unscaled));
    to.wide.clear();
  }
  UniteScales(to);
}

void FillTimestamps(const BatchColumn& from, absl::Span<const uint32_t> rows, ColumnData& to) {
  ReadNumbers(from, rows, to, nullptr);  // timestamps all can be
  to.offsets_minutes.resize(rows.size());
  ReadTogether(rows, [&](uint32_t first, uint32_t count, size_t at) {
    from.ReadOffsets(first, count, &to.offsets_minutes[at]);
  });
  for (uint32_t i = 0; !to.nulls.empty() && i < rows.size(); ++i) {
    if (to.IsNull(i)) to.offsets_minutes[i] = 0;
  }
  UniteOffsets(to);
}

ColumnData ColumnOf(const BatchColumn& from, absl::Span<const uint32_t> rows) {
  ColumnData to;
  to.role = from.role();
  to.name = from.name();
  to.type = from.type();
  to.rows = static_cast<uint32_t>(rows.size());
  FillNulls(from, rows, to);
  switch (from.type()) {
    case ValueType::kText:
      FillTexts(from, rows, to);
      break;
    case ValueType::kDecimal:
      FillDecimals(from, rows, to);
      break;
    case ValueType::kFloat:
      for (uint32_t row : rows) to.floats.push_back(from.IsNull(row) ? 0 : from.AsDouble(row));
      break;
    case ValueType::kTimestamp:
      FillTimestamps(from, rows, to);
      break;
    default:
      ReadNumbers(from, rows, to, nullptr);  // integers, booleans and dates all can be
  }
  return to;
}

}  // namespace

ColumnSet ColumnsOfBatch(const Batch& batch, uint64_t batch_number, absl::Span<const uint32_t> rows) {
  ColumnSet columns;
  const auto count = static_cast<uint32_t>(rows.size());
  for (const BatchColumn& column : batch.columns()) {
    ColumnData data = ColumnOf(column, rows);
    if (data.NullCount() < count) columns.push_back(std::move(data));
  }
  ColumnData number = IntegerColumn(Role::kSystem, kBatchColumn, count);
  number.integers.assign(count, static_cast<int64_t>(batch_number));
  ColumnData row = IntegerColumn(Role::kSystem, kRowColumn, count);
  row.integers.assign(rows.begin(), rows.end());
  columns.push_back(std::move(number));
  columns.push_back(std::move(row));
  return columns;
}

ColumnSet ColumnsOfBatch(const Batch& batch, uint64_t batch_number) {
  return ColumnsOfBatch(batch, batch_number, AllRows(batch.rows()));
}

ColumnData ColumnOfBatch(const BatchColumn& column, uint32_t rows) { return ColumnOf(column, AllRows(rows)); }

}  // namespace chartly
