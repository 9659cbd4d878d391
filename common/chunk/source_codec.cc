#include "common/chunk/source_codec.h"

#include <algorithm>
#include <utility>

#include "common/chunk/integer_stream.h"
#include "common/chunk/radix_sort.h"

namespace chartly {
namespace {

// The order is stored; never change it.
enum class SourceLayout : uint8_t { kAsRows = 0, kAsArrived = 1 };

// Number of the batch, row of the batch (16 bits), row of the chunk (16 bits).
constexpr int kRowShift = 16;
constexpr int kBatchShift = 32;

// One byte for so many rows.
constexpr size_t kNextToNothingOneIn = 64;

bool AreEqual(const std::vector<int64_t>& values) {
  return std::all_of(values.begin(), values.end(), [&](int64_t value) { return value == values.front(); });
}

// The row of the payload less that of the batch, or the page, in order of arrival.
std::vector<int64_t> ArrivedValues(const ColumnData& column, ArrivalOrder& arrival) {
  std::vector<int64_t> values = column.integers;
  for (uint32_t i = 0; column.name == kRowColumn && i < column.rows; ++i) {
    values[i] = static_cast<int64_t>(static_cast<uint64_t>(values[i]) - static_cast<uint64_t>(arrival.BatchRow(i)));
  }
  // Equal ones have the same order whatever it is.
  if (AreEqual(values)) return values;
  std::vector<int64_t> arrived;
  arrived.reserve(column.rows);
  for (uint32_t i : arrival.order()) arrived.push_back(values[i]);
  return arrived;
}

}  // namespace

std::optional<ArrivalOrder> ArrivalOrder::Of(const ColumnData& batch, const ColumnData& row) {
  const bool usable = batch.type == ValueType::kInteger && row.type == ValueType::kInteger && batch.nulls.empty() &&
                      row.nulls.empty() && batch.rows == row.rows && batch.rows > 0;
  if (!usable) return std::nullopt;
  const auto [first, last] = std::minmax_element(batch.integers.begin(), batch.integers.end());
  if (static_cast<uint64_t>(*last) - static_cast<uint64_t>(*first) > UINT32_MAX) return std::nullopt;
  uint64_t bits = 0;
  for (int64_t batch_row : row.integers) bits |= static_cast<uint64_t>(batch_row);
  if (bits >= kMaxChunkRows) return std::nullopt;
  return ArrivalOrder(batch, row, *first);
}

const std::vector<uint32_t>& ArrivalOrder::order() {
  if (!order_.empty()) return order_;
  std::vector<uint64_t> numbers(batch_->rows);
  for (uint32_t i = 0; i < batch_->rows; ++i) {
    const uint64_t number = static_cast<uint64_t>(batch_->integers[i]) - static_cast<uint64_t>(first_batch_);
    numbers[i] = number << kBatchShift | static_cast<uint64_t>(row_->integers[i]) << kRowShift | i;
  }
  SortByUpperBits(kRowShift, numbers);
  order_.reserve(numbers.size());
  for (uint64_t number : numbers) order_.push_back(static_cast<uint32_t>(number & (kMaxChunkRows - 1)));
  return order_;
}

bool IsSourceColumn(const ColumnData& column) {
  return column.role == Role::kSource && column.type == ValueType::kInteger;
}

std::string EncodeSourceColumn(const ColumnData& column, std::optional<ArrivalOrder>& arrival) {
  std::string as_rows(1, static_cast<char>(SourceLayout::kAsRows));
  if (!arrival || AreEqual(column.integers)) {
    EncodeIntegers(column.integers, as_rows);
    return as_rows;
  }
  std::string as_arrived(1, static_cast<char>(SourceLayout::kAsArrived));
  EncodeIntegers(ArrivedValues(column, *arrival), as_arrived);
  // What takes next to nothing needs no other way to be compared with.
  if (as_arrived.size() * kNextToNothingOneIn <= column.rows) return as_arrived;
  EncodeIntegers(column.integers, as_rows);
  return as_arrived.size() < as_rows.size() ? as_arrived : as_rows;
}

bool NeedsArrivalOrder(absl::string_view bytes) {
  return !bytes.empty() && bytes[0] == static_cast<char>(SourceLayout::kAsArrived);
}

bool DecodeSourceColumn(absl::string_view bytes, std::optional<ArrivalOrder>& arrival, ColumnData& out,
                        ChunkScratch& scratch) {
  ByteReader in(bytes);
  uint8_t layout = 0;
  out.integers.resize(out.rows);
  if (!in.Byte(layout) || layout > static_cast<uint8_t>(SourceLayout::kAsArrived)) return false;
  if (layout == static_cast<uint8_t>(SourceLayout::kAsRows)) {
    return DecodeIntegers(in, out.rows, out.integers.data(), scratch) && in.left() == 0;
  }
  if (!arrival) return false;
  auto values = scratch.TakeIntegers();
  values->resize(out.rows);
  if (!DecodeIntegers(in, out.rows, values->data(), scratch)) return false;
  if (AreEqual(*values)) {
    out.integers = *values;
  } else {
    const std::vector<uint32_t>& order = arrival->order();
    for (uint32_t place = 0; place < out.rows; ++place) out.integers[order[place]] = (*values)[place];
  }
  for (uint32_t i = 0; out.name == kRowColumn && i < out.rows; ++i) {
    out.integers[i] =
        static_cast<int64_t>(static_cast<uint64_t>(out.integers[i]) + static_cast<uint64_t>(arrival->BatchRow(i)));
  }
  return in.left() == 0;
}

}  // namespace chartly
