// A columnar batch: up to kMaxBatchRows records of one run. The same bytes lie in the spool, travel on the wire and
// stay in the store; docs/formats/batch.md gives the layout.
//
// BatchBuilder makes one, Batch reads one. Neither is thread-safe; a const Batch may be read from several threads.
#ifndef CHARTLY_COMMON_BATCH_BATCH_H_
#define CHARTLY_COMMON_BATCH_BATCH_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "chartly/storage/v1/batch.pb.h"
#include "common/batch/column_value.h"
#include "common/value/value.h"

namespace chartly {

inline constexpr uint32_t kMaxBatchRows = 65536;
// Bound of a whole batch and of its unpacked body.
inline constexpr size_t kMaxBatchBytes = size_t{4} << 20;
inline constexpr size_t kMaxBatchBodyBytes = size_t{64} << 20;
inline constexpr size_t kMaxQuarantinedRawBytes = size_t{16} << 10;

using BatchHeader = storage::v1::BatchHeader;
// As in batch.proto. kSystem is only in sealed chunks (common/chunk).
enum class Role : uint8_t { kDim = 1, kMeasure = 2, kAttr = 3, kSource = 4, kSystem = 5 };
class ColumnBuilder;

// Collects rows, then packs them. Use: SetOrigin once, then for each row AddRow, or BeginRow, Set..., and EndRow or
// DropRow; Finish packs what is there and starts anew with the same origin and columns.
class BatchBuilder {
 public:
  // Provenance that all rows share: tenant, profile_id, revision, run_id, drone_id, source_uri, payload_sha256,
  // observed_us and key are taken; the rest is ignored. May be called again between batches.
  void SetOrigin(const BatchHeader& origin);

  // Declares a column and returns its number; the same role and name again give the same number. The type is that of
  // the values set; a column may hold several types.
  size_t AddColumn(Role role, absl::string_view name);

  void BeginRow(uint32_t page, uint32_t row);
  // Requires: BeginRow was called; `column` came from AddColumn. Null is the same as not set; set twice, the last
  // holds. Bytes of a text that are not UTF-8 become U+FFFD.
  void Set(size_t column, const ColumnValue& value);
  void Set(size_t column, const Value& value) { Set(column, ColumnValue::Of(value)); }
  void SetText(size_t column, absl::string_view text) { Set(column, ColumnValue::Text(text)); }
  void SetInteger(size_t column, int64_t integer) { Set(column, ColumnValue::Integer(integer)); }
  // Keeps the row, or forgets what was set since BeginRow.
  void EndRow();
  void DropRow();
  // A whole row: BeginRow, Set of values[i] in columns[i], EndRow.
  void AddRow(uint32_t page, uint32_t row, const std::vector<size_t>& columns, const std::vector<ColumnValue>& values);
  // `count` rows of `page` that follow each other from `row` on, as AddRow would add each; values[i * stride] is the
  // first value of columns[i], those of the further rows behind it. Requires: no column comes twice.
  void AddRows(uint32_t page, uint32_t row, size_t count, const std::vector<size_t>& columns, const ColumnValue* values,
               size_t stride);
  // Counts a row that the filter left out.
  void CountFiltered() { ++filtered_; }
  // Files a row that broke its contract; `raw` is cut at kMaxQuarantinedRawBytes at a character boundary. Between rows.
  void Quarantine(absl::string_view reason_code, absl::string_view field, absl::string_view message,
                  absl::string_view raw, uint32_t page, uint32_t row);

  uint32_t rows() const { return rows_; }
  int64_t filtered() const { return filtered_; }
  int64_t quarantined() const { return quarantined_.size(); }
  // Rows, filtered and quarantined together.
  int64_t fetched() const { return rows_ + filtered_ + quarantined(); }
  // Upper bound of the unpacked size so far, quarantined rows included; callers Finish before it passes their target.
  size_t bytes() const { return bytes_; }
  bool empty() const { return fetched() == 0; }

  // The largest value of a column among the rows so far, in the order of CompareValues; null if there is none.
  Value Largest(size_t column) const;

  // The packed batch, at most kMaxBatchBytes. ResourceExhausted (BATCH_TOO_LARGE) if it does not fit: the caller
  // must Finish earlier; what was collected stays. Requires: !empty(). A batch of only filtered or quarantined rows is
  // fine.
  absl::StatusOr<std::string> Finish();

  BatchBuilder();
  ~BatchBuilder();
  BatchBuilder(const BatchBuilder&) = delete;
  BatchBuilder& operator=(const BatchBuilder&) = delete;

 private:
  struct Column;
  struct Packer;
  // The column of that type, ready to take a value of the row under way.
  ColumnBuilder& Prepare(size_t column, ValueType type);
  ColumnBuilder& OfType(Column& column, ValueType type);
  ColumnBuilder& NewType(Column& column, ValueType type);
  void Put(size_t column, const ColumnValue& value);
  // The columns with values in the order of the format; their bytes go to the packer.
  BatchHeader PackColumns() const;
  void Clear();

