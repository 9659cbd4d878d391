#include "common/batch/batch.h"

#include <google/protobuf/stubs/logging.h>

#include <map>
#include <random>

#include "common/batch/batch_layout.h"
#include "common/status/status.h"
#include "common/text/utf8.h"
#include "test/support/test.h"

namespace chartly {
namespace {

using FieldName = std::pair<Role, std::string>;

struct ModelRow {
  std::map<FieldName, Value> fields;
  uint32_t page = 0;
  uint32_t row = 0;
};

class Random {
 public:
  explicit Random(uint64_t seed) : engine_(seed) {}
  int64_t Pick(int64_t low, int64_t high) { return std::uniform_int_distribution<int64_t>(low, high)(engine_); }
  uint64_t Bits() { return engine_(); }
  bool OneIn(int64_t n) { return Pick(1, n) == 1; }

  Value Any() {
    switch (Pick(0, 7)) {
      case 0:
        return Value();
      case 1:
        return Value::Text("name " + std::to_string(Pick(0, 5)) + "é");
      case 2:
        return Value::Text(std::string(static_cast<size_t>(Pick(0, 20)), 'x') + std::to_string(Bits()));
      case 3:
        return Value::Integer(OneIn(3) ? static_cast<int64_t>(Bits()) : Pick(1990, 2030));
      case 4:
        return Value::Of(
            Decimal{OneIn(4) ? absl::MakeInt128(Pick(-5'000'000, 5'000'000), Bits()) : absl::int128(Pick(-999, 999)),
                    static_cast<uint8_t>(Pick(0, 4))});
      case 5:
        return Value::Float(static_cast<double>(Pick(-1000, 1000)) / 7);
      case 6:
        return Value::Boolean(OneIn(2));
      default:
        if (OneIn(2)) return Value::Of(Date{static_cast<int32_t>(Pick(-40000, 40000))});
        return Value::Of(Timestamp{static_cast<int64_t>(Bits() >> 8), static_cast<int16_t>(Pick(-720, 840))});
    }
  }

