// Keys, ids, batches as columns, and rows gathered: what the store does with columns besides sealing them.
#include <algorithm>
#include <numeric>
#include <random>

#include "common/batch/record_id.h"
#include "common/chunk/batch_columns.h"
#include "common/chunk/chunk.h"
#include "common/chunk/column_ids.h"
#include "common/chunk/radix_sort.h"
#include "common/chunk/row_gatherer.h"
#include "common/chunk/row_order.h"
#include "common/chunk/sort_key.h"
#include "test/support/test.h"

namespace chartly {
namespace {

using Random = std::mt19937_64;

Value SomeValue(Random& random) {
  const auto small = static_cast<int64_t>(random() % 9) - 4;
  switch (random() % 12) {
    case 0:
      return Value::Integer(small);
    case 1:
      return Value::Of(Decimal{small * 100, 2});
    case 2:
      return Value::Float(static_cast<double>(small));
    case 3:
      return Value::Of(Decimal{absl::MakeInt128(static_cast<int64_t>(random()), random()), 5});
    case 4:
      return Value::Float(static_cast<double>(small) / 8);
    case 5:
      return Value::Boolean(small > 0);
    case 6:
      return Value::Of(Timestamp{static_cast<int64_t>(random()), static_cast<int16_t>(small)});
    case 7:
      return Value::Of(Date{static_cast<int32_t>(random())});
    case 8:
      return Value::Integer(static_cast<int64_t>(random() >> random() % 64));
    case 9:
      return Value::Text(std::string(random() % 4, '\0') + "a");
    case 10:
      return Value();
    default:
      return Value::Text(std::string(1, static_cast<char>('a' + random() % 5)));
  }
}

Batch SomeBatch(Random& random, int rows, const std::vector<std::string>& key) {
  BatchBuilder builder;
  BatchHeader origin;
  origin.set_profile_id("p");
  for (const std::string& dim : key) origin.add_key(dim);
  builder.SetOrigin(origin);
  const size_t columns[] = {builder.AddColumn(Role::kDim, "a"), builder.AddColumn(Role::kDim, "b"),
                            builder.AddColumn(Role::kMeasure, "m"), builder.AddColumn(Role::kAttr, "t")};
  for (int i = 0; i < rows; ++i) {
    builder.BeginRow(1, static_cast<uint32_t>(i + 1));
    for (size_t column : columns) builder.Set(column, SomeValue(random));
    builder.EndRow();
  }
  auto batch = Batch::Parse(*builder.Finish());
  REQUIRE_OK(batch);
  return *batch;
}

constexpr std::pair<Role, const char*> kFields[] = {
    {Role::kDim, "a"}, {Role::kDim, "b"}, {Role::kMeasure, "m"}, {Role::kAttr, "t"}};

void CheckRow(const Batch& batch, uint32_t from, const ColumnSet& columns, uint32_t row) {
  for (const auto& [role, name] : kFields) {
    CHECK(GetValue(columns, role, name, row) == batch.Get(role, name, from));
  }
  CHECK(GetValue(columns, Role::kSource, kRowColumn, row) == Value::Integer(batch.SourceRow(from)));
  CHECK(GetValue(columns, Role::kSystem, kRowColumn, row) == Value::Integer(from));
}

}  // namespace

TEST_CASE("keys of rows sort as their values do and are equal exactly if the record keys are") {
  Random random(1);
  const std::vector<std::string> key = GENERATE(std::vector<std::string>{}, std::vector<std::string>{"a"});
  Batch batch = SomeBatch(random, 100, key);
  ColumnSet columns = ColumnsOfBatch(batch, 1);
  SortKeyEncoder encoder(columns, key);
  const std::vector<Hash128> record_keys = ComputeRecordKeys(columns, "p", key);
  for (uint32_t i = 0; i < batch.rows(); ++i) {
    for (uint32_t j = 0; j < i; ++j) {
      CHECK((encoder.Of(i) == encoder.Of(j)) == (record_keys[i] == record_keys[j]));
      const Value a = batch.Get(Role::kDim, "a", i);
      const Value b = batch.Get(Role::kDim, "a", j);
      const int order = CompareValues(a, b);
      if (order == 0 || a.is_null() || b.is_null()) continue;
      CHECK((encoder.Of(i) < encoder.Of(j)) == (order < 0));
    }
  }
}

TEST_CASE("the key of a value is a prefix of the keys of the rows that hold it") {
  Random random(2);
  Batch batch = SomeBatch(random, 50, {});
  ColumnSet columns = ColumnsOfBatch(batch, 1);
  SortKeyEncoder encoder(columns, {});
  for (uint32_t row = 0; row < batch.rows(); ++row) {
    const Value value = batch.Get(Role::kDim, "a", row);
    if (value.is_null()) continue;
    std::string prefix;
    AppendSortable("a", value, prefix);
    CHECK(encoder.Of(row).substr(0, prefix.size()) == prefix);
  }
}

TEST_CASE("a dim that a chunk has no column for changes no key") {
  ColumnData a;
  a.name = "a";
  a.type = ValueType::kInteger;
  a.rows = 1;
  a.integers = {5};
  ColumnData b = a;
  b.name = "b";
  b.nulls = {1};
  CHECK(SortKeyEncoder({a}, {}).Of(0) == SortKeyEncoder({a, b}, {}).Of(0));
}

TEST_CASE("ids and keys of columns are those of the batch, also after sealing and in another order") {
  Random random(3);
  const std::vector<std::string> key = GENERATE(std::vector<std::string>{}, std::vector<std::string>{"b"});
  for (int i = 0; i < 5; ++i) {
    Batch batch = SomeBatch(random, 200, key);
    std::vector<uint32_t> rows(batch.rows());
    std::iota(rows.begin(), rows.end(), 0);
    std::shuffle(rows.begin(), rows.end(), random);
    auto chunk = SealChunk(ColumnsOfBatch(batch, 9, rows), {key});
    REQUIRE_OK(chunk);
    auto reader = ChunkReader::Open(*chunk);
    REQUIRE_OK(reader);
    CHECK(reader->key() == key);
    auto columns = reader->DecodeAll();
    REQUIRE_OK(columns);
    const RecordIds expected = ComputeRecordIds(batch);
    const RecordIds actual = ComputeRecordIds(*columns, "p", key);
    for (size_t row = 0; row < rows.size(); ++row) {
      CHECK(actual.ids[row] == expected.ids[rows[row]]);
      CHECK(actual.keys[row] == expected.keys[rows[row]]);
      CheckRow(batch, rows[row], *columns, static_cast<uint32_t>(row));
    }
    CHECK(ComputeRecordKeys(*columns, "p", key) == actual.keys);
  }
}

TEST_CASE("rows gathered from several sources are the rows they were") {
  Random random(4);
  for (int i = 0; i < 8; ++i) {
    const Batch batches[] = {SomeBatch(random, 300, {}), SomeBatch(random, 3, {}), SomeBatch(random, 200, {})};
    ColumnSet sets[3];
    for (uint32_t b = 0; b < 3; ++b) {
      auto chunk = SealChunk(ColumnsOfBatch(batches[b], b), {});
      REQUIRE_OK(chunk);
      sets[b] = *ChunkReader::Open(*chunk)->DecodeAll();
    }
    RowGatherer gatherer;
    // The second time in the memory of the first.
    for (int round = 0; round < 2; ++round) {
      std::vector<RowRef> all;
      for (int piece = 0; piece < 3; ++piece) {
        std::vector<RowRef> order;
        for (int k = 0; k < 70; ++k) {
          const auto source = static_cast<uint32_t>(random() % 3);
          auto row = static_cast<uint32_t>(random() % batches[source].rows());
          // Some that follow each other.
          const uint32_t end = std::min<uint32_t>(batches[source].rows(), row + 1 + (k % 4 == 0 ? random() % 40 : 0));
          for (; row < end; ++row) order.push_back({source, row});
        }
        gatherer.Append({&sets[0], &sets[1], &sets[2]}, order);
        all.insert(all.end(), order.begin(), order.end());
      }
      CHECK(gatherer.rows() == all.size());
      CHECK(gatherer.bytes() > 0);
      ColumnSet gathered = gatherer.Take();
      REQUIRE_OK(CheckColumns(gathered));
      CHECK(gatherer.rows() == 0);
      for (uint32_t row = 0; row < all.size(); ++row) {
        CheckRow(batches[all[row].source], all[row].row, gathered, row);
        CHECK(GetValue(gathered, Role::kSystem, kBatchColumn, row) == Value::Integer(all[row].source));
      }
      gatherer.Reuse(std::move(gathered));
    }
  }
}

// A source whose decimals have one scale and whose times have one offset, or several.
ColumnSet ScaledSource(uint8_t scale, bool mixed) {
  ColumnData price, time;
  price.role = time.role = Role::kMeasure;
  price.name = "price";
  time.name = "time";
  price.type = ValueType::kDecimal;
  time.type = ValueType::kTimestamp;
  price.rows = time.rows = 10;
  price.scale = scale;
  time.offset_minutes = scale;
  for (int64_t i = 0; i < 10; ++i) {
    price.integers.push_back(i);
    time.integers.push_back(i);
    if (!mixed) continue;
    price.scales.push_back(static_cast<uint8_t>(i % 3));
    time.offsets_minutes.push_back(static_cast<int16_t>(i % 3));
  }
  return {price, time};
}

TEST_CASE("gathered rows keep their scales and offsets, and have one for all where they do not differ") {
  Random random(6);
  for (int i = 0; i < 40; ++i) {
    const ColumnSet sets[] = {
        ScaledSource(2, false), ScaledSource(i % 2 == 0 ? 2 : 3, false), ScaledSource(4, true), {}};
    // A source without columns has nulls, and the first ones may come before any value.
    const uint32_t sources = i % 4 == 0 ? 2 : 4;
    std::vector<const ColumnSet*> pointers;
    for (uint32_t source = 0; source < sources; ++source) pointers.push_back(&sets[source]);
    RowGatherer gatherer;
    std::vector<RowRef> all;
    for (int piece = 0; piece < 4; ++piece) {
      std::vector<RowRef> order;
      for (int k = 0; k < 20; ++k) {
        order.push_back({static_cast<uint32_t>(random() % sources), static_cast<uint32_t>(random() % 10)});
      }
      gatherer.Append(pointers, order);
      all.insert(all.end(), order.begin(), order.end());
    }
    const ColumnSet gathered = gatherer.Take();
    REQUIRE_OK(CheckColumns(gathered));
    for (uint32_t row = 0; row < all.size(); ++row) {
      const ColumnSet& from = sets[all[row].source];
      for (const char* name : {"price", "time"}) {
        const Value expected = GetValue(from, Role::kMeasure, name, all[row].row);
        REQUIRE(GetValue(gathered, Role::kMeasure, name, row).ToText() == expected.ToText());
      }
    }
    if (i % 4 == 0) {
      CHECK(gathered[0].scales.empty());
      CHECK(gathered[1].offsets_minutes.empty());
    }
  }
}

TEST_CASE("numbers are sorted by their upper bits, and stay as they are by the lower ones") {
  Random random(7);
  for (int low_bits : {0, 1, 16, 20, 63}) {
    for (int bits : {1, 7, 9, 10, 27, 64}) {
      std::vector<uint64_t> numbers;
      std::vector<absl::uint128> wide;
      for (uint64_t i = 0; i < 3000; ++i) {
        const uint64_t upper = random() >> (64 - bits) & random();
        const uint64_t lower = low_bits == 0 ? 0 : std::min<uint64_t>(i, (uint64_t{1} << low_bits) - 1);
        numbers.push_back(upper << low_bits | lower);
        wide.push_back(absl::uint128(upper) << low_bits | lower);
      }
      auto expected = numbers;
      auto expected_wide = wide;
      std::sort(expected.begin(), expected.end());
      std::sort(expected_wide.begin(), expected_wide.end());
      SortByUpperBits(low_bits, numbers);
      SortByUpperBits(low_bits, wide);
      CHECK(numbers == expected);
      CHECK(wide == expected_wide);
    }
  }
  std::vector<uint64_t> none;
  SortByUpperBits(3, none);
  CHECK(none.empty());
}

// Of one type a dim, so that numbers can stand for the values; `strange` makes one of them differ.
ColumnSet RegularSource(Random& random, uint32_t number, bool strange) {
  BatchBuilder builder;
  BatchHeader origin;
  origin.set_profile_id("p");
  builder.SetOrigin(origin);
  const size_t city = builder.AddColumn(Role::kDim, "city"), day = builder.AddColumn(Role::kDim, "day"),
               price = builder.AddColumn(Role::kDim, "price"), on = builder.AddColumn(Role::kDim, "on");
  for (int i = 0; i < 200; ++i) {
    builder.BeginRow(1, static_cast<uint32_t>(i + 1));
    builder.SetText(city, std::string(random() % 3, '\0') + std::string(1, static_cast<char>('a' + random() % 5)));
    builder.Set(day, Value::Of(Date{static_cast<int32_t>(random() % 7) - 3}));
    builder.Set(price, Value::Of(Decimal{static_cast<int64_t>(random() % 40) - 20, 1}));
    builder.Set(on, Value::Boolean(random() % 2 == 0));
    if (strange && i == 100) builder.Set(random() % 2 == 0 ? day : price, SomeValue(random));
    builder.EndRow();
  }
  return ColumnsOfBatch(*Batch::Parse(*builder.Finish()), number);
}

TEST_CASE("rows are ordered by the bytes of their keys, then as they came, whatever the way to it") {
  Random random(5);
  for (int i = 0; i < 60; ++i) {
    std::vector<ColumnSet> sources;
    for (uint32_t number = 0; number < 3; ++number) {
      sources.push_back(i % 3 == 0 ? ColumnsOfBatch(SomeBatch(random, 100, {}), number)
                                   : RegularSource(random, number, i % 3 == 1 && number == 1));
    }
    const std::vector<std::string> keys[] = {{}, {"day"}, {"b", "on", "city"}};
    const std::vector<std::string>& key = keys[random() % 3];
    std::vector<std::pair<std::string, std::pair<uint32_t, uint32_t>>> expected;
    std::vector<RowRef> rows;
    for (uint32_t source = 0; source < sources.size(); ++source) {
      for (uint32_t row = 0; row < RowsOf(sources[source]); ++row) {
        if (random() % 5 == 0) continue;
        rows.push_back({source, row});
        expected.push_back({SortKeyEncoder(sources[source], key).Of(row), {source, row}});
      }
    }
    std::sort(expected.begin(), expected.end());
    OrderRows(sources, key, rows);
    REQUIRE(rows.size() == expected.size());
    for (size_t at = 0; at < rows.size(); ++at) {
      REQUIRE(std::pair(rows[at].source, rows[at].row) == expected[at].second);
    }
  }
}

TEST_CASE("integers of any size are ordered, also where they do not fit into one number together") {
  const int64_t values[] = {INT64_MAX, 0, INT64_MIN, -1, 1, INT64_MIN + 1};
  BatchBuilder builder;
  const size_t a = builder.AddColumn(Role::kDim, "a"), b = builder.AddColumn(Role::kDim, "b");
  const bool both = GENERATE(false, true);
  for (uint32_t i = 0; i < 6; ++i) {
    builder.BeginRow(1, i + 1);
    builder.SetInteger(a, values[i]);
    if (both) builder.SetInteger(b, values[5 - i]);
    builder.EndRow();
  }
  const std::vector<ColumnSet> sources = {ColumnsOfBatch(*Batch::Parse(*builder.Finish()), 1)};
  std::vector<RowRef> rows;
  for (uint32_t row = 0; row < 6; ++row) rows.push_back({0, row});
  OrderRows(sources, {}, rows);
  std::vector<int64_t> ordered;
  for (const RowRef& at : rows) ordered.push_back(values[at.row]);
  CHECK(std::is_sorted(ordered.begin(), ordered.end()));
}

}  // namespace chartly
