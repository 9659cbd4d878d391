#include <zstd.h>

#include <algorithm>
#include <array>
#include <tuple>

#include "absl/strings/str_cat.h"
#include "common/batch/batch.h"
#include "common/batch/batch_layout.h"
#include "common/batch/column_builder.h"
#include "common/status/status.h"
#include "common/text/utf8.h"

namespace chartly {
namespace {

constexpr int kZstdLevel = 1;
// What level 1 takes does not fit the nearest cache beside the text; a quarter of it finds as much in columns.
constexpr int kZstdHashLog = 12;
constexpr size_t kQuarantineOverhead = 64;

absl::Status TooLarge(absl::string_view what) {
  return Error(absl::StatusCode::kResourceExhausted, "BATCH_TOO_LARGE",
               absl::StrCat("batch is too large: ", what, "; finish batches earlier"));
}

}  // namespace

// One name in one role; a builder for each type that was set.
struct BatchBuilder::Column {
  Role role;
  std::string name;
  std::array<std::unique_ptr<ColumnBuilder>, 8> types;
  // Row + 1 and type of the value set last, so that it can be taken back.
  uint32_t last_row = 0;
  ValueType last_type = ValueType::kNull;
};

// What packing needs, kept from batch to batch: taking it anew costs more than the packing.
struct BatchBuilder::Packer {
  Packer() {
    ZSTD_CCtx_setParameter(zstd, ZSTD_c_compressionLevel, kZstdLevel);
    ZSTD_CCtx_setParameter(zstd, ZSTD_c_hashLog, kZstdHashLog);
  }
  ~Packer() { ZSTD_freeCCtx(zstd); }

  // Appends `body`, compressed, to `batch`.
  absl::Status Compress(std::string& batch) {
    packed.resize(ZSTD_compressBound(body.size()));
    size_t size = ZSTD_compress2(zstd, packed.data(), packed.size(), body.data(), body.size());
    if (ZSTD_isError(size)) {
      return Error(absl::StatusCode::kInternal, "BATCH_COMPRESSION_FAILED", ZSTD_getErrorName(size));
    }
    batch.append(packed, 0, size);
    return absl::OkStatus();
  }

