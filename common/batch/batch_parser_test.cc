#include "common/batch/batch_parser.h"

#include <random>

#include "common/batch/batch_layout.h"
#include "common/batch/column_builder.h"
#include "common/status/status.h"
#include "test/support/test.h"

namespace chartly {
namespace {

struct Body {
  BatchHeader header;
  std::string bytes;
};

// One column of each type with repeated, mixed and missing values, not packed: damage reaches the inner checks.
Body MakeBody(uint32_t rows) {
  ColumnBuilder::Scratch scratch;
  Body body;
  body.header.set_rows(rows);
  std::mt19937_64 random(rows);
  for (int type = 1; type <= 7; ++type) {
    ColumnBuilder builder(static_cast<ValueType>(type));
    for (uint32_t row = 0; row < rows; ++row) {
      auto number = static_cast<int64_t>(random() % (type % 2 == 0 ? 5 : 100000));
      if (number % 5 == 3) continue;
      Value values[] = {Value(),
                        Value::Text("text " + std::to_string(number % 9)),
                        Value::Integer(number),
                        Value::Of(Decimal{number, static_cast<uint8_t>(number % 3)}),
                        Value::Float(static_cast<double>(number) / 3),
                        Value::Boolean(number % 2 == 0),
                        Value::Of(Timestamp{number, 60}),
                        Value::Of(Date{static_cast<int32_t>(number)})};
      builder.Append(row, ColumnValue::Of(values[type]));
    }
    storage::v1::Column& column = *body.header.add_columns();
    column.set_name("f");
    column.set_role(storage::v1::ROLE_DIM);
    column.set_offset(static_cast<uint32_t>(body.bytes.size()));
    builder.Encode(rows, column, body.bytes, scratch);
  }
  return body;
}

// Parses and reads everything; says whether it was accepted.
bool Read(const BatchHeader& header, const std::string& bytes) {
  // A copy of exactly the size, so that a sanitizer sees a read past its end.
  std::vector<char> exact(bytes.begin(), bytes.end());
  if (!BatchParser::CheckHeader(header, static_cast<uint32_t>(exact.size())).ok()) return false;
  auto columns = BatchParser::ReadColumns(header, absl::string_view(exact.data(), exact.size()));
  if (!columns.ok()) return false;
  for (const BatchColumn& column : *columns) {
    for (uint32_t row = 0; row < header.rows(); ++row) column.Get(row).ToText();
  }
  return true;
}

}  // namespace

TEST_CASE("damaged bodies are refused or read within bounds") {
  Body good = MakeBody(70);
  REQUIRE(Read(good.header, good.bytes));
  std::mt19937_64 random(23);
  int refused = 0;
  for (int round = 0; round < 30000; ++round) {
    Body bad = good;
    for (uint64_t i = random() % 3; i < 3; ++i) bad.bytes[random() % bad.bytes.size()] = static_cast<char>(random());
    refused += Read(bad.header, bad.bytes) ? 0 : 1;
  }
  CHECK(refused > 1000);
}

TEST_CASE("damaged descriptions of columns are refused or read within bounds") {
  Body good = MakeBody(70);
  std::mt19937_64 random(29);
  int refused = 0;
  for (int round = 0; round < 30000; ++round) {
    Body bad = good;
    if (random() % 8 == 0) bad.header.set_rows(static_cast<uint32_t>(random() % 200));
    storage::v1::Column& column = *bad.header.mutable_columns(static_cast<int>(random() % 7));
    auto small = static_cast<uint32_t>(random() % 20);
    switch (random() % 9) {
      case 0:
        column.set_type(static_cast<storage::v1::Type>(random() % 9));
        break;
      case 1:
        column.set_encoding(static_cast<storage::v1::Encoding>(random() % 4));
        break;
      case 2:
        column.set_nulls(column.nulls() + small - 10);
        break;
      case 3:
        column.set_offset(column.offset() + small - 10);
        break;
      case 4:
        column.set_size(column.size() + small - 10);
        break;
      case 5:
        column.set_width(small);
        break;
      case 6:
        column.set_scale(small * 3);
        break;
      case 7:
        column.set_mixed_scales(!column.mixed_scales());
        break;
      default:
        column.set_entries(column.entries() + small - 10);
        break;
    }
    refused += Read(bad.header, bad.bytes) ? 0 : 1;
  }
  CHECK(refused > 20000);
}

TEST_CASE("columns out of order or twice are refused") {
  Body good = MakeBody(10);
  BatchHeader twice = good.header;
  twice.mutable_columns(1)->set_type(twice.columns(0).type());
  CHECK(Reason(BatchParser::CheckHeader(twice, static_cast<uint32_t>(good.bytes.size()))) == "BATCH_CORRUPT");
  BatchHeader huge = good.header;
  huge.set_rows(kMaxBatchRows + 1);
  CHECK_FALSE(BatchParser::CheckHeader(huge, static_cast<uint32_t>(good.bytes.size())).ok());
}

}  // namespace chartly