 private:
  std::mt19937_64 engine_;
};

BatchHeader Origin() {
  BatchHeader origin;
  origin.set_tenant("default");
  origin.set_profile_id("world-bank");
  origin.set_revision("profiles/world-bank@sha256:00");
  origin.set_run_id("run-1");
  origin.set_drone_id("drone-1");
  origin.set_source_uri("file:sample.json");
  origin.set_observed_us(1'700'000'000'000'000);
  origin.add_key("year");
  origin.add_key("country");
  return origin;
}

// Checks that a batch holds exactly the rows of the model.
void RequireSame(const Batch& batch, const std::vector<ModelRow>& model, const std::vector<FieldName>& names) {
  REQUIRE(batch.rows() == model.size());
  for (uint32_t row = 0; row < batch.rows(); ++row) {
    REQUIRE(batch.SourcePage(row) == model[row].page);
    REQUIRE(batch.SourceRow(row) == model[row].row);
    for (const FieldName& name : names) {
      auto expected = model[row].fields.find(name);
      Value value = expected == model[row].fields.end() ? Value() : expected->second;
      REQUIRE(batch.Get(name.first, name.second, row) == value);
    }
  }
}

std::string SampleBatch(int rows) {
  BatchBuilder builder;
  builder.SetOrigin(Origin());
  size_t country = builder.AddColumn(Role::kDim, "country");
  size_t year = builder.AddColumn(Role::kDim, "year");
  size_t figure = builder.AddColumn(Role::kMeasure, "figure");
  size_t rate = builder.AddColumn(Role::kMeasure, "rate");
  size_t note = builder.AddColumn(Role::kAttr, "note");
  size_t seen = builder.AddColumn(Role::kAttr, "seen");
  size_t good = builder.AddColumn(Role::kAttr, "good");
  for (int i = 0; i < rows; ++i) {
    builder.BeginRow(1, static_cast<uint32_t>(i) + 1);
    builder.SetText(country, "country " + std::to_string(i % 20));
    builder.SetInteger(year, 1990 + i / 20);
    if (i % 3 != 0) builder.Set(figure, Value::Of(Decimal{i * 1001, static_cast<uint8_t>(i % 4)}));
    builder.Set(rate, Value::Float(i / 7.0));
    builder.SetText(note, "note number " + std::to_string(i));
    builder.Set(seen, Value::Of(Timestamp{i * int64_t{1000000}, 60}));
    builder.Set(good, Value::Boolean(i % 2 == 0));
    builder.EndRow();
  }
  builder.Quarantine("mapping.type_coercion_failed", "value", "not a number", "{\"value\": \"x\"}", 1, 7);
  builder.CountFiltered();
  auto batch = builder.Finish();
  REQUIRE_OK(batch);
  return *batch;
}

// Touches everything that a reader can; the sanitizers watch.
size_t ReadAll(const Batch& batch) {
  size_t sum = 0;
  for (const BatchColumn& column : batch.columns()) {
    for (uint32_t i = 0; i < column.dictionary_size(); ++i) sum += column.DictionaryValue(i).ToText().size();
    for (uint32_t row = 0; row < batch.rows(); ++row) sum += column.Get(row).ToText().size();
  }
  return sum;
}

void Reseal(std::string& bytes) {
  const auto* raw = reinterpret_cast<const uint8_t*>(bytes.data());
  BatchPreamble preamble;
  preamble.header_bytes = static_cast<uint32_t>(LoadLittleEndian(raw + 16, 4));
  preamble.packed_bytes = static_cast<uint32_t>(LoadLittleEndian(raw + 20, 4));
  preamble.unpacked_bytes = static_cast<uint32_t>(LoadLittleEndian(raw + 24, 4));
  SealBatch(preamble, bytes);
}

}  // namespace

TEST_CASE("rows of any values come back as they were set, whatever was dropped between them") {
  std::vector<FieldName> names;
  for (int i = 0; i < 6; ++i) names.push_back({static_cast<Role>(1 + i % 3), "field." + std::to_string(i)});
  for (uint64_t seed = 1; seed <= 60; ++seed) {
    Random random(seed);
    BatchBuilder builder;
    builder.SetOrigin(Origin());
    std::vector<size_t> columns;
    for (const FieldName& name : names) columns.push_back(builder.AddColumn(name.first, name.second));
    for (int round = 0; round < 2; ++round) {  // the second batch must know nothing of the first
      std::vector<ModelRow> model;
      int64_t filtered = 0;
      int64_t rows = random.Pick(1, seed % 10 == 0 ? 3000 : 40);
      for (int64_t i = 0; i < rows; ++i) {
        ModelRow row{{}, static_cast<uint32_t>(random.Pick(1, 3)), static_cast<uint32_t>(i + 1)};
        builder.BeginRow(row.page, row.row);
        for (size_t f = 0; f < names.size(); ++f) {
          // Half of the fields keep to one type, as real ones do.
          Value value = f % 2 == 0 ? Value::Text("t" + std::to_string(random.Pick(0, 300))) : random.Any();
          builder.Set(columns[f], value);
          if (random.OneIn(20)) builder.Set(columns[f], value = Value::Integer(random.Pick(0, 9)));
          if (!value.is_null()) row.fields[names[f]] = value;
        }
        if (random.OneIn(5)) {
          builder.DropRow();
          builder.CountFiltered();
          ++filtered;
        } else {
          builder.EndRow();
          model.push_back(row);
        }
      }
      REQUIRE(builder.fetched() == rows);
      size_t bound = builder.bytes();
      auto bytes = builder.Finish();
      REQUIRE_OK(bytes);
      auto batch = Batch::Parse(*bytes);
      REQUIRE_OK(batch);
      RequireSame(*batch, model, names);
      REQUIRE(batch->header().filtered() == filtered);
      REQUIRE(batch->fetched() == rows);
      size_t unpacked = 0;
      for (const storage::v1::Column& column : batch->header().columns()) unpacked += column.size();
      REQUIRE(unpacked <= bound + 6 * 8 * 8);  // an empty dictionary is not counted
      REQUIRE(builder.empty());
    }
  }
}

TEST_CASE("texts that are all new at first and repeat later come back, batch after batch") {
  Random random(11);
  BatchBuilder builder;
  size_t column = builder.AddColumn(Role::kDim, "name");
  for (int round = 0; round < 3; ++round) {
    builder.SetOrigin(Origin());
    std::vector<std::string> model;
    for (uint32_t row = 0; row < 6000; ++row) {
      const bool repeats = row > 2000 || (round == 1 && row % 2 == 0);
      std::string text = repeats ? "again " + std::to_string(random.Pick(0, 9)) : "new " + std::to_string(row);
      if (random.OneIn(50)) text += "\xFF";
      builder.BeginRow(1, row);
      builder.SetText(column, text);
      if (random.OneIn(9)) {
        builder.DropRow();
        builder.CountFiltered();
        continue;
      }
      builder.EndRow();
      model.push_back(ToUtf8(text));
    }
    auto bytes = builder.Finish();
    REQUIRE_OK(bytes);
    auto batch = Batch::Parse(*bytes);
    REQUIRE_OK(batch);
    REQUIRE(batch->rows() == model.size());
    int wrong = 0;
    for (uint32_t row = 0; row < batch->rows(); ++row) {
      wrong += batch->Get(Role::kDim, "name", row) == Value::Text(model[row]) ? 0 : 1;
    }
    CHECK(wrong == 0);
  }
}

TEST_CASE("the size of a batch is known also where a long text follows itself among texts that were new") {
  // Of the column it is known by then that its texts do not repeat, so each row has room of its own for its text.
  for (bool at_once : {false, true}) {
    for (uint32_t repeats_before : {0u, 200u}) {
      BatchBuilder builder;
      builder.SetOrigin(Origin());
      const std::vector<size_t> columns = {builder.AddColumn(Role::kDim, "name")};
      const std::string lengthy(size_t{128} << 10, 'x');
      uint32_t row = 0;
      for (; builder.rows() < 16384 && builder.bytes() < (size_t{2} << 20); ++row) {
        const bool is_long = row < repeats_before || row > 1100;
        const std::string text = is_long ? lengthy : "new " + std::to_string(row);
        const std::vector<ColumnValue> values = {ColumnValue::Text(text)};
        if (at_once) {
          builder.AddRows(1, row, 1, columns, values.data(), 1);
        } else {
          builder.AddRow(1, row, columns, values);
        }
      }
      CHECK(builder.bytes() < (size_t{32} << 20));
      auto bytes = builder.Finish();
      REQUIRE_OK(bytes);
      auto batch = Batch::Parse(*bytes);
      REQUIRE_OK(batch);
      CHECK(batch->rows() == row);
      CHECK(batch->Get(Role::kDim, "name", row - 1) == Value::Text(lengthy));
    }
  }
}

TEST_CASE("rows that come many at once give the batch that they give one by one") {
  const std::vector<std::string> few = {"north", "south", "", "caf\xE9", "the name of a station that is long"};
  for (uint64_t seed = 1; seed <= 12; ++seed) {
    Random random(seed);
    BatchBuilder at_once, one_by_one;
    std::vector<size_t> columns;
    for (BatchBuilder* builder : {&at_once, &one_by_one}) {
      builder->SetOrigin(Origin());
      columns.clear();
      for (const char* name : {"new", "turns", "repeats", "any", "figure", "mixed"}) {
        columns.push_back(builder->AddColumn(Role::kAttr, name));
      }
    }
    std::vector<std::string> texts;  // of the rows that come at once
    for (uint32_t row = 0; row < 5000;) {
      const auto count = static_cast<uint32_t>(random.Pick(1, 128));
      std::vector<ColumnValue> values(columns.size() * count);
      texts.clear();
      texts.reserve(values.size());
      auto text = [&](std::string value) { return ColumnValue::Text(texts.emplace_back(std::move(value))); };
      for (uint32_t i = 0; i < count; ++i) {
        const uint32_t at = row + i;
        const auto value = [&](size_t column) -> ColumnValue& { return values[column * count + i]; };
        // Now and then one that was there before, one that must be mended, or none.
        value(0) = text(random.OneIn(40) ? few[at % few.size()] : "id " + std::to_string(at / (seed % 3 + 1)));
        value(1) = text("station " + std::to_string(at % 300));
        value(2) = text(few[at / 400 % few.size()]);
        if (!random.OneIn(seed % 2 == 0 ? 5 : 100000)) value(3) = text(few[random.Bits() % few.size()]);
        value(4) =
            ColumnValue::Of(Decimal{random.Pick(-900, 900), static_cast<uint8_t>(seed % 4 == 0 ? at / 2000 : 2)});
        value(5) = at < 3000 || random.OneIn(2) ? ColumnValue::Integer(at) : text("n/a");
      }
      at_once.AddRows(1, row + 1, count, columns, values.data(), count);
      for (uint32_t i = 0; i < count; ++i) {
        std::vector<ColumnValue> one;
        for (size_t column = 0; column < columns.size(); ++column) one.push_back(values[column * count + i]);
        one_by_one.AddRow(1, row + 1 + i, columns, one);
      }
      row += count;
      REQUIRE(at_once.bytes() == one_by_one.bytes());
    }
    auto bytes = at_once.Finish();
    REQUIRE_OK(bytes);
    REQUIRE(*bytes == *one_by_one.Finish());
    REQUIRE_OK(Batch::Parse(*bytes));
  }
}

TEST_CASE("the header tells where rows came from and holds what was quarantined") {
  std::string bytes = SampleBatch(100);
  auto header = Batch::ParseHeader(bytes);
  REQUIRE_OK(header);
  CHECK(header->profile_id() == "world-bank");
  CHECK(header->rows() == 100);
  CHECK(header->key(0) == "country");
  REQUIRE(header->quarantined_size() == 1);
  CHECK(header->quarantined(0).row() == 7);
  CHECK(header->quarantined(0).raw() == "{\"value\": \"x\"}");
  auto batch = Batch::Parse(bytes);
  REQUIRE_OK(batch);
  CHECK(batch->fetched() == 102);
}

TEST_CASE("the same rows give the same bytes") { CHECK(SampleBatch(500) == SampleBatch(500)); }

TEST_CASE("repeated values go into dictionaries and small numbers into small integers") {
  auto batch = Batch::Parse(SampleBatch(2000));
  REQUIRE_OK(batch);
  const BatchColumn& country = *batch->Find(Role::kDim, "country").at(0);
  CHECK(country.dictionary_size() == 20);
  CHECK(country.Text(21) == "country 1");
  CHECK(country.DictionaryValue(country.DictionaryIndex(21)) == Value::Text("country 1"));
  CHECK(batch->Find(Role::kDim, "year").at(0)->dictionary_size() == 100);
  CHECK(batch->Find(Role::kMeasure, "rate").at(0)->dictionary_size() == 0);
  CHECK(batch->Find(Role::kMeasure, "rate").at(0)->AsDouble(14) == 2.0);
  CHECK(batch->Find(Role::kAttr, "note").at(0)->dictionary_size() == 0);
  for (const storage::v1::Column& column : batch->header().columns()) {
    if (column.name() == "row") CHECK(column.width() == 2);
    if (column.name() == "figure") CHECK(column.mixed_scales());
  }
}

TEST_CASE("two types under one name are two columns and one answer") {
  BatchBuilder builder;
  builder.SetOrigin(Origin());
  size_t code = builder.AddColumn(Role::kDim, "code");
  CHECK(builder.AddColumn(Role::kDim, "code") == code);
  for (const Value& value : {Value::Integer(7), Value::Text("7a"), Value()}) {
    builder.BeginRow(1, 1);
    builder.Set(code, value);
    builder.EndRow();
  }
  auto batch = Batch::Parse(*builder.Finish());
  REQUIRE_OK(batch);
  CHECK(batch->Find(Role::kDim, "code").size() == 2);
  CHECK(batch->Get(Role::kDim, "code", 0) == Value::Integer(7));
  CHECK(batch->Get(Role::kDim, "code", 1) == Value::Text("7a"));
  CHECK(batch->Get(Role::kDim, "code", 2).is_null());
}

TEST_CASE("a batch of only filtered and quarantined rows is a batch") {
  BatchBuilder builder;
  builder.SetOrigin(Origin());
  builder.CountFiltered();
  builder.Quarantine("schema.validation_failed", "f", "m", "raw", 1, 1);
  CHECK(builder.fetched() == 2);
  auto batch = Batch::Parse(*builder.Finish());
  REQUIRE_OK(batch);
  CHECK(batch->rows() == 0);
  CHECK(batch->fetched() == 2);
  CHECK(builder.fetched() == 0);
}

TEST_CASE("text that is not UTF-8 is mended, so that a batch can always be read") {
  BatchBuilder builder;
  builder.SetOrigin(Origin());
  size_t name = builder.AddColumn(Role::kDim, "name");
  builder.BeginRow(1, 1);
  builder.SetText(name, "caf\xE9");
  builder.EndRow();
  std::string raw(kMaxQuarantinedRawBytes - 1, 'a');
  builder.Quarantine("r", "f", "m", raw + "\xC3\xA9", 1, 2);
  builder.Quarantine("r", "f", "\xFF", std::string(20000, '\xFF'), 1, 3);
  auto batch = Batch::Parse(*builder.Finish());
  REQUIRE_OK(batch);
  CHECK(batch->Get(Role::kDim, "name", 0) == Value::Text("caf\xEF\xBF\xBD"));
  CHECK(batch->header().quarantined(0).raw() == raw);
  CHECK(batch->header().quarantined(1).raw().size() <= kMaxQuarantinedRawBytes);
}

TEST_CASE("what does not fit a batch is refused and stays") {
  BatchBuilder builder;
  builder.SetOrigin(Origin());
  Random random(5);
  size_t text = builder.AddColumn(Role::kAttr, "text");
  std::string noise;
  for (size_t i = 0; i < kMaxBatchBytes / 6; ++i) {
    for (int shift = 0; shift < 60; shift += 6) noise.push_back(static_cast<char>('!' + (random.Bits() >> shift & 63)));
  }
  builder.BeginRow(1, 1);
  builder.SetText(text, noise);
  builder.EndRow();
  CHECK(builder.bytes() > noise.size());
  auto batch = builder.Finish();
  CHECK(batch.status().code() == absl::StatusCode::kResourceExhausted);
  CHECK(Reason(batch.status()) == "BATCH_TOO_LARGE");
  CHECK(builder.rows() == 1);
}

TEST_CASE("every flipped bit and every truncation is found") {
  std::string good = SampleBatch(60);
  for (size_t bit = 0; bit < good.size() * 8; ++bit) {
    std::string bad = good;
    bad[bit / 8] = static_cast<char>(bad[bit / 8] ^ (1 << (bit % 8)));
    REQUIRE(Batch::Parse(bad).status().code() == absl::StatusCode::kDataLoss);
    REQUIRE(Batch::ParseHeader(bad).status().code() == absl::StatusCode::kDataLoss);
  }
  for (size_t size = 0; size < good.size(); ++size) {
    absl::Status status = Batch::Parse(absl::string_view(good.data(), size)).status();
    REQUIRE(Reason(status) == "BATCH_CORRUPT");
  }
  CHECK_FALSE(Batch::Parse(good + "x").ok());
}

TEST_CASE("damage behind a right checksum never reads out of bounds") {
  google::protobuf::LogSilencer silence;  // it complains of every header that is not UTF-8
  std::string good = SampleBatch(80);
  Random random(17);
  int accepted = 0;
  for (int round = 0; round < 20000; ++round) {
    std::string bad = good;
    for (int64_t flips = random.Pick(1, 3); flips > 0; --flips) {
      auto at = static_cast<size_t>(random.Pick(16, static_cast<int64_t>(bad.size()) - 1));
      bad[at] = static_cast<char>(bad[at] ^ (1 << random.Pick(0, 7)));
    }
    if (random.OneIn(10))
      bad.resize(static_cast<size_t>(random.Pick(kBatchPreambleBytes, static_cast<int64_t>(bad.size()))));
    Reseal(bad);
    auto batch = Batch::Parse(bad);
    if (!batch.ok()) {
      REQUIRE(Reason(batch.status()) == "BATCH_CORRUPT");
      continue;
    }
    ++accepted;
    ReadAll(*batch);
  }
  CHECK(accepted > 0);  // a changed letter of a name is a valid batch
}

}  // namespace chartly
