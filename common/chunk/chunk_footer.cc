#include "common/chunk/chunk_footer.h"

#include <xxhash.h>

#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "common/status/status.h"

namespace chartly {
namespace {

// Longest name, key dim or key of a row that is read.
constexpr size_t kMaxNameBytes = size_t{1} << 26;
// A sum of doubles needs no more parts: their bits do not overlap.
constexpr size_t kMaxSumParts = 64;
constexpr int kMaxScale = 38;

// What is said of a column besides its values.
enum StatsFlag : uint8_t { kHasSum = 1, kMaxCut = 2 };

void AppendWide(absl::int128 value, std::string& out) {
  absl::uint128 bits = static_cast<absl::uint128>(value);
  bits = value < 0 ? ~(bits << 1) : bits << 1;
  for (; bits >= 0x80; bits >>= 7) out.push_back(static_cast<char>(absl::Uint128Low64(bits) | 0x80));
  out.push_back(static_cast<char>(absl::Uint128Low64(bits)));
}

bool ReadWide(ByteReader& in, absl::int128& value) {
  absl::uint128 bits = 0;
  for (int shift = 0; shift < 128; shift += 7) {
    uint8_t byte = 0;
    if (!in.Byte(byte)) return false;
    bits |= absl::uint128(byte & 0x7F) << shift;
    if (byte >= 0x80) continue;
    value = static_cast<absl::int128>((bits & 1) != 0 ? ~(bits >> 1) : bits >> 1);
    return true;
  }
  return false;
}

void AppendDecimal(const Decimal& decimal, std::string& out) {
  AppendWide(decimal.unscaled, out);
  out.push_back(static_cast<char>(decimal.scale));
}

bool ReadDecimal(ByteReader& in, Decimal& decimal) {
  return ReadWide(in, decimal.unscaled) && in.Byte(decimal.scale) && decimal.scale <= kMaxScale;
}

void AppendValue(const Value& value, std::string& out) {
  switch (value.type()) {
    case ValueType::kText:
      return AppendText(value.text(), out);
    case ValueType::kInteger:
      return AppendSigned(value.integer(), out);
    case ValueType::kDecimal:
      return AppendDecimal(value.decimal(), out);
    case ValueType::kFloat:
      return AppendFixed(value.float_value(), out);
    case ValueType::kBoolean:
      out.push_back(value.boolean() ? 1 : 0);
      return;
    case ValueType::kTimestamp:
      AppendSigned(value.timestamp().micros, out);
      return AppendSigned(value.timestamp().offset_minutes, out);
    case ValueType::kDate:
      return AppendSigned(value.date().days, out);
    case ValueType::kNull:
      return;
  }
}

bool ReadTimestamp(ByteReader& in, Value& value) {
  int64_t micros = 0;
  int64_t offset = 0;
  if (!in.Signed(micros) || !in.Signed(offset)) return false;
  value = Value::Of(Timestamp{micros, static_cast<int16_t>(offset)});
  return true;
}

bool ReadValue(ByteReader& in, ValueType type, Value& value) {
  absl::string_view text;
  int64_t integer = 0;
  Decimal decimal;
  double number = 0;
  uint8_t byte = 0;
  switch (type) {
    case ValueType::kText:
      if (!in.Text(kMaxStatsTextBytes, text)) return false;
      value = Value::Text(text);
      return true;
    case ValueType::kInteger:
      if (!in.Signed(integer)) return false;
      value = Value::Integer(integer);
      return true;
    case ValueType::kDecimal:
      if (!ReadDecimal(in, decimal)) return false;
      value = Value::Of(decimal);
      return true;
    case ValueType::kFloat:
      if (!in.Fixed(number)) return false;
      value = Value::Float(number);
      return true;
    case ValueType::kBoolean:
      if (!in.Byte(byte)) return false;
      value = Value::Boolean(byte != 0);
      return true;
    case ValueType::kTimestamp:
      return ReadTimestamp(in, value);
    case ValueType::kDate:
      if (!in.Signed(integer)) return false;
      value = Value::Of(Date{static_cast<int32_t>(integer)});
      return true;
    case ValueType::kNull:
      break;
  }
  return false;
}

void AppendStats(const ColumnStats& stats, std::string& out) {
  AppendVarint(stats.nulls, out);
  if (stats.min.is_null()) return;
  const bool has_sum = stats.sum || stats.float_sum;
  out.push_back(static_cast<char>((has_sum ? kHasSum : 0) | (stats.max_cut ? kMaxCut : 0)));
  AppendValue(stats.min, out);
  AppendValue(stats.max, out);
  if (stats.sum) AppendDecimal(*stats.sum, out);
  if (!stats.float_sum) return;
  const std::vector<double> parts = stats.float_sum->Parts();
  AppendVarint(parts.size(), out);
  for (double part : parts) AppendFixed(part, out);
}

bool ReadFloatSum(ByteReader& in, ColumnStats& stats) {
  size_t count = 0;
  if (!in.Count(kMaxSumParts, count)) return false;
  stats.float_sum.emplace();
  for (size_t i = 0; i < count; ++i) {
    double part = 0;
    if (!in.Fixed(part) || !std::isfinite(part)) return false;
    stats.float_sum->Add(part);
  }
  return stats.float_sum->finite();
}

bool ReadStats(ByteReader& in, ValueType type, uint32_t rows, ColumnStats& stats) {
  size_t nulls = 0;
  if (!in.Count(rows, nulls)) return false;
  stats.nulls = static_cast<uint32_t>(nulls);
  if (nulls == rows) return true;
  uint8_t flags = 0;
  if (!in.Byte(flags) || !ReadValue(in, type, stats.min) || !ReadValue(in, type, stats.max)) return false;
  stats.max_cut = (flags & kMaxCut) != 0;
  if ((flags & kHasSum) == 0) return true;
  if (type == ValueType::kFloat) return ReadFloatSum(in, stats);
  stats.sum.emplace();
  return ReadDecimal(in, *stats.sum);
}

}  // namespace

absl::Status CorruptChunk(absl::string_view what) {
  return Error(absl::StatusCode::kDataLoss, "CHUNK_CORRUPT", absl::StrCat("the chunk is damaged: ", what));
}

uint32_t ColumnChecksum(absl::string_view bytes) {
  return static_cast<uint32_t>(XXH3_64bits(bytes.data(), bytes.size()));
}

void AppendFooter(const FooterInput& input, const std::vector<ChunkColumn>& columns,
                  const std::vector<uint32_t>& checksums, std::string& chunk) {
  std::string footer;
  AppendVarint(input.rows, footer);
  AppendVarint(input.key.size(), footer);
  for (const std::string& dim : input.key) AppendText(dim, footer);
  AppendText(input.first_key, footer);
  auto [first, last] =
      std::mismatch(input.first_key.begin(), input.first_key.end(), input.last_key.begin(), input.last_key.end());
  const auto shared = static_cast<size_t>(last - input.last_key.begin());
  AppendVarint(shared, footer);
  AppendText(absl::string_view(input.last_key).substr(shared), footer);
  AppendVarint(columns.size(), footer);
  for (size_t i = 0; i < columns.size(); ++i) {
    const ChunkColumn& column = columns[i];
    footer.push_back(static_cast<char>(static_cast<int>(column.role) | static_cast<int>(column.type) << 4));
    AppendText(column.name, footer);
    AppendVarint(column.encoded_bytes, footer);
    AppendFixed(checksums[i], footer);
    AppendStats(column.stats, footer);
  }
  AppendFixed(static_cast<uint32_t>(footer.size()), footer);
  AppendFixed(kChunkFormatVersion, footer);
  AppendFixed(uint16_t{0}, footer);
  footer.append(kChunkMagic, 4);
  AppendFixed(uint64_t{XXH3_64bits(footer.data(), footer.size())}, footer);
  chunk += footer;
}

bool FooterReader::ReadRows(ByteReader& in, ChunkReader& reader) {
  size_t rows = 0;
  size_t dims = 0;
  if (!in.Count(kMaxChunkRows, rows) || !in.Count(kMaxChunkColumns, dims)) return false;
  reader.rows_ = static_cast<uint32_t>(rows);
  absl::string_view text;
  for (size_t i = 0; i < dims; ++i) {
    if (!in.Text(kMaxNameBytes, text)) return false;
    reader.key_.emplace_back(text);
  }
  if (!in.Text(kMaxNameBytes, text)) return false;
  reader.first_key_ = std::string(text);
  size_t shared = 0;
  if (!in.Count(reader.first_key_.size(), shared) || !in.Text(kMaxNameBytes, text)) return false;
  reader.last_key_ = reader.first_key_.substr(0, shared);
  reader.last_key_.append(text.data(), text.size());
  return true;
}

bool FooterReader::ReadColumns(ByteReader& in, size_t column_bytes, ChunkReader& reader) {
  size_t count = 0;
  if (!in.Count(kMaxChunkColumns, count)) return false;
  uint64_t offset = 0;
  for (size_t i = 0; i < count; ++i) {
    ChunkColumn column;
    ChunkReader::Place place;
    uint8_t role_and_type = 0;
    absl::string_view name;
    size_t size = 0;
    if (!in.Byte(role_and_type) || !in.Text(kMaxNameBytes, name) || !in.Count(column_bytes - offset, size))
      return false;
    column.role = static_cast<Role>(role_and_type & 15);
    column.type = static_cast<ValueType>(role_and_type >> 4);
    const bool known = column.role >= Role::kDim && column.role <= Role::kSystem && column.type >= ValueType::kText &&
                       column.type <= ValueType::kDate;
    if (!known || !in.Fixed(place.checksum) || !ReadStats(in, column.type, reader.rows_, column.stats)) return false;
    column.name = std::string(name);
    column.encoded_bytes = static_cast<uint32_t>(size);
    place.offset = static_cast<uint32_t>(offset);
    offset += size;
    reader.columns_.push_back(std::move(column));
    reader.places_.push_back(place);
  }
  return offset == column_bytes;
}

absl::StatusOr<ChunkReader> FooterReader::Read(absl::string_view chunk) {
  if (chunk.size() < kChunkTrailerBytes || chunk.size() > UINT32_MAX) return CorruptChunk("its length is wrong");
  const char* trailer = chunk.data() + chunk.size() - kChunkTrailerBytes;
  if (absl::string_view(trailer + 8, 4) != kChunkMagic) return CorruptChunk("it does not end as a chunk does");
  if (LoadAs<uint16_t>(trailer + 4) != kChunkFormatVersion) {
    return CorruptChunk("its format version is not known; a newer release may read it");
  }
  const size_t footer_bytes = LoadAs<uint32_t>(trailer);
  if (footer_bytes > chunk.size() - kChunkTrailerBytes) return CorruptChunk("its footer is longer than itself");
  const size_t column_bytes = chunk.size() - kChunkTrailerBytes - footer_bytes;
  absl::string_view summed = chunk.substr(column_bytes, footer_bytes + kChunkTrailerBytes - 8);
  if (XXH3_64bits(summed.data(), summed.size()) != LoadAs<uint64_t>(trailer + 12)) {
    return CorruptChunk("the checksum of its footer does not match");
  }
  ChunkReader reader;
  reader.bytes_ = chunk;
  ByteReader in(summed.substr(0, footer_bytes));
  if (!ReadRows(in, reader) || !ReadColumns(in, column_bytes, reader) || in.left() > 0) {
    return CorruptChunk("its footer cannot be read");
  }
  return reader;
}

}  // namespace chartly
