#include "common/chunk/chunk.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <functional>
#include <limits>
#include <random>

#include "common/chunk/chunk_footer.h"
#include "common/status/status.h"
#include "test/support/test.h"

namespace chartly {
namespace {

using Random = std::mt19937_64;

ColumnData Named(ValueType type, uint32_t rows) {
  ColumnData column;
  column.role = Role::kMeasure;
  column.name = "m";
  column.type = type;
  column.rows = rows;
  return column;
}

// Ways in which integers of real columns follow each other.
std::vector<int64_t> SomeIntegers(Random& random, uint32_t rows) {
  std::vector<int64_t> values(rows);
  const uint64_t kind = random() % 12;
  const auto base = static_cast<int64_t>(random() >> (random() % 64));
  const auto step = static_cast<int64_t>(random() >> (random() % 64));
  const uint64_t period = 1 + random() % 300;
  uint64_t walk = random();
  for (uint32_t i = 0; i < rows; ++i) {
    const uint64_t noise = random();
    walk += noise % 5;
    switch (kind) {
      case 0:
        values[i] = base;
        break;
      case 1:
        values[i] = static_cast<int64_t>(static_cast<uint64_t>(base) + static_cast<uint64_t>(step) * i);
        break;
      case 2:
        values[i] = static_cast<int64_t>(noise);
        break;
      case 3:
        values[i] = static_cast<int64_t>(noise >> (noise % 64));
        break;
      case 4:
        values[i] = static_cast<int64_t>(walk);
        break;
      case 5:
        values[i] = static_cast<int64_t>(i / period * 7919 % 1000);
        break;
      case 6:
        values[i] = static_cast<int64_t>(i % period * 1000 + i / period);
        break;
      case 7:
        values[i] = noise % 50 == 0 ? std::numeric_limits<int64_t>::min() : std::numeric_limits<int64_t>::max();
        break;
      case 8:
        values[i] = static_cast<int64_t>(noise % 600);
        break;
      case 9:
        values[i] = base + static_cast<int64_t>((noise % 40) * (noise % 40) * 60000000 & 0xFFFFFFFFFF);
        break;
      case 10:
        values[i] = noise % 100 == 0 ? static_cast<int64_t>(noise) : 0;
        break;
      default:
        values[i] = -static_cast<int64_t>(noise % 3);
    }
  }
  return values;
}

std::string SomeText(Random& random, uint64_t kind, uint32_t row) {
  switch (kind) {
    case 0:
      return "ST" + std::to_string(1000 + random() % 50);
    case 1:
      return "r" + std::to_string(100000000 + row);
    case 2:
      return std::string(random() % 40, static_cast<char>('a' + random() % 26));
    case 3:
      return random() % 3 == 0 ? "" : std::string("\0\xC3\xA4", 3);
    case 4:
      return std::to_string(random() % 100000);
    case 5: {
      std::string text = "00000000-0000-4000-8000-000000000000";
      for (char& c : text) {
        if (c == '0') c = "0123456789abcdef"[random() % 16];
      }
      return text;
    }
    case 6:
      return "10." + std::to_string(random() % 256) + "." + std::to_string(random() % 256) + ".7";
    case 7:
      return "https://example.org/items/" + std::to_string(row / 3) + "/part" + std::to_string(random() % 9);
    default:
      return std::string(random() % 3 == 0 ? 0 : random() % 300, 'x') + std::to_string(random() % 7);
  }
}

void FillTexts(Random& random, ColumnData& column) {
  const uint64_t kind = random() % 9;
  std::vector<std::string> texts;
  for (uint32_t row = 0; row < column.rows; ++row) {
    texts.push_back(column.IsNull(row) ? std::string() : SomeText(random, kind, row));
  }
  if (random() % 4 == 0) std::sort(texts.begin(), texts.end());
  const bool coded = random() % 3 == 0;
  std::vector<std::string> entries = texts;
  if (coded) {
    std::sort(entries.begin(), entries.end());
    entries.erase(std::unique(entries.begin(), entries.end()), entries.end());
    for (const std::string& text : texts) {
      column.codes.push_back(
          static_cast<uint32_t>(std::lower_bound(entries.begin(), entries.end(), text) - entries.begin()));
    }
  }
  for (const std::string& entry : entries) {
    column.heap += entry;
    column.text_ends.push_back(static_cast<uint32_t>(column.heap.size()));
  }
}

double SomeFloat(Random& random, uint64_t kind, double& walk) {
  const uint64_t noise = random();
  switch (kind) {
    case 0:
      return static_cast<double>(noise % 100000) / 100;
    case 1: {
      const double any = std::bit_cast<double>(noise);
      return std::isfinite(any) ? any : -0.0;
    }
    case 2:
      walk += static_cast<double>(noise % 1000) / 7 - 71;
      return walk;
    case 3:
      return noise % 9 == 0 ? -0.0 : noise % 9 == 1 ? std::numeric_limits<double>::max() : 0.1;
    case 4:
      return static_cast<float>(static_cast<double>(noise % 1000000) / 997);
    case 5:
      return noise % 200 == 0 ? 1e300 : static_cast<double>(noise % 1000) / 10;
    default:
      return static_cast<double>(static_cast<int64_t>(noise)) / 1e18;
  }
}

void FillDecimals(Random& random, ColumnData& column) {
  column.integers = SomeIntegers(random, column.rows);
  column.scale = static_cast<uint8_t>(random() % 39);
  if (random() % 4 == 0) {
    for (int64_t value : column.integers) column.wide.push_back(absl::MakeInt128(value, random()));
    column.integers.clear();
  }
  const uint64_t mixed = random() % 3;
  for (uint32_t row = 0; mixed > 0 && row < column.rows; ++row) {
    uint8_t scale = static_cast<uint8_t>(random() % (mixed == 1 ? 39 : 3));
    column.scales.push_back(scale);
  }
  // As sources write them: no zeros at the end.
  if (mixed == 2 && column.wide.empty()) {
    for (uint32_t row = 0; row < column.rows; ++row) {
      column.integers[row] %= 100000;
      column.scales[row] = 2;
      while (column.scales[row] > 0 && column.integers[row] % 10 == 0) {
        column.integers[row] /= 10;
        --column.scales[row];
      }
    }
  }
}

void FillNulls(Random& random, ColumnData& column) {
  const uint64_t kind = random() % 6;
  if (kind < 2 || column.rows == 0) return;
  column.nulls.assign((column.rows + 63) / 64, 0);
  const uint64_t one_in = kind == 2 ? 1 : 1 + random() % 50;
  for (uint32_t row = 0; row < column.rows; ++row) {
    const bool is_null = kind == 3 ? row / 100 % 2 == 0 : random() % one_in == 0;
    column.nulls[row / 64] |= uint64_t{is_null} << (row % 64);
  }
}

ColumnData SomeColumn(Random& random, ValueType type, uint32_t rows) {
  ColumnData column = Named(type, rows);
  FillNulls(random, column);
  double walk = 100;
  const uint64_t kind = random() % 7;
  switch (type) {
    case ValueType::kText:
      FillTexts(random, column);
      break;
    case ValueType::kFloat:
      for (uint32_t i = 0; i < rows; ++i) column.floats.push_back(SomeFloat(random, kind, walk));
      break;
    case ValueType::kDecimal:
      FillDecimals(random, column);
      break;
    default:
      column.integers = SomeIntegers(random, rows);
  }
  for (int64_t& value : column.integers) {
    if (type == ValueType::kBoolean) value &= 1;
    if (type == ValueType::kDate) value = static_cast<int32_t>(value);
  }
  if (type == ValueType::kTimestamp) {
    column.offset_minutes = static_cast<int16_t>(random() % 2000) - 1000;
    for (uint32_t i = 0; kind > 4 && i < rows; ++i) column.offsets_minutes.push_back(i % 2 == 0 ? 60 : -720);
  }
  return column;
}

std::string Sealed(const ColumnSet& columns) {
  auto chunk = SealChunk(columns, {});
  REQUIRE_OK(chunk);
  return *chunk;
}

// Both null, or the same to the bit.
bool Same(const ColumnData& a, const ColumnData& b, uint32_t row) {
  if (a.IsNull(row) || b.IsNull(row)) return a.IsNull(row) == b.IsNull(row);
  if (a.type == ValueType::kText) return a.Text(row) == b.Text(row);
  if (a.type == ValueType::kFloat) {
    return std::bit_cast<uint64_t>(a.floats[row]) == std::bit_cast<uint64_t>(b.floats[row]);
  }
  return a.Get(row) == b.Get(row);
}

void CheckSame(const ColumnData& a, const ColumnData& b) {
  REQUIRE(a.rows == b.rows);
  CHECK(a.role == b.role);
  CHECK(a.name == b.name);
  CHECK(a.type == b.type);
  uint32_t differ = 0;
  for (uint32_t row = 0; row < a.rows; ++row) differ += Same(a, b, row) ? 0 : 1;
  CHECK(differ == 0);
}

}  // namespace

TEST_CASE("a column of any type comes out of a chunk as it went in") {
  const auto type = static_cast<ValueType>(GENERATE(1, 2, 3, 4, 5, 6, 7));
  Random random(static_cast<uint64_t>(type));
  ChunkScratch scratch;
  ColumnData decoded;  // reused, so that nothing of the column before may stay
  for (int i = 0; i < 60; ++i) {
    const auto rows = static_cast<uint32_t>(1 + random() % (i % 30 == 0 ? 10000 : 500));
    ColumnData column = SomeColumn(random, type, rows);
    const std::string chunk = Sealed({column});
    auto reader = ChunkReader::Open(chunk);
    REQUIRE_OK(reader);
    REQUIRE(reader->columns().size() == 1);
    REQUIRE_OK(reader->Decode(0, decoded, scratch));
    INFO("column " << i << " of type " << static_cast<int>(type));
    CheckSame(column, decoded);
    CHECK_OK(CheckColumns({decoded}));
  }
}

TEST_CASE("the footer says of each column what a plain computation finds") {
  const auto type = static_cast<ValueType>(GENERATE(1, 2, 3, 4, 5, 6, 7));
  Random random(100 + static_cast<uint64_t>(type));
  for (int i = 0; i < 30; ++i) {
    ColumnData column = SomeColumn(random, type, static_cast<uint32_t>(1 + random() % 200));
    const std::string chunk = Sealed({column});
    auto reader = ChunkReader::Open(chunk);
    REQUIRE_OK(reader);
    const ColumnStats& stats = reader->columns()[0].stats;
    Value min;
    Value max;
    for (uint32_t row = 0; row < column.rows; ++row) {
      Value value = column.Get(row);
      if (value.is_null()) continue;
      if (min.is_null() || CompareValues(value, min) < 0) min = value;
      if (max.is_null() || CompareValues(value, max) > 0) max = value;
    }
    CHECK(stats.nulls == column.NullCount());
    if (type == ValueType::kText && !max.is_null()) {
      CHECK(stats.min == Value::Text(absl::string_view(min.text()).substr(0, kMaxStatsTextBytes)));
      CHECK(stats.max == Value::Text(absl::string_view(max.text()).substr(0, kMaxStatsTextBytes)));
      CHECK(stats.max_cut == (max.text().size() > kMaxStatsTextBytes));
    } else {
      CHECK(stats.min == min);
      CHECK(stats.max == max);
    }
    CHECK(stats.MayHold(min, max) == !max.is_null());
    CHECK(stats.MayHold(max, Value()) == !max.is_null());
    CHECK_FALSE(stats.MayHold(Value::Text(std::string(300, 'z')), Value()));
  }
}

TEST_CASE("sums in the footer are exact or not there") {
  ColumnData column = Named(ValueType::kDecimal, 3);
  column.integers = {1050, 5, -1};
  column.scales = {2, 0, 3};
  std::string chunk = Sealed({column});
  CHECK(ChunkReader::Open(chunk)->columns()[0].stats.sum == Decimal{15499, 3});

  column.scales = {0, 38, 0};
  chunk = Sealed({column});
  CHECK_FALSE(ChunkReader::Open(chunk)->columns()[0].stats.sum);

  ColumnData floats = Named(ValueType::kFloat, 5);
  floats.floats = {1e100, 1, -1e100, 1e-30, 0.5};
  chunk = Sealed({floats});
  auto reader = ChunkReader::Open(chunk);
  REQUIRE(reader->columns()[0].stats.float_sum);
  CHECK(reader->columns()[0].stats.float_sum->Rounded() == 1.5);

  floats.floats = {1e308, 1e308, -1e308, 0, 0};
  chunk = Sealed({floats});
  CHECK_FALSE(ChunkReader::Open(chunk)->columns()[0].stats.float_sum);
}

TEST_CASE("one column is read without the others, and each row has the values of its columns") {
  ColumnData name = Named(ValueType::kText, 3);
  name.role = Role::kDim;
  name.name = "city";
  name.heap = "OsloRomaWien";
  name.text_ends = {4, 8, 12};
  ColumnData number = Named(ValueType::kInteger, 3);
  number.integers = {1, 0, 3};
  number.nulls = {2};
  ColumnData text = Named(ValueType::kFloat, 3);
  text.floats = {0, 2.5, 0};
  text.nulls = {5};
  const std::string chunk = Sealed({name, number, text});
  auto reader = ChunkReader::Open(chunk);
  REQUIRE_OK(reader);
  CHECK(reader->rows() == 3);
  CHECK(reader->Find(Role::kMeasure, "m").size() == 2);
  CHECK(reader->Find(Role::kMeasure, "m", ValueType::kFloat) == 2u);
  CHECK_FALSE(reader->Find(Role::kAttr, "m", ValueType::kFloat));
  auto columns = reader->Decode(reader->Find(Role::kMeasure, "m"));
  REQUIRE_OK(columns);
  CHECK(GetValue(*columns, Role::kMeasure, "m", 0) == Value::Integer(1));
  CHECK(GetValue(*columns, Role::kMeasure, "m", 1) == Value::Float(2.5));
  CHECK(reader->first_key() < reader->last_key());
}

TEST_CASE("a chunk with any byte changed is refused, or gives the same values") {
  Random random(7);
  ColumnSet columns;
  for (int type = 1; type <= 7; ++type) {
    columns.push_back(SomeColumn(random, static_cast<ValueType>(type), 40));
    columns.back().name = "c" + std::to_string(type);
  }
  const std::string chunk = Sealed(columns);
  for (size_t at = 0; at < chunk.size(); ++at) {
    std::string damaged = chunk;
    damaged[at] = static_cast<char>(damaged[at] ^ (1 + random() % 255));
    auto reader = ChunkReader::Open(damaged);
    absl::Status status = reader.ok() ? reader->DecodeAll().status() : reader.status();
    CHECK(Reason(status) == "CHUNK_CORRUPT");
  }
  for (size_t size = 0; size < chunk.size(); size += 1 + size / 50) {
    CHECK(Reason(ChunkReader::Open(chunk.substr(0, size)).status()) == "CHUNK_CORRUPT");
  }
}

TEST_CASE("columns that do not fit together are refused") {
  ColumnData a = Named(ValueType::kInteger, 2);
  a.integers = {1, 2};
  ColumnData b = a;
  CHECK(Reason(SealChunk({a, b}, {}).status()) == "COLUMN_INVALID");
  b.name = "n";
  CHECK_OK(SealChunk({a, b}, {}));
  b.integers.push_back(3);
  CHECK(Reason(SealChunk({a, b}, {}).status()) == "COLUMN_INVALID");
  b.rows = 3;
  CHECK(Reason(SealChunk({a, b}, {}).status()) == "COLUMN_INVALID");
  ColumnData large = Named(ValueType::kInteger, kMaxChunkRows + 1);
  large.integers.assign(large.rows, 0);
  CHECK(Reason(SealChunk({large}, {}).status()) == "CHUNK_TOO_LARGE");
}

}  // namespace chartly
