#include "common/chunk/source_codec.h"

#include <algorithm>

#include "common/chunk/integer_stream.h"

namespace chartly {
namespace {

// The order is stored; never change it.
enum class SourceLayout : uint8_t { kAsRows = 0, kAsArrived = 1 };

// Number of the batch, row of the batch (16 bits), row of the chunk (16 bits).
constexpr int kRowShift = 16;
constexpr int kBatchShift = 32;

// Sorts by all but the lowest two bytes, by which the numbers are in order already.
void SortByUpperBytes(std::vector<uint64_t>& numbers) {
  std::vector<uint64_t> other(numbers.size());
  uint64_t differ = 0;
  for (uint64_t number : numbers) differ |= number ^ numbers[0];
  for (int shift = kRowShift; shift < 64; shift += 8) {
    if ((differ >> shift & 0xFF) == 0) continue;
    uint32_t begins[257] = {};
    for (uint64_t number : numbers) ++begins[(number >> shift & 0xFF) + 1];
    for (int i = 1; i < 257; ++i) begins[i] += begins[i - 1];
    for (uint64_t number : numbers) other[begins[number >> shift & 0xFF]++] = number;
    numbers.swap(other);
  }
}

}  // namespace

std::optional<ArrivalOrder> ArrivalOrder::Of(const ColumnData& batch, const ColumnData& row) {
  const bool usable = batch.type == ValueType::kInteger && row.type == ValueType::kInteger && batch.nulls.empty() &&
                      row.nulls.empty() && batch.rows == row.rows && batch.rows > 0;
  if (!usable) return std::nullopt;
  const int64_t first = *std::min_element(batch.integers.begin(), batch.integers.end());
  std::vector<uint64_t> numbers(batch.rows);
  for (uint32_t i = 0; i < batch.rows; ++i) {
    const uint64_t number = static_cast<uint64_t>(batch.integers[i]) - static_cast<uint64_t>(first);
    const auto batch_row = static_cast<uint64_t>(row.integers[i]);
    if (number > UINT32_MAX || batch_row >= kMaxChunkRows) return std::nullopt;
    numbers[i] = number << kBatchShift | batch_row << kRowShift | i;
  }
  SortByUpperBytes(numbers);
  ArrivalOrder arrival;
  arrival.batch_rows_ = row.integers;
  arrival.order_.reserve(numbers.size());
  for (uint64_t number : numbers) arrival.order_.push_back(static_cast<uint32_t>(number & (kMaxChunkRows - 1)));
  return arrival;
}

bool IsSourceColumn(const ColumnData& column) {
  return column.role == Role::kSource && column.type == ValueType::kInteger;
}

std::string EncodeSourceColumn(const ColumnData& column, const std::optional<ArrivalOrder>& arrival) {
  std::string as_rows(1, static_cast<char>(SourceLayout::kAsRows));
  EncodeIntegers(column.integers, as_rows);
  if (!arrival) return as_rows;
  const bool is_row = column.name == kRowColumn;
  std::vector<int64_t> values;
  values.reserve(column.rows);
  for (uint32_t i : arrival->order()) {
    const auto value = static_cast<uint64_t>(column.integers[i]);
    values.push_back(static_cast<int64_t>(value - static_cast<uint64_t>(is_row ? arrival->BatchRow(i) : 0)));
  }
  std::string as_arrived(1, static_cast<char>(SourceLayout::kAsArrived));
  EncodeIntegers(values, as_arrived);
  return as_arrived.size() < as_rows.size() ? as_arrived : as_rows;
}

bool NeedsArrivalOrder(absl::string_view bytes) {
  return !bytes.empty() && bytes[0] == static_cast<char>(SourceLayout::kAsArrived);
}

bool DecodeSourceColumn(absl::string_view bytes, const std::optional<ArrivalOrder>& arrival, ColumnData& out,
                        ChunkScratch& scratch) {
  ByteReader in(bytes);
  uint8_t layout = 0;
  out.integers.resize(out.rows);
  if (!in.Byte(layout) || layout > static_cast<uint8_t>(SourceLayout::kAsArrived)) return false;
  if (layout == static_cast<uint8_t>(SourceLayout::kAsRows)) {
    return DecodeIntegers(in, out.rows, out.integers.data(), scratch) && in.left() == 0;
  }
  if (!arrival || arrival->order().size() != out.rows) return false;
  auto values = scratch.TakeIntegers();
  values->resize(out.rows);
  if (!DecodeIntegers(in, out.rows, values->data(), scratch)) return false;
  const bool is_row = out.name == kRowColumn;
  for (uint32_t place = 0; place < out.rows; ++place) {
    const uint32_t i = arrival->order()[place];
    const auto value = static_cast<uint64_t>((*values)[place]);
    out.integers[i] = static_cast<int64_t>(value + static_cast<uint64_t>(is_row ? arrival->BatchRow(i) : 0));
  }
  return in.left() == 0;
}

}  // namespace chartly
