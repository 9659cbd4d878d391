#include "control/aggregator/record_block.h"

#include <algorithm>
#include <set>

#include "absl/strings/str_cat.h"
#include "common/chunk/chunk.h"
#include "common/chunk/column_ids.h"
#include "common/chunk/row_gatherer.h"
#include "common/status/status.h"

namespace chartly::aggregator {

std::vector<const ColumnData*> FindField(const ColumnSet& columns, Role role, absl::string_view name) {
  std::vector<const ColumnData*> found;
  for (const ColumnData& column : columns) {
    if (column.role == role && column.name == name) found.push_back(&column);
  }
  return found;
}

const std::vector<int64_t>& SystemColumn(const ColumnSet& columns, absl::string_view name) {
  return FindColumn(columns, Role::kSystem, name, ValueType::kInteger)->integers;
}

RowLocation LocationOf(const ColumnSet& columns, uint32_t row) {
  return MakeLocation(static_cast<uint64_t>(SystemColumn(columns, kBatchColumn)[row]),
                      static_cast<uint32_t>(SystemColumn(columns, kRowColumn)[row]));
}

RecordBlock::RecordBlock(Source source, ColumnSet columns, RowSet rows, ChunkMetas& metas)
    : source_(std::move(source)),
      columns_(std::move(columns)),
      rows_(std::move(rows)),
      metas_(metas),
      batches_(&SystemColumn(columns_, kBatchColumn)),
      numbers_(&SystemColumn(columns_, kRowColumn)) {
  FindSources();
}

RecordBlock::RecordBlock(Source source, Chunk chunk, RowSet rows, ChunkMetas& metas)
    : source_(std::move(source)),
      chunk_(std::move(chunk)),
      rows_(std::move(rows)),
      metas_(metas),
      batches_(&SystemColumn(chunk_.system, kBatchColumn)),
      numbers_(&SystemColumn(chunk_.system, kRowColumn)) {}

void RecordBlock::FindSources() const {
  source_pages_ = FindColumn(columns_, Role::kSource, kPageColumn, ValueType::kInteger);
  source_rows_ = FindColumn(columns_, Role::kSource, kRowColumn, ValueType::kInteger);
}

absl::Status RecordBlock::Load() const {
  if (loaded()) return absl::OkStatus();
  absl::StatusOr<ColumnSet> columns = chunk_.reader->DecodeAll();
  status_ = columns.status();
  RETURN_IF_ERROR(status_);
  columns_ = *std::move(columns);
  FindSources();
  return absl::OkStatus();
}

absl::StatusOr<ColumnSet> RecordBlock::Decode(const std::vector<std::pair<Role, std::string>>& fields) const {
  std::set<size_t> wanted;
  for (const auto& [role, name] : fields) {
    for (size_t column : chunk_.reader->Find(role, name)) wanted.insert(column);
  }
  absl::StatusOr<ColumnSet> columns = chunk_.reader->Decode({wanted.begin(), wanted.end()});
  status_ = columns.status();
  return columns;
}

bool RecordBlock::HasField(Role role, const std::string& name) const {
  return chunk_.reader == nullptr ? !FindField(columns_, role, name).empty() : !chunk_.reader->Find(role, name).empty();
}

void RecordBlock::KeepFrom(uint32_t row) {
  RowSet kept;
  rows_.ForEach(row, [&kept](uint32_t one) {
    kept.Add(one);
    return true;
  });
  rows_ = std::move(kept);
}

RecordIds RecordBlock::Ids() const { return ComputeRecordIds(columns_, source_.profile_id, source_.key); }

RecordIds RecordBlock::Ids(const std::vector<uint32_t>& rows) const {
  if (rows.empty()) return RecordIds();
  std::vector<RowRef> order;
  for (uint32_t row : rows) order.push_back({0, row});
  RowGatherer gatherer;
  const ColumnSet* columns = &columns_;
  gatherer.Append({&columns, 1}, order);
  return ComputeRecordIds(gatherer.Take(), source_.profile_id, source_.key);
}

namespace {

absl::StatusOr<ChunkReader> OpenSealed(const Part& part, uint32_t index, absl::string_view bytes) {
  ASSIGN_OR_RETURN(ChunkReader reader, ChunkReader::Open(bytes));
  bool whole = reader.rows() == part.meta.chunks(static_cast<int>(index)).rows() &&
               reader.Find(Role::kSystem, kBatchColumn, ValueType::kInteger).has_value() &&
               reader.Find(Role::kSystem, kRowColumn, ValueType::kInteger).has_value();
  if (whole) return reader;
  return Error(absl::StatusCode::kDataLoss, "STORE_CORRUPT", "it is not the chunk that was sealed");
}

template <typename Decode>
absl::StatusOr<ColumnSet> ReadSealed(const RecordReader& store, const Part& part, uint32_t index, Decode decode) {
  ASSIGN_OR_RETURN(std::string bytes, store.SealedChunk(part.meta.id(), index));
  auto read = [&]() -> absl::StatusOr<ColumnSet> {
    ASSIGN_OR_RETURN(ChunkReader reader, OpenSealed(part, index, bytes));
    return decode(reader);
  };
  absl::StatusOr<ColumnSet> columns = read();
  if (columns.ok()) return columns;
  return Annotate(columns.status(), absl::StrCat("chunk ", index, " of part ", part.meta.id()));
}

}  // namespace

absl::StatusOr<std::string> ReadSealedBytes(const RecordReader& store, const Part& part, uint32_t index) {
  ASSIGN_OR_RETURN(std::string bytes, store.SealedChunk(part.meta.id(), index));
  const absl::Status opened = OpenSealed(part, index, bytes).status();
  if (opened.ok()) return bytes;
  return Annotate(opened, absl::StrCat("chunk ", index, " of part ", part.meta.id()));
}

absl::StatusOr<RecordBlock::Chunk> OpenSealedChunk(const RecordReader& store, const Part& part, uint32_t index) {
  ASSIGN_OR_RETURN(std::string value, store.SealedChunk(part.meta.id(), index));
  RecordBlock::Chunk chunk;
  chunk.bytes = std::make_shared<std::string>(std::move(value));
  auto read = [&]() -> absl::Status {
    ASSIGN_OR_RETURN(ChunkReader reader, OpenSealed(part, index, *chunk.bytes));
    ASSIGN_OR_RETURN(chunk.system, reader.Decode({*reader.Find(Role::kSystem, kBatchColumn, ValueType::kInteger),
                                                  *reader.Find(Role::kSystem, kRowColumn, ValueType::kInteger)}));
    chunk.reader = std::make_shared<ChunkReader>(std::move(reader));
    return absl::OkStatus();
  };
  RETURN_IF_ERROR(Annotate(read(), absl::StrCat("chunk ", index, " of part ", part.meta.id())));
  return chunk;
}

absl::StatusOr<ColumnSet> ReadSealedColumns(const RecordReader& store, const Part& part, uint32_t index) {
  return ReadSealed(store, part, index, [](const ChunkReader& reader) { return reader.DecodeAll(); });
}

absl::StatusOr<ColumnSet> ReadSealedKeys(const RecordReader& store, const Part& part, uint32_t index) {
  return ReadSealed(store, part, index, [&](const ChunkReader& reader) {
    const auto& key = part.meta.key();
    std::vector<size_t> dims;
    for (size_t i = 0; i < reader.columns().size(); ++i) {
      const ChunkColumn& column = reader.columns()[i];
      bool in_key = key.empty() || std::find(key.begin(), key.end(), column.name) != key.end();
      if (column.role == Role::kDim && in_key) dims.push_back(i);
    }
    return reader.Decode(dims);
  });
}

absl::StatusOr<ColumnSet> ReadSealedRows(const RecordReader& store, const Part& part, uint32_t index, uint64_t batch) {
  return ReadSealed(store, part, index, [&](const ChunkReader& reader) -> absl::StatusOr<ColumnSet> {
    size_t batches = *reader.Find(Role::kSystem, kBatchColumn, ValueType::kInteger);
    ASSIGN_OR_RETURN(ColumnSet numbers, reader.Decode(std::vector<size_t>{batches}));
    const std::vector<int64_t>& all = numbers[0].integers;
    if (std::find(all.begin(), all.end(), static_cast<int64_t>(batch)) == all.end()) return ColumnSet();
    return reader.DecodeAll();
  });
}

}  // namespace chartly::aggregator
