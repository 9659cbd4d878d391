#include "common/parquet/parquet_writer.h"

#include <zstd.h>

#include <bit>
#include <cstring>

#include "common/parquet/thrift_writer.h"

namespace chartly::parquet {
namespace {

constexpr char kMagic[] = "PAR1";
constexpr int kZstdLevel = 3;
constexpr int kDecimalBytes = 16;
constexpr int kDecimalDigits = 38;

// Numbers of parquet.thrift.
enum PhysicalType : int32_t {
  kBooleanType = 0,
  kInt32Type = 1,
  kInt64Type = 2,
  kDoubleType = 5,
  kBytesType = 6,
  kFixedBytesType = 7
};
constexpr int32_t kOptional = 1;
constexpr int32_t kDataPage = 0;
constexpr int32_t kPlain = 0;
constexpr int32_t kRle = 3;
constexpr int32_t kZstd = 6;

PhysicalType PhysicalTypeOf(Type type) {
  switch (type) {
    case Type::kText:
      return kBytesType;
    case Type::kInteger:
    case Type::kTimestamp:
      return kInt64Type;
    case Type::kFloat:
      return kDoubleType;
    case Type::kBoolean:
      return kBooleanType;
    case Type::kDate:
      return kInt32Type;
    case Type::kDecimal:
      return kFixedBytesType;
  }
  return kBytesType;
}

template <typename Number>
void AppendNumber(Number number, std::string& out) {
  static_assert(std::endian::native == std::endian::little, "numbers are stored as they lie in memory");
  char bytes[sizeof(Number)];
  std::memcpy(bytes, &number, sizeof(Number));
  out.append(bytes, sizeof(Number));
}

// What a column means, in both of the forms that readers look for.
void WriteMeaning(const Column& column, ThriftWriter& schema) {
  switch (column.type) {
    case Type::kText:
      schema.Integer32(6, 0);  // UTF8
      schema.BeginStruct(10);
      schema.BeginStruct(1);
      break;
    case Type::kDecimal:
      schema.Integer32(6, 5);  // DECIMAL
      schema.Integer32(7, column.scale);
      schema.Integer32(8, kDecimalDigits);
      schema.BeginStruct(10);
      schema.BeginStruct(5);
      schema.Integer32(1, column.scale);
      schema.Integer32(2, kDecimalDigits);
      break;
    case Type::kDate:
      schema.Integer32(6, 6);  // DATE
      schema.BeginStruct(10);
      schema.BeginStruct(6);
      break;
    case Type::kTimestamp:
      schema.Integer32(6, 10);  // TIMESTAMP_MICROS
      schema.BeginStruct(10);
      schema.BeginStruct(8);
      schema.Boolean(1, true);  // in UTC
      schema.BeginStruct(2);
      schema.BeginStruct(2);  // micros
      schema.EndStruct();
      schema.EndStruct();
      break;
    case Type::kInteger:
    case Type::kFloat:
    case Type::kBoolean:
      return;
  }
  schema.EndStruct();
  schema.EndStruct();
}

void WriteSchema(const std::vector<Column>& columns, ThriftWriter& footer) {
  footer.BeginStructs(2, columns.size() + 1);
  footer.BeginElement();
  footer.Text(4, "records");
  footer.Integer32(5, static_cast<int32_t>(columns.size()));
  footer.EndStruct();
  for (const Column& column : columns) {
    footer.BeginElement();
    footer.Integer32(1, PhysicalTypeOf(column.type));
    if (column.type == Type::kDecimal) footer.Integer32(2, kDecimalBytes);
    footer.Integer32(3, kOptional);
    footer.Text(4, column.name);
    WriteMeaning(column, footer);
    footer.EndStruct();
  }
}

std::string Pack(absl::string_view bytes) {
  std::string packed(ZSTD_compressBound(bytes.size()), '\0');
  size_t size = ZSTD_compress(packed.data(), packed.size(), bytes.data(), bytes.size(), kZstdLevel);
  packed.resize(ZSTD_isError(size) != 0 ? 0 : size);  // fails for want of memory alone
  return packed;
}

}  // namespace

struct ParquetWriter::Values {
  std::string plain;               // values that are not null, one after the other
  std::vector<uint8_t> bits;       // those of a boolean column
  std::vector<uint8_t> presences;  // one a row
  uint32_t nulls = 0;
};

ParquetWriter::ParquetWriter(std::vector<Column> columns) : columns_(std::move(columns)), values_(columns_.size()) {}
ParquetWriter::~ParquetWriter() = default;

ParquetWriter::Values& ParquetWriter::Take(size_t column, size_t bytes) {
  Values& values = values_[column];
  values.presences.push_back(1);
  bytes_ += bytes;
  return values;
}

void ParquetWriter::SetText(size_t column, absl::string_view text) {
  Values& values = Take(column, text.size() + 4);
  AppendNumber(static_cast<uint32_t>(text.size()), values.plain);
  values.plain.append(text.data(), text.size());
}

void ParquetWriter::SetInteger(size_t column, int64_t number) { AppendNumber(number, Take(column, 8).plain); }
void ParquetWriter::SetTimestamp(size_t column, int64_t micros) { AppendNumber(micros, Take(column, 8).plain); }
void ParquetWriter::SetFloat(size_t column, double number) { AppendNumber(number, Take(column, 8).plain); }
void ParquetWriter::SetDate(size_t column, int32_t days) { AppendNumber(days, Take(column, 4).plain); }
void ParquetWriter::SetBoolean(size_t column, bool value) { Take(column, 1).bits.push_back(value ? 1 : 0); }

void ParquetWriter::SetDecimal(size_t column, absl::int128 unscaled) {
  Values& values = Take(column, kDecimalBytes);
  auto bits = static_cast<absl::uint128>(unscaled);
  for (int shift = 120; shift >= 0; shift -= 8) {
    values.plain.push_back(static_cast<char>(absl::Uint128Low64(bits >> shift)));
  }
}

void ParquetWriter::EndRow() {
  ++rows_;
  bytes_ += columns_.size();
  for (Values& values : values_) {
    if (values.presences.size() == rows_) continue;
    values.presences.push_back(0);
    ++values.nulls;
  }
}

namespace {

void AppendVarint(uint32_t number, std::string& out) {
  for (; number >= 0x80; number >>= 7) out.push_back(static_cast<char>(number | 0x80));
  out.push_back(static_cast<char>(number));
}

// One bit a value, lowest bit first.
void AppendBits(const std::vector<uint8_t>& bits, std::string& out) {
  for (size_t i = 0; i < bits.size(); i += 8) {
    unsigned byte = 0;
    for (size_t j = i; j < std::min(i + 8, bits.size()); ++j) byte |= unsigned{bits[j]} << (j - i);
    out.push_back(static_cast<char>(byte));
  }
}

// Which rows have a value: one run if all have or none has, else a bit a row.
void AppendPresences(const std::vector<uint8_t>& presences, uint32_t nulls, std::string& out) {
  std::string levels;
  auto rows = static_cast<uint32_t>(presences.size());
  if (nulls == 0 || nulls == rows) {
    AppendVarint(rows << 1, levels);
    levels.push_back(nulls == 0 ? 1 : 0);
  } else {
    AppendVarint((rows + 7) / 8 << 1 | 1, levels);
    AppendBits(presences, levels);
  }
  AppendNumber(static_cast<uint32_t>(levels.size()), out);
  out += levels;
}

std::string PageHeader(size_t unpacked, size_t packed, size_t rows) {
  std::string bytes;
  ThriftWriter header(bytes);
  header.Integer32(1, kDataPage);
  header.Integer32(2, static_cast<int32_t>(unpacked));
  header.Integer32(3, static_cast<int32_t>(packed));
  header.BeginStruct(5);
  header.Integer32(1, static_cast<int32_t>(rows));
  header.Integer32(2, kPlain);
  header.Integer32(3, kRle);
  header.Integer32(4, kRle);
  header.EndStruct();
  header.EndStruct();
  return bytes;
}

}  // namespace

ParquetWriter::Chunk ParquetWriter::WriteColumn(const Column& column, const Values& values, std::string& out) {
  std::string page;
  AppendPresences(values.presences, values.nulls, page);
  if (column.type == Type::kBoolean) {
    AppendBits(values.bits, page);
  } else {
    page += values.plain;
  }
  std::string packed = Pack(page);
  std::string header = PageHeader(page.size(), packed.size(), values.presences.size());
  Chunk chunk;
  chunk.offset = written_;
  chunk.packed_bytes = static_cast<int64_t>(header.size() + packed.size());
  chunk.unpacked_bytes = static_cast<int64_t>(header.size() + page.size());
  chunk.nulls = values.nulls;
  out += header;
  out += packed;
  written_ += chunk.packed_bytes;
  return chunk;
}

void ParquetWriter::WriteMagic(std::string& out) {
  out.append(kMagic, 4);
  written_ += 4;
}

void ParquetWriter::WriteGroup(std::string& out) {
  if (written_ == 0) WriteMagic(out);
  Group& group = groups_.emplace_back();
  group.rows = rows_;
  for (size_t i = 0; i < columns_.size(); ++i) group.chunks.push_back(WriteColumn(columns_[i], values_[i], out));
  for (Values& values : values_) {
    values.plain.clear();
    values.bits.clear();
    values.presences.clear();
    values.nulls = 0;
  }
  rows_ = 0;
  bytes_ = 0;
}

std::string ParquetWriter::Footer() const {
  std::string bytes;
  ThriftWriter footer(bytes);
  footer.Integer32(1, 2);  // version
  WriteSchema(columns_, footer);
  int64_t rows = 0;
  for (const Group& group : groups_) rows += group.rows;
  footer.Integer64(3, rows);
  footer.BeginStructs(4, groups_.size());
  for (const Group& group : groups_) {
    int64_t unpacked = 0;
    footer.BeginElement();
    footer.BeginStructs(1, columns_.size());
    for (size_t i = 0; i < columns_.size(); ++i) {
      const Chunk& chunk = group.chunks[i];
      unpacked += chunk.unpacked_bytes;
      footer.BeginElement();
      footer.Integer64(2, chunk.offset);
      footer.BeginStruct(3);
      footer.Integer32(1, PhysicalTypeOf(columns_[i].type));
      footer.BeginIntegers(2, 2);
      footer.ElementInteger(kPlain);
      footer.ElementInteger(kRle);
      footer.BeginTexts(3, 1);
      footer.ElementText(columns_[i].name);
      footer.Integer32(4, kZstd);
      footer.Integer64(5, group.rows);
      footer.Integer64(6, chunk.unpacked_bytes);
      footer.Integer64(7, chunk.packed_bytes);
      footer.Integer64(9, chunk.offset);
      footer.BeginStruct(12);
      footer.Integer64(3, chunk.nulls);
      footer.EndStruct();
      footer.EndStruct();
      footer.EndStruct();
    }
    footer.Integer64(2, unpacked);
    footer.Integer64(3, group.rows);
    footer.EndStruct();
  }
  footer.Text(6, "chartly");
  footer.EndStruct();
  return bytes;
}

void ParquetWriter::Finish(std::string& out) {
  if (rows_ > 0) WriteGroup(out);
  if (written_ == 0) WriteMagic(out);
  std::string footer = Footer();
  AppendNumber(static_cast<uint32_t>(footer.size()), footer);
  out += footer;
  WriteMagic(out);
}

}  // namespace chartly::parquet