  ZSTD_CCtx* zstd = ZSTD_createCCtx();
  std::string body;  // the columns one after the other
  std::string packed;
  ColumnBuilder::Scratch scratch;
};

BatchBuilder::BatchBuilder()
    : packer_(std::make_unique<Packer>()),
      source_pages_(std::make_unique<ColumnBuilder>(ValueType::kInteger)),
      source_rows_(std::make_unique<ColumnBuilder>(ValueType::kInteger)),
      row_bytes_(2 * ColumnBuilder::MaxRowBytes(ValueType::kInteger)) {}

BatchBuilder::~BatchBuilder() = default;

void BatchBuilder::SetOrigin(const BatchHeader& origin) {
  origin_ = origin;
  origin_.clear_rows();
  origin_.clear_columns();
  origin_.clear_filtered();
  origin_.clear_quarantined();
  std::sort(origin_.mutable_key()->begin(), origin_.mutable_key()->end());
}

size_t BatchBuilder::AddColumn(Role role, absl::string_view name) {
  for (size_t i = 0; i < columns_.size(); ++i) {
    if (columns_[i].role == role && columns_[i].name == name) return i;
  }
  Column& column = columns_.emplace_back();
  column.role = role;
  column.name = std::string(name);
  return columns_.size() - 1;
}

Value BatchBuilder::Largest(size_t column) const {
  Value largest;
  for (const std::unique_ptr<ColumnBuilder>& builder : columns_[column].types) {
    if (builder == nullptr) continue;
    Value candidate = builder->Largest();
    if (largest.is_null() || CompareValues(candidate, largest) > 0) largest = std::move(candidate);
  }
  return largest;
}

void BatchBuilder::BeginRow(uint32_t page, uint32_t row) {
  page_ = page;
  row_ = row;
}

inline ColumnBuilder& BatchBuilder::Prepare(size_t column, ValueType type) {
  Column& target = columns_[column];
  if (target.last_row == rows_ + 1) target.types[static_cast<size_t>(target.last_type)]->Undo(rows_);
  target.last_row = rows_ + 1;
  target.last_type = type;
  return OfType(target, type);
}

inline ColumnBuilder& BatchBuilder::OfType(Column& column, ValueType type) {
  ColumnBuilder* builder = column.types[static_cast<size_t>(type)].get();
  return builder != nullptr ? *builder : NewType(column, type);
}

ColumnBuilder& BatchBuilder::NewType(Column& column, ValueType type) {
  size_t row_bytes = ColumnBuilder::MaxRowBytes(type);
  row_bytes_ += row_bytes;
  bytes_ += row_bytes * rows_;
  return *(column.types[static_cast<size_t>(type)] = std::make_unique<ColumnBuilder>(type));
}

inline void BatchBuilder::Put(size_t column, const ColumnValue& value) {
  if (value.is_null()) return;
  bytes_ += Prepare(column, value.type).Append(rows_, value);
}

void BatchBuilder::Set(size_t column, const ColumnValue& value) { Put(column, value); }

void BatchBuilder::AddRow(uint32_t page, uint32_t row, const std::vector<size_t>& columns,
                          const std::vector<ColumnValue>& values) {
  BeginRow(page, row);
  for (size_t i = 0; i < columns.size(); ++i) Put(columns[i], values[i]);
  EndRow();
}

void BatchBuilder::AddRows(uint32_t page, uint32_t row, size_t count, const std::vector<size_t>& columns,
                           const ColumnValue* values, size_t stride) {
  for (size_t i = 0; i < columns.size(); ++i) {
    const ColumnValue* const first = values + i * stride;
    for (size_t at = 0; at < count;) {
      if (first[at].is_null()) {
        ++at;
        continue;
      }
      ColumnBuilder& builder = OfType(columns_[columns[i]], first[at].type);
      at += builder.AppendRun(rows_ + static_cast<uint32_t>(at), first + at, count - at, bytes_);
    }
  }
  source_pages_->AppendSeries(page, 0, count);
  source_rows_->AppendSeries(row, 1, count);
  rows_ += static_cast<uint32_t>(count);
  bytes_ += row_bytes_ * count;
}

void BatchBuilder::EndRow() {
  source_pages_->Append(rows_, ColumnValue::Integer(page_));
  source_rows_->Append(rows_, ColumnValue::Integer(row_));
  bytes_ += row_bytes_;
  ++rows_;
}

void BatchBuilder::DropRow() {
  for (Column& column : columns_) {
    if (column.last_row != rows_ + 1) continue;
    column.types[static_cast<size_t>(column.last_type)]->Undo(rows_);
    column.last_row = 0;
  }
}

void BatchBuilder::Quarantine(absl::string_view reason_code, absl::string_view field, absl::string_view message,
                              absl::string_view raw, uint32_t page, uint32_t row) {
  storage::v1::Quarantined& entry = quarantined_.emplace_back();
  entry.set_reason_code(ToUtf8(reason_code));
  entry.set_field(ToUtf8(field));
  entry.set_message(ToUtf8(CutAtCharacter(message, kMaxQuarantinedRawBytes)));
  // Mending may lengthen it, hence cut before for the work and after for the bound.
  std::string text = ToUtf8(CutAtCharacter(raw, kMaxQuarantinedRawBytes));
  absl::string_view cut = CutAtCharacter(text, kMaxQuarantinedRawBytes);
  entry.set_raw(cut.data(), cut.size());
  entry.set_page(page);
  entry.set_row(row);
  bytes_ += entry.ByteSizeLong() + kQuarantineOverhead;
}

BatchHeader BatchBuilder::PackColumns() const {
  struct Entry {
    Role role;
    absl::string_view name;
    const ColumnBuilder* builder;
  };
  std::vector<Entry> entries;
  for (const Column& column : columns_) {
    for (const std::unique_ptr<ColumnBuilder>& builder : column.types) {
      if (builder != nullptr && !builder->empty()) entries.push_back({column.role, column.name, builder.get()});
    }
  }
  if (rows_ > 0) {
    entries.push_back({Role::kSource, "page", source_pages_.get()});
    entries.push_back({Role::kSource, "row", source_rows_.get()});
  }
  std::sort(entries.begin(), entries.end(), [](const Entry& a, const Entry& b) {
    return std::tuple(a.role, a.name, a.builder->type()) < std::tuple(b.role, b.name, b.builder->type());
  });
  BatchHeader header = origin_;
  std::string& body = packer_->body;
  body.clear();
  for (const Entry& entry : entries) {
    storage::v1::Column& column = *header.add_columns();
    column.set_name(std::string(entry.name));
    column.set_role(static_cast<storage::v1::Role>(entry.role));
    column.set_offset(static_cast<uint32_t>(body.size()));
    entry.builder->Encode(rows_, column, body, packer_->scratch);
  }
  return header;
}

absl::StatusOr<std::string> BatchBuilder::Finish() {
  if (rows_ > kMaxBatchRows) return TooLarge(absl::StrCat(rows_, " rows, at most ", kMaxBatchRows, " are allowed"));
  BatchHeader header = PackColumns();
  const size_t body_bytes = packer_->body.size();
  if (body_bytes > kMaxBatchBodyBytes) return TooLarge(absl::StrCat(body_bytes, " bytes unpacked"));
  header.set_rows(rows_);
  header.set_filtered(filtered_);
  for (const storage::v1::Quarantined& entry : quarantined_) *header.add_quarantined() = entry;

  std::string batch(kBatchPreambleBytes, '\0');
  BatchPreamble preamble;
  if (!header.AppendToString(&batch)) return TooLarge("its header");
  preamble.header_bytes = static_cast<uint32_t>(batch.size() - kBatchPreambleBytes);
  preamble.unpacked_bytes = static_cast<uint32_t>(body_bytes);
  if (body_bytes > 0) RETURN_IF_ERROR(packer_->Compress(batch));
  preamble.packed_bytes = static_cast<uint32_t>(batch.size() - kBatchPreambleBytes - preamble.header_bytes);
  if (batch.size() > kMaxBatchBytes) return TooLarge(absl::StrCat(batch.size(), " bytes packed"));
  SealBatch(preamble, batch);
  Clear();
  return batch;
}

void BatchBuilder::Clear() {
  for (Column& column : columns_) {
    column.last_row = 0;
    for (const std::unique_ptr<ColumnBuilder>& builder : column.types) {
      if (builder != nullptr) builder->Clear();
    }
  }
  source_pages_->Clear();
  source_rows_->Clear();
  quarantined_.clear();
  rows_ = 0;
  filtered_ = 0;
  bytes_ = 0;
}

}  // namespace chartly
