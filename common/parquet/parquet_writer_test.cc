#include "common/parquet/parquet_writer.h"

#include "common/parquet/thrift_writer.h"
#include "test/support/test.h"

namespace chartly::parquet {
namespace {

std::string Hex(const std::string& bytes) {
  std::string out;
  for (unsigned char byte : bytes) {
    out += "0123456789abcdef"[byte >> 4];
    out += "0123456789abcdef"[byte & 15];
  }
  return out;
}

// The length that the end of a file states for its metadata.
size_t FooterBytes(const std::string& file) {
  size_t size = 0;
  for (size_t i = 0; i < 4; ++i) size |= size_t{static_cast<unsigned char>(file[file.size() - 8 + i])} << 8 * i;
  return size;
}

// test/e2e/test_records.py opens such files with the tools they are for.
std::string File(uint32_t rows, size_t* pending = nullptr) {
  ParquetWriter writer({{"name", Type::kText, 0}, {"value", Type::kDecimal, 2}, {"flag", Type::kBoolean, 0}});
  std::string out;
  for (uint32_t row = 0; row < rows; ++row) {
    writer.SetText(0, "row " + std::to_string(row));
    if (row % 3 != 0) writer.SetDecimal(1, absl::int128(row) * -100);
    writer.SetBoolean(2, row % 2 == 0);
    writer.EndRow();
    if (pending != nullptr) *pending = std::max(*pending, writer.pending_bytes());
    if (writer.pending_rows() == 1000) writer.WriteGroup(out);
  }
  writer.Finish(out);
  return out;
}

TEST_CASE("the compact protocol writes what its definition says") {
  std::string out;
  ThriftWriter writer(out);
  writer.Integer32(1, -1);   // field 1, i32, zigzag 1
  writer.Integer64(3, 300);  // two further, i64, zigzag 600 as a varint
  writer.Boolean(4, true);   // the value is in the type
  writer.Text(20, "ab");     // more than 15 further: its own number
  writer.BeginStruct(21);
  writer.Boolean(1, false);
  writer.EndStruct();
  writer.BeginIntegers(22, 2);  // fields go on where the struct began
  writer.ElementInteger(1);
  writer.ElementInteger(-2);
  writer.EndStruct();
  CHECK(Hex(out) ==
        "1501"
        "26d804"
        "11"
        "0828026162"
        "1c1200"
        "19250203"
        "00");
}

TEST_CASE("a long list states its length apart") {
  std::string out;
  ThriftWriter writer(out);
  writer.BeginTexts(1, 15);
  CHECK(Hex(out) == "19f80f");
}

TEST_CASE("a file begins and ends with its mark, and states the length of its metadata") {
  for (uint32_t rows : {0, 1, 999, 1000, 1001, 5000}) {
    INFO(rows);
    std::string file = File(rows);
    CHECK(file.substr(0, 4) == "PAR1");
    CHECK(file.substr(file.size() - 4) == "PAR1");
    REQUIRE(FooterBytes(file) + 12 <= file.size());
    CHECK((rows > 0) == (FooterBytes(file) + 12 < file.size()));
  }
}

TEST_CASE("the same rows give the same bytes, and only one group is held") {
  size_t pending = 0;
  CHECK(File(20000, &pending) == File(20000));
  CHECK(pending < 100000);
}

}  // namespace
}  // namespace chartly::parquet
