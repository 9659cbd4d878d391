// Writes a table as an Apache Parquet file, front to back, so that it can be streamed: rows are collected into row
// groups, each column of a group is one page packed with zstd, and the metadata comes last. docs/adr/0010 says why we
// write it ourselves.
//
// Memory: one row group, and about 40 bytes a column of every group written. The same rows give the same bytes with
// the same release of zstd. Not thread-safe.
#ifndef CHARTLY_COMMON_PARQUET_PARQUET_WRITER_H_
#define CHARTLY_COMMON_PARQUET_PARQUET_WRITER_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/numeric/int128.h"
#include "absl/strings/string_view.h"

namespace chartly::parquet {

enum class Type { kText, kInteger, kFloat, kBoolean, kTimestamp, kDate, kDecimal };

struct Column {
  std::string name;
  Type type = Type::kText;
  uint8_t scale = 0;  // of a decimal; all have 38 digits
};

// Readers make the best of groups of about this size.
inline constexpr uint32_t kRowsPerGroup = 122880;

class ParquetWriter {
 public:
  explicit ParquetWriter(std::vector<Column> columns);
  ~ParquetWriter();
  ParquetWriter(const ParquetWriter&) = delete;
  ParquetWriter& operator=(const ParquetWriter&) = delete;

  // The value of a column in the row under way, at most one; a column without one is null there. Requires: the type.
  void SetText(size_t column, absl::string_view text);
  void SetInteger(size_t column, int64_t number);
  void SetFloat(size_t column, double number);
  void SetBoolean(size_t column, bool value);
  void SetTimestamp(size_t column, int64_t micros);  // since 1970 UTC
  void SetDate(size_t column, int32_t days);         // since 1970-01-01
  void SetDecimal(size_t column, absl::int128 unscaled);
  void EndRow();

  // Rows and bytes collected and not yet given out.
  uint32_t pending_rows() const { return rows_; }
  size_t pending_bytes() const { return bytes_; }
  // Appends what was collected to `out` as one row group. Requires: pending_rows() > 0.
  void WriteGroup(std::string& out);
  // Appends the last group, if any, and the end of the file. Nothing may follow.
  void Finish(std::string& out);

 private:
  struct Values;
  struct Chunk {  // a column of a group that was written
    int64_t offset = 0;
    int64_t packed_bytes = 0;
    int64_t unpacked_bytes = 0;
    int64_t nulls = 0;
  };
  struct Group {
    int64_t rows = 0;
    std::vector<Chunk> chunks;
  };

  Values& Take(size_t column, size_t bytes);
  void WriteMagic(std::string& out);
  Chunk WriteColumn(const Column& column, const Values& values, std::string& out);
  std::string Footer() const;

  const std::vector<Column> columns_;
  std::vector<Values> values_;
  uint32_t rows_ = 0;
  size_t bytes_ = 0;
  int64_t written_ = 0;  // bytes of the file so far
  std::vector<Group> groups_;
};

}  // namespace chartly::parquet

#endif  // CHARTLY_COMMON_PARQUET_PARQUET_WRITER_H_
