#include "common/batch/batch_parser.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <tuple>

#include "absl/strings/str_cat.h"
#include "common/batch/batch_layout.h"
#include "common/status/status.h"
#include "common/text/utf8.h"

namespace chartly {
namespace {

constexpr uint32_t kMaxScale = 38;
constexpr int64_t kMaxFiltered = int64_t{1} << 53;

const uint8_t* BytesOf(absl::string_view bytes) { return reinterpret_cast<const uint8_t*>(bytes.data()); }

absl::Status CheckDescription(const storage::v1::Column& column, uint32_t rows) {
  bool known = column.role() >= storage::v1::ROLE_DIM && column.role() <= storage::v1::ROLE_SOURCE &&
               column.type() >= storage::v1::TYPE_TEXT && column.type() <= storage::v1::TYPE_DATE;
  if (!known) return CorruptBatch("role or type is not known");
  bool dictionary = column.encoding() == storage::v1::ENCODING_DICTIONARY;
  if (!dictionary && column.encoding() != storage::v1::ENCODING_PLAIN) return CorruptBatch("encoding is not known");
  if (dictionary ? column.entries() < 1 || column.entries() > kMaxBatchRows : column.entries() != 0) {
    return CorruptBatch("number of dictionary entries is wrong");
  }
  auto type = static_cast<ValueType>(column.type());
  bool has_width = type == ValueType::kInteger || type == ValueType::kDecimal;
  if (has_width ? !IsIntegerWidth(type, column.width()) : column.width() != 0) return CorruptBatch("width is wrong");
  bool has_scale = column.scale() != 0 || column.mixed_scales();
  if (column.scale() > kMaxScale || (has_scale && type != ValueType::kDecimal)) return CorruptBatch("scale is wrong");
  if (column.nulls() > rows) return CorruptBatch("more nulls than rows");
  if (column.role() == storage::v1::ROLE_SOURCE && (type != ValueType::kInteger || column.nulls() != 0)) {
    return CorruptBatch("a source column must hold an integer a row");
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status BatchParser::CheckHeader(const BatchHeader& header, uint32_t body_bytes) {
  if (header.rows() > kMaxBatchRows) return CorruptBatch("too many rows");
  if (header.filtered() < 0 || header.filtered() > kMaxFiltered) return CorruptBatch("filtered is wrong");
  if (header.rows() == 0 && header.columns_size() > 0) return CorruptBatch("columns without rows");
  uint64_t offset = 0;
  for (int i = 0; i < header.columns_size(); ++i) {
    const storage::v1::Column& column = header.columns(i);
    absl::Status status = CheckDescription(column, header.rows());
    if (!status.ok()) return Annotate(status, absl::StrCat("column ", i));
    auto order = [](const storage::v1::Column& c) {
      return std::tuple<int, const std::string&, int>(c.role(), c.name(), c.type());
    };
    if (i > 0 && !(order(header.columns(i - 1)) < order(column))) return CorruptBatch("columns are out of order");
    if (column.offset() != offset) return CorruptBatch("columns do not follow each other");
    offset += column.size();
  }
  if (offset != body_bytes) return CorruptBatch("columns do not fill the body");
  return absl::OkStatus();
}

absl::StatusOr<std::vector<BatchColumn>> BatchParser::ReadColumns(const BatchHeader& header, absl::string_view body) {
  std::vector<BatchColumn> columns;
  columns.reserve(static_cast<size_t>(header.columns_size()));
  for (const storage::v1::Column& description : header.columns()) {
    absl::StatusOr<BatchColumn> column =
        ReadColumn(description, header.rows(), body.substr(description.offset(), description.size()));
    if (!column.ok()) return Annotate(column.status(), absl::StrCat("column ", description.name()));
    columns.push_back(*std::move(column));
  }
  return columns;
}

absl::StatusOr<BatchColumn> BatchParser::ReadColumn(const storage::v1::Column& description, uint32_t rows,
                                                    absl::string_view bytes) {
  BatchColumn column;
  column.role_ = static_cast<Role>(description.role());
  column.name_ = &description.name();
  column.type_ = static_cast<ValueType>(description.type());
  column.rows_ = rows;
  column.dictionary_size_ = description.entries();
  RETURN_IF_ERROR(ReadNulls(description.nulls(), bytes, column));
  uint32_t count = rows;
  if (description.encoding() == storage::v1::ENCODING_DICTIONARY) {
    count = description.entries();
    column.index_width_ = IndexWidth(count);
    RETURN_IF_ERROR(ReadIndexes(bytes, column));
  }
  if (column.type_ == ValueType::kText) {
    RETURN_IF_ERROR(ReadTexts(count, bytes, column));
  } else {
    RETURN_IF_ERROR(ReadFixed(description, count, bytes, column));
  }
  return column;
}

absl::Status BatchParser::ReadNulls(uint32_t nulls, absl::string_view& bytes, BatchColumn& column) {
  if (nulls == 0) return absl::OkStatus();
  size_t size = NullBitmapBytes(column.rows_);
  if (bytes.size() < size) return CorruptBatch("bitmap of nulls is too short");
  column.nulls_ = BytesOf(bytes);
  uint32_t counted = 0;
  for (size_t i = 0; i < size; ++i) counted += static_cast<uint32_t>(std::popcount(column.nulls_[i]));
  uint32_t unused_bits = static_cast<uint32_t>(size * 8 - column.rows_);
  bool unused_set = unused_bits > 0 && (column.nulls_[size - 1] >> (8 - unused_bits)) != 0;
  if (counted != nulls || unused_set) return CorruptBatch("bitmap of nulls does not match their number");
  bytes.remove_prefix(size);
  return absl::OkStatus();
}

absl::Status BatchParser::ReadIndexes(absl::string_view& bytes, BatchColumn& column) {
  size_t size = size_t{column.rows_} * column.index_width_;
  if (bytes.size() < size) return CorruptBatch("indexes are too short");
  column.indexes_ = BytesOf(bytes) + (bytes.size() - size);
  constexpr uint32_t kStretch = 256;
  std::array<uint32_t, kStretch> indexes;
  for (uint32_t first = 0; first < column.rows_; first += kStretch) {
    const uint32_t count = std::min(kStretch, column.rows_ - first);
    column.ReadIndexes(first, count, indexes.data());
    uint32_t largest = 0;
    for (uint32_t i = 0; i < count; ++i) largest = std::max(largest, indexes[i]);
    if (largest >= column.dictionary_size_) return CorruptBatch("index past the dictionary");
  }
  bytes.remove_suffix(size);
  return absl::OkStatus();
}

absl::Status BatchParser::ReadTexts(uint32_t count, absl::string_view bytes, BatchColumn& column) {
  size_t offsets_size = (size_t{count} + 1) * 4;
  if (bytes.size() < offsets_size) return CorruptBatch("offsets of texts are too short");
  column.values_ = BytesOf(bytes);
  absl::string_view heap = bytes.substr(offsets_size);
  column.heap_ = heap.data();
  uint64_t previous = LoadLittleEndian(column.values_, 4);
  if (previous != 0) return CorruptBatch("the first text does not begin at 0");
  for (uint32_t i = 1; i <= count; ++i) {
    uint64_t offset = LoadLittleEndian(column.values_ + size_t{i} * 4, 4);
    if (offset < previous || offset > heap.size()) return CorruptBatch("an offset of a text is wrong");
    if (!IsUtf8(heap.substr(previous, offset - previous))) return CorruptBatch("a text is not UTF-8");
    previous = offset;
  }
  if (previous != heap.size()) return CorruptBatch("texts do not fill their bytes");
  return absl::OkStatus();
}

absl::Status BatchParser::ReadFixed(const storage::v1::Column& description, uint32_t count, absl::string_view bytes,
                                    BatchColumn& column) {
  column.width_ = static_cast<uint8_t>(description.width());
  column.scale_ = static_cast<uint8_t>(description.scale());
  size_t width = column.width_ > 0 ? column.width_ : FixedWidth(column.type_);
  size_t extra = description.mixed_scales() ? 1 : (column.type_ == ValueType::kTimestamp ? 2 : 0);
  if (bytes.size() != count * (width + extra)) return CorruptBatch("values have the wrong size");
  column.values_ = BytesOf(bytes);
  if (description.mixed_scales()) column.scales_ = column.values_ + count * width;
  if (column.type_ == ValueType::kTimestamp) column.offsets_ = column.values_ + count * width;
  return CheckValues(count, column);
}

absl::Status BatchParser::CheckValues(uint32_t count, const BatchColumn& column) {
  for (uint32_t i = 0; column.scales_ != nullptr && i < count; ++i) {
    if (column.scales_[i] > kMaxScale) return CorruptBatch("a scale is past 38");
  }
  for (uint32_t i = 0; column.type_ == ValueType::kFloat && i < count; ++i) {
    auto number = std::bit_cast<double>(LoadLittleEndian(column.values_ + size_t{i} * 8, 8));
    if (!std::isfinite(number)) return CorruptBatch("a float is not finite");
  }
  for (uint32_t i = 0; column.type_ == ValueType::kBoolean && i < count; ++i) {
    if (column.values_[i] > 1) return CorruptBatch("a boolean is neither 0 nor 1");
  }
  return absl::OkStatus();
}

}  // namespace chartly