  BatchHeader origin_;
  const std::unique_ptr<Packer> packer_;
  std::vector<Column> columns_;
  std::unique_ptr<ColumnBuilder> source_pages_;
  std::unique_ptr<ColumnBuilder> source_rows_;
  std::vector<storage::v1::Quarantined> quarantined_;
  uint32_t rows_ = 0;
  uint32_t page_ = 0;  // of the row under way
  uint32_t row_ = 0;   // of the row under way
  int64_t filtered_ = 0;
  size_t bytes_ = 0;
  size_t row_bytes_ = 0;  // what a row adds, whatever it holds
};

// One column of a batch. Cheap to copy; valid while its Batch lives.
class BatchColumn {
 public:
  Role role() const { return role_; }
  const std::string& name() const { return *name_; }
  ValueType type() const { return type_; }
  bool has_nulls() const { return nulls_ != nullptr; }
  bool IsNull(uint32_t row) const;
  // The value; null if IsNull.
  Value Get(uint32_t row) const;
  // Requires: type() is kText and the row is not null.
  absl::string_view Text(uint32_t row) const;
  // Requires: a number column and the row is not null. Does not allocate.
  double AsDouble(uint32_t row) const;
  // Dictionary columns: distinct entries, and the entry of a row. A plain column has 0 entries.
  uint32_t dictionary_size() const { return dictionary_size_; }
  uint32_t DictionaryIndex(uint32_t row) const;
  Value DictionaryValue(uint32_t index) const;
  // The entries of `count` rows from `first` on. Requires: a dictionary column.
  void ReadIndexes(uint32_t first, uint32_t count, uint32_t* indexes) const;
  // The values of `count` rows from `first` on, without a dictionary or with one: integers, booleans, dates as days,
  // timestamps as microseconds, decimals as unscaled values. Anything for a row that is null. `scales`, if not null,
  // gets the scale of each. False for texts, floats and decimals of more than 64 bits.
  bool ReadNumbers(uint32_t first, uint32_t count, int64_t* numbers, uint8_t* scales) const;
  // The offsets of `count` rows from `first` on, in minutes. Anything for a row that is null. Requires: timestamps.
  void ReadOffsets(uint32_t first, uint32_t count, int16_t* minutes) const;

 private:
  friend class BatchParser;
  // Value number `position` of the plain values or of the dictionary.
  uint32_t Position(uint32_t row) const { return index_width_ == 0 ? row : DictionaryIndex(row); }
  absl::string_view TextAt(uint32_t position) const;
  Decimal DecimalAt(uint32_t position) const;
  Value ValueAt(uint32_t position) const;
  Role role_ = Role::kDim;
  const std::string* name_ = nullptr;
  ValueType type_ = ValueType::kNull;
  uint32_t rows_ = 0;
  uint32_t dictionary_size_ = 0;
  uint8_t index_width_ = 0;         // 1 or 2 bytes; 0 for a plain column
  uint8_t width_ = 0;               // bytes of an integer or unscaled decimal
  uint8_t scale_ = 0;               // of all decimals, if scales_ is nullptr
  const uint8_t* nulls_ = nullptr;  // one bit a row, lowest first, 1 is null; nullptr if none is
  const uint8_t* indexes_ = nullptr;
  const uint8_t* values_ = nullptr;   // fixed-size values, or offsets of text
  const uint8_t* scales_ = nullptr;   // one byte a decimal
  const uint8_t* offsets_ = nullptr;  // two bytes a timestamp: minutes from UTC
  const char* heap_ = nullptr;        // text bytes
};

class Batch {
 public:
  // Checks the checksum and every length and offset, and unpacks. DataLoss (BATCH_CORRUPT) if anything is off; never
  // reads out of bounds and never takes more than kMaxBatchBodyBytes, whatever the bytes are.
  static absl::StatusOr<Batch> Parse(absl::string_view bytes);
  // Only the header, with the checksum checked.
  static absl::StatusOr<BatchHeader> ParseHeader(absl::string_view bytes);

  const BatchHeader& header() const { return *header_; }
  uint32_t rows() const { return header_->rows(); }
  // Rows, filtered and quarantined together.
  int64_t fetched() const { return int64_t{rows()} + header_->filtered() + header_->quarantined_size(); }
  const std::vector<BatchColumn>& columns() const { return columns_; }
  // The columns of that role and name, one a type; empty if none.
  std::vector<const BatchColumn*> Find(Role role, absl::string_view name) const;
  // The value of that name in a row, whichever column holds it; null if none does.
  Value Get(Role role, absl::string_view name, uint32_t row) const;
  // One-based page and row of the payload.
  uint32_t SourcePage(uint32_t row) const;
  uint32_t SourceRow(uint32_t row) const;

 private:
  std::shared_ptr<const BatchHeader> header_;
  std::shared_ptr<const std::string> body_;
  std::vector<BatchColumn> columns_;
};

}  // namespace chartly

#endif  // CHARTLY_COMMON_BATCH_BATCH_H_
