#include "common/chunk/chunk.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "common/chunk/chunk_footer.h"
#include "common/chunk/column_codec.h"
#include "common/chunk/column_stats.h"
#include "common/chunk/sort_key.h"
#include "common/chunk/source_codec.h"
#include "common/status/status.h"

namespace chartly {
namespace {

absl::Status TooLarge(absl::string_view what) {
  return Error(absl::StatusCode::kResourceExhausted, "CHUNK_TOO_LARGE",
               absl::StrCat("the rows do not fit into one chunk: ", what, "; seal fewer rows"));
}

// Also of a column with codes, which may be stored without them.
bool FitsHeap(const ColumnData& column) {
  if (column.codes.empty()) return column.heap.size() <= kMaxColumnHeapBytes;
  // A look at the entries is mostly enough.
  uint64_t longest = 0;
  for (uint32_t i = 0; i < column.text_ends.size(); ++i) longest = std::max<uint64_t>(longest, column.Entry(i).size());
  if (column.heap.size() + longest * column.rows <= kMaxColumnHeapBytes) return true;
  uint64_t bytes = column.heap.size();
  for (uint32_t row = 0; row < column.codes.size(); ++row) bytes += column.IsNull(row) ? 0 : column.Text(row).size();
  return bytes <= kMaxColumnHeapBytes;
}

std::optional<ArrivalOrder> ArrivalOf(const ColumnSet& columns) {
  const ColumnData* batch = FindColumn(columns, Role::kSystem, kBatchColumn, ValueType::kInteger);
  const ColumnData* row = FindColumn(columns, Role::kSystem, kRowColumn, ValueType::kInteger);
  return batch != nullptr && row != nullptr ? ArrivalOrder::Of(*batch, *row) : std::nullopt;
}

}  // namespace

absl::StatusOr<std::string> SealChunk(const ColumnSet& columns, const ChunkOptions& options) {
  RETURN_IF_ERROR(CheckColumns(columns));
  FooterInput input;
  input.rows = RowsOf(columns);
  input.key = options.key;
  if (input.rows > kMaxChunkRows) return TooLarge("too many rows");
  if (columns.size() > kMaxChunkColumns) return TooLarge("too many columns");
  std::vector<ChunkColumn> descriptions;
  std::vector<uint32_t> checksums;
  std::string chunk;
  std::optional<ArrivalOrder> arrival = ArrivalOf(columns);
  for (const ColumnData& column : columns) {
    if (!FitsHeap(column)) return TooLarge(absl::StrCat("column ", column.name, " has too much text"));
    const bool is_source = IsSourceColumn(column) && column.NullCount() == 0 && column.rows > 0;
    const std::string bytes = is_source ? EncodeSourceColumn(column, arrival) : EncodeColumn(column);
    if (chunk.size() + bytes.size() > UINT32_MAX / 2) return TooLarge("they take gigabytes");
    descriptions.push_back(
        {column.role, column.name, column.type, static_cast<uint32_t>(bytes.size()), ComputeStats(column)});
    checksums.push_back(ColumnChecksum(bytes));
    chunk += bytes;
  }
  if (input.rows > 0) {
    SortKeyEncoder keys(columns, options.key);
    input.first_key = keys.Of(0);
    input.last_key = keys.Of(input.rows - 1);
  }
  AppendFooter(input, descriptions, checksums, chunk);
  return chunk;
}

absl::StatusOr<ChunkReader> ChunkReader::Open(absl::string_view bytes) { return FooterReader::Read(bytes); }

std::optional<size_t> ChunkReader::Find(Role role, absl::string_view name, ValueType type) const {
  for (size_t i = 0; i < columns_.size(); ++i) {
    if (columns_[i].role == role && columns_[i].type == type && columns_[i].name == name) return i;
  }
  return std::nullopt;
}

std::vector<size_t> ChunkReader::Find(Role role, absl::string_view name) const {
  std::vector<size_t> found;
  for (size_t i = 0; i < columns_.size(); ++i) {
    if (columns_[i].role == role && columns_[i].name == name) found.push_back(i);
  }
  return found;
}

absl::Status ChunkReader::DecodeSource(absl::string_view bytes, ColumnData& out, ChunkScratch& scratch) const {
  ColumnData batches;
  ColumnData rows;
  std::optional<ArrivalOrder> arrival;
  if (NeedsArrivalOrder(bytes)) {
    const std::optional<size_t> batch = Find(Role::kSystem, kBatchColumn, ValueType::kInteger);
    const std::optional<size_t> row = Find(Role::kSystem, kRowColumn, ValueType::kInteger);
    if (!batch || !row) return CorruptChunk("it has no system columns, which others need");
    RETURN_IF_ERROR(Decode(*batch, batches, scratch));
    RETURN_IF_ERROR(Decode(*row, rows, scratch));
    arrival = ArrivalOrder::Of(batches, rows);
  }
  return DecodeSourceColumn(bytes, arrival, out, scratch) ? absl::OkStatus()
                                                          : CorruptChunk("its values cannot be read");
}

absl::Status ChunkReader::Decode(size_t column, ColumnData& out, ChunkScratch& scratch) const {
  const ChunkColumn& description = columns_[column];
  out.ClearFor(description.type);
  out.role = description.role;
  out.name = description.name;
  out.type = description.type;
  absl::string_view bytes = bytes_.substr(places_[column].offset, description.encoded_bytes);
  if (ColumnChecksum(bytes) != places_[column].checksum) {
    return Annotate(CorruptChunk("a checksum does not match"), absl::StrCat("column ", description.name));
  }
  out.rows = rows_;
  absl::Status status;
  if (IsSourceColumn(out) && description.stats.nulls == 0 && rows_ > 0) {
    status = DecodeSource(bytes, out, scratch);
  } else if (!DecodeColumn(bytes, description.stats.nulls, out, scratch)) {
    status = CorruptChunk("its values cannot be read");
  }
  if (status.ok()) return status;
  out.Clear();
  return Annotate(status, absl::StrCat("column ", description.name));
}

absl::StatusOr<ColumnSet> ChunkReader::Decode(const std::vector<size_t>& columns) const {
  ChunkScratch scratch;
  ColumnSet set(columns.size());
  for (size_t i = 0; i < columns.size(); ++i) RETURN_IF_ERROR(Decode(columns[i], set[i], scratch));
  return set;
}

absl::StatusOr<ColumnSet> ChunkReader::DecodeAll() const {
  std::vector<size_t> all;
  for (size_t i = 0; i < columns_.size(); ++i) all.push_back(i);
  return Decode(all);
}

}  // namespace chartly
