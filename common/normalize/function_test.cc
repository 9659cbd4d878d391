#include "common/normalize/function.h"

#include <fstream>
#include <iterator>
#include <set>

#include "absl/strings/str_cat.h"
#include "common/normalize/normalizer.h"
#include "common/profile/mapping_reader.h"
#include "common/status/status.h"
#include "test/support/test.h"

namespace chartly {
namespace {

// The result of functions on a text: its type and text, "null", or "error: ...".
std::string Run(const std::vector<std::string>& calls, absl::string_view text, bool number = false) {
  Scratch scratch;
  Cell cell;
  cell.SetText(text);
  if (number) cell.kind = Cell::Kind::kNumber;
  for (const std::string& text_of_call : calls) {
    absl::StatusOr<FunctionCall> call = ParseFunctionCall(text_of_call);
    REQUIRE_OK(call);
    absl::StatusOr<FunctionPtr> function = CompileFunction(*call);
    REQUIRE_OK(function);
    if (cell.is_null()) break;
    absl::Status status = (*function)->Apply(cell, scratch);
    if (!status.ok()) return absl::StrCat("error: ", status.message());
  }
  if (cell.is_null()) return "null";
  if (cell.kind != Cell::Kind::kTyped) return absl::StrCat("text ", cell.text);
  return absl::StrCat(ValueTypeName(cell.value.type()), " ", cell.value.ToText());
}

absl::Status CompileError(const std::string& text) {
  absl::StatusOr<FunctionCall> call = ParseFunctionCall(text);
  REQUIRE_OK(call);
  return CompileFunction(*call).status();
}

}  // namespace

TEST_CASE("text functions give text or null") {
  CHECK(Run({"trim"}, " \t a b\n") == "text a b");
  CHECK(Run({"lower"}, "ÄBC") == "text Äbc");
  CHECK(Run({"upper"}, "abc1") == "text ABC1");
  CHECK(Run({"strip_prefix M"}, "M01") == "text 01");
  CHECK(Run({"strip_prefix M"}, "01") == "text 01");
  CHECK(Run({"strip_suffix ' mph'"}, "5 mph") == "text 5");
  CHECK(Run({"replace , ''"}, "1,234,567") == "text 1234567");
  CHECK(Run({"replace a aa"}, "banana") == "text baanaanaa");
  CHECK(Run({"pad_left 5 0"}, "1001") == "text 01001");
  CHECK(Run({"pad_left 3 0"}, "1001") == "text 1001");
  CHECK(Run({"pad_left 3 ·"}, "é") == "text ··é");
  CHECK(Run({"substring 1 2"}, "äbcd") == "text bc");
  CHECK(Run({"substring 2"}, "äbcd") == "text cd");
  CHECK(Run({"substring 9 2"}, "abc") == "text ");
  CHECK(Run({"regex \"^([0-9]+) to\""}, "5 to 10 mph") == "text 5");
  CHECK(Run({"regex [0-9]+"}, "about 15") == "text 15");
  CHECK(Run({"regex [0-9]+"}, "none") == "null");
  CHECK(Run({"regex a(b)?"}, "a") == "null");
  CHECK(Run({"split - 1"}, "2020-01-31") == "text 01");
  CHECK(Run({"split - 3"}, "2020-01-31") == "null");
  CHECK(Run({"split ', ' 1"}, "Boston, MA") == "text MA");
  CHECK(Run({"null_if - N/A ''"}, "N/A") == "null");
  CHECK(Run({"null_if - N/A ''"}, "") == "null");
  CHECK(Run({"null_if -"}, "5") == "text 5");
  CHECK(Run({"pad_left 2 0"}, "7", true) == "text 07");
}

TEST_CASE("value functions give typed values and keep digits") {
  CHECK(Run({"to_integer"}, "9007199254740993") == "integer 9007199254740993");
  CHECK(Run({"to_integer"}, "7663783.0") == "integer 7663783");
  CHECK(Run({"to_integer"}, "5.5") == "error: \"5.5\" is not an integer");
  CHECK(Run({"to_decimal"}, "12.50") == "decimal 12.50");
  CHECK(Run({"to_decimal"}, "") == "null");
  CHECK(Run({"to_float"}, "0.5") == "float 0.5");
  CHECK(Run({"to_text"}, "1.50", true) == "text 1.50");
  CHECK(Run({"to_integer", "to_text"}, "05") == "text 5");
  CHECK(Run({"to_bool"}, "Yes") == "boolean true");
  CHECK(Run({"to_date"}, "2026-01-31") == "date 2026-01-31");
  CHECK(Run({"to_date"}, "2026-01-31T23:30:00-05:00") == "date 2026-01-31");
  CHECK(Run({"to_timestamp"}, "2024-02-23T13:00:00-06:00") == "timestamp 2024-02-23T13:00:00-06:00");
  CHECK(Run({"to_timestamp"}, "2024-02-23") == "timestamp 2024-02-23T00:00:00Z");
  CHECK(Run({"epoch_ms"}, "1517966773840", true) == "timestamp 2018-02-07T01:26:13.84Z");
  CHECK(Run({"epoch_s"}, "-1") == "timestamp 1969-12-31T23:59:59Z");
  CHECK(Run({"epoch_s"}, "9999999999999").find("error: ") == 0);
  CHECK(Run({"date_part year"}, "2020-09-30") == "integer 2020");
  CHECK(Run({"date_part month"}, "1969-12-31T23:59:59Z") == "integer 12");
  CHECK(Run({"date_part day"}, "2020-09-30") == "integer 30");
  CHECK(Run({"scale 1000"}, "9007199254740993") == "integer 9007199254740993000");
  CHECK(Run({"scale 1000"}, "12.345") == "decimal 12345.000");
  CHECK(Run({"scale 0.01"}, "4.7") == "decimal 0.047");
  CHECK(Run({"scale 1e30"}, "1e30").find("error: ") == 0);
  CHECK(Run({"to_float", "scale 0.5"}, "3") == "float 1.5");
  CHECK(Run({"trim", "null_if -", "strip_suffix %", "scale 0.01"}, " 4.70% ") == "decimal 0.0470");
  for (const char* text : {"NaN", "inf", "-Infinity", "1,000", "0x10", "1e", "abc"}) {
    INFO(text);
    CHECK(Run({"to_decimal"}, text).find("error: \"") == 0);
    CHECK(Run({"to_float"}, text).find("error: \"") == 0);
  }
}

TEST_CASE("a wrong call is refused with how to call it") {
  CHECK(Reason(CompileError("trimm")) == "FUNCTION_UNKNOWN");
  CHECK(std::string(CompileError("trimm").message()).find("did you mean \"trim\"") != std::string::npos);
  for (const char* call :
       {"trim x", "strip_prefix", "replace a", "replace '' b", "pad_left 5 ab", "pad_left -1 0", "pad_left 1001 0",
        "substring x", "regex (", "split '' 0", "split - -1", "null_if", "scale x", "date_part week", "to_integer 5"}) {
    INFO(call);
    CHECK(Reason(CompileError(call)) == "FUNCTION_ARGUMENTS_INVALID");
    CHECK(std::string(CompileError(call).message()).find("how it is called: `") != std::string::npos);
  }
}

TEST_CASE("the reference page has every function with its line of help") {
  std::ifstream file(std::string(CHARTLY_SOURCE_DIR) + "/docs/formats/profile.md");
  REQUIRE(file.good());
  std::set<std::string> rows;
  bool in_table = false;
  for (std::string line; std::getline(file, line);) {
    if (line.find("| function |") == 0) in_table = true;
    if (line.empty()) in_table = false;
    if (in_table && line.find("| `") == 0) rows.insert(line);
  }
  std::set<std::string> expected;
  for (const auto& [name, help] : FunctionTable()) expected.insert(absl::StrCat("| `", name, "` | ", help, " |"));
  CHECK(rows == expected);
}

}  // namespace chartly
