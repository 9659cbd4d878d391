#include "drone/postgres/row_json.h"

#include "common/status/status.h"
#include "drone/postgres/array_json.h"
#include "test/support/test.h"

namespace chartly::drone {
namespace {

std::string Cell(CellForm form, const std::string& text, CellForm element = CellForm::kText) {
  std::string out;
  AppendCell({form, element}, text, out);
  return out;
}

TEST_CASE("numbers keep their digits, and what is no number is text") {
  CHECK(Cell(CellForm::kNumber, "-12345678901234567890.1200") == "-12345678901234567890.1200");
  CHECK(Cell(CellForm::kNumber, "1e+20") == "1e+20");
  CHECK(Cell(CellForm::kNumber, "NaN") == "\"NaN\"");
  CHECK(Cell(CellForm::kNumber, "-Infinity") == "\"-Infinity\"");
  CHECK(Cell(CellForm::kBoolean, "t") == "true");
  CHECK(Cell(CellForm::kBoolean, "f") == "false");
}

TEST_CASE("times become RFC 3339 where they can") {
  CHECK(Cell(CellForm::kTimestamp, "2026-01-31 09:00:00.5+00") == "\"2026-01-31T09:00:00.5Z\"");
  CHECK(Cell(CellForm::kTimestamp, "2026-01-31 09:00:00") == "\"2026-01-31T09:00:00\"");
  for (const char* other : {"infinity", "0044-03-15 00:00:00+00 BC", "12026-01-31 09:00:00+00"}) {
    CHECK(Cell(CellForm::kTimestamp, other) == "\"" + std::string(other) + "\"");
  }
}

TEST_CASE("text is escaped as JSON asks") {
  CHECK(Cell(CellForm::kText, "a\"b\\c\n\x01 ä") == "\"a\\\"b\\\\c\\u000a\\u0001 ä\"");
  CHECK(Cell(CellForm::kText, "") == "\"\"");
}

TEST_CASE("array literals become the text of JSON arrays") {
  auto array = [](const std::string& text, CellForm element) {
    std::string out;
    return AppendArray(text, element, out) ? out : "(no array)";
  };
  CHECK(array("{}", CellForm::kNumber) == "[]");
  CHECK(array("{1,-2.50,NULL,NaN}", CellForm::kNumber) == "[1,-2.50,null,\"NaN\"]");
  CHECK(array("[0:1]={{1,2},{3,4}}", CellForm::kNumber) == "[[1,2],[3,4]]");
  CHECK(array(R"({a,"b,}c","q\"\\",NULL,"NULL",""})", CellForm::kText) == R"(["a","b,}c","q\"\\",null,"NULL",""])");
  CHECK(array(R"({"2026-01-31 09:00:00+00"})", CellForm::kTimestamp) == R"(["2026-01-31T09:00:00Z"])");
  for (const char* bad : {"", "{", "{1", "{1,}", "{1}x", "1", "[0:1]", "{\"a", "{\"a\\", "{{{{{{{1}}}}}}}"}) {
    INFO(bad);
    CHECK(array(bad, CellForm::kNumber) == "(no array)");
  }
  CHECK(Cell(CellForm::kArray, "{1,2}", CellForm::kNumber) == "\"[1,2]\"");
  CHECK(Cell(CellForm::kArray, "{1", CellForm::kNumber) == "\"{1\"");
}

TEST_CASE("columns of bytes and columns of one name are refused with the way out") {
  auto bytes = RowJson::Create({{"a", 23}, {"photo", 17}});
  CHECK(Reason(bytes.status()) == "SOURCE_QUERY");
  CHECK(std::string(bytes.status().message()).find("encode(photo, 'hex')") != std::string::npos);
  auto twice = RowJson::Create({{"count", 20}, {"count", 20}});
  CHECK(Reason(twice.status()) == "SOURCE_QUERY");
  CHECK(std::string(twice.status().message()).find("called count") != std::string::npos);
}

}  // namespace
}  // namespace chartly::drone
