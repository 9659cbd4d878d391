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
  std::vector<FunctionPtr> functions;  // a result may be a view of one
  Cell cell;
  cell.SetText(text);
  if (number) cell.kind = Cell::Kind::kNumber;
  for (const std::string& text_of_call : calls) {
    absl::StatusOr<FunctionCall> call = ParseFunctionCall(text_of_call);
    REQUIRE_OK(call);
    absl::StatusOr<FunctionPtr> function = CompileFunction(*call);
    REQUIRE_OK(function);
    functions.push_back(*std::move(function));
    if (cell.is_null() && !functions.back()->takes_null()) continue;
    absl::Status status = functions.back()->Apply(cell, scratch);
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

TEST_CASE("text gets a prefix, a suffix, single blanks or a default") {
  CHECK(Run({"prefix US-"}, "06") == "text US-06");
  CHECK(Run({"suffix ' km'"}, "5", true) == "text 5 km");
  CHECK(Run({"normalize_space"}, "  New \xC2\xA0\t York\n") == "text New York");
  CHECK(Run({"normalize_space"}, " ") == "text ");
  CHECK(Run({"null_if -", "default 0", "to_integer"}, "-") == "integer 0");
  CHECK(Run({"default x"}, "") == "text x");
  CHECK(Run({"default x"}, "a") == "text a");
}

TEST_CASE("whole numbers past 64 bits keep every digit") {
  CHECK(Run({"to_integer"}, "9223372036854775808") == "decimal 9223372036854775808");
  CHECK(Run({"to_integer"}, "-99999999999999999999999999999999999999") ==
        "decimal -99999999999999999999999999999999999999");
  CHECK(Run({"to_integer"}, "12345678901234567890.00") == "decimal 12345678901234567890");
  CHECK(Run({"to_integer"}, "1e30") == "decimal 1000000000000000000000000000000");
  CHECK(Run({"to_integer"}, "100000000000000000000000000000000000000").find("error: ") == 0);
  CHECK(Run({"to_integer"}, "12345678901234567890.5").find("error: ") == 0);
}

TEST_CASE("numbers with separators of thousands are read as they are written") {
  CHECK(Run({"to_number"}, "1,234,567.80") == "decimal 1234567.80");
  CHECK(Run({"to_number"}, "-1,234") == "integer -1234");
  CHECK(Run({"to_number . ,"}, "1.234,5") == "decimal 1234.5");
  CHECK(Run({"to_number '' ,"}, "0,5") == "decimal 0.5");
  CHECK(Run({"to_number ' ' ,"},
            "12\xE2\x80\xAF"
            "345,6") == "decimal 12345.6");
  CHECK(Run({"to_number"}, "12,34,567") == "integer 1234567");
  CHECK(Run({"to_number"}, "7") == "integer 7");
  CHECK(Run({"to_number"}, " ") == "null");
  for (const char* text : {"1,5", "1,23,4", ",123", "1,,234", "1234,567", "1,234,", "1.5,000", "1,234x"}) {
    INFO(text);
    CHECK(Run({"to_number"}, text).find("error: ") == 0);
  }
}

TEST_CASE("numbers are rounded, turned and converted exactly") {
  CHECK(Run({"round 2"}, "2.675") == "decimal 2.68");
  CHECK(Run({"round 0"}, "-2.5") == "integer -3");
  CHECK(Run({"round 3"}, "2.5") == "decimal 2.5");
  CHECK(Run({"to_float", "round 2"}, "2.675") == "float 2.68");
  CHECK(Run({"abs"}, "-9223372036854775808") == "decimal 9223372036854775808");
  CHECK(Run({"abs"}, "-1.50") == "decimal 1.50");
  CHECK(Run({"negate"}, "5") == "integer -5");
  CHECK(Run({"to_float", "negate"}, "0") == "float 0");
  CHECK(Run({"convert percent fraction"}, "4.7") == "decimal 0.047");
  CHECK(Run({"convert fraction percent"}, "0.047") == "decimal 4.700");
  CHECK(Run({"convert mi km"}, "10") == "decimal 16.09344");
  CHECK(Run({"convert km_h m_s"}, "50") == "decimal 13.8888888889");
  CHECK(Run({"convert mph m_s"}, "10") == "decimal 4.4704");
  CHECK(Run({"convert ft m"}, "-3") == "decimal -0.9144");
  CHECK(Run({"convert degF degC"}, "212") == "decimal 100.00");
  CHECK(Run({"convert degC degF"}, "-40") == "decimal -40.00");
  CHECK(Run({"convert degF K"}, "50") == "decimal 283.15");
  CHECK(Run({"convert billions ones"}, "12345678901.5") == "decimal 12345678901500000000.0");
  CHECK(Run({"convert billions ones"}, "99999999999999999999999999999999999999").find("error: ") == 0);
}

TEST_CASE("times are read in the formats and zones that are given") {
  CHECK(Run({"to_timestamp '%Y/%m/%d %H:%M'"}, "2001/01/01 00:47") == "timestamp 2001-01-01T00:47:00Z");
  CHECK(Run({"to_timestamp '%Y/%m/%d %H:%M' America/New_York"}, "2024/07/01 9:05") ==
        "timestamp 2024-07-01T09:05:00-04:00");
  CHECK(Run({"to_timestamp America/New_York"}, "2024-01-01T00:00") == "timestamp 2024-01-01T00:00:00-05:00");
  CHECK(Run({"to_timestamp America/New_York"}, "2024-01-01T00:00Z") == "timestamp 2024-01-01T00:00:00Z");
  CHECK(Run({"to_timestamp '%d.%m.%Y' '%m/%d/%Y %I:%M:%S %p'"}, "12/31/2023 12:15:00 AM") ==
        "timestamp 2023-12-31T00:15:00Z");
  CHECK(Run({"to_timestamp '%d.%m.%Y' '%m/%d/%Y %I:%M:%S %p'"}, "1.2.2023") == "timestamp 2023-02-01T00:00:00Z");
  CHECK(Run({"to_timestamp %Y%m%d%H%M%S.%f"}, "20240229235959.123") == "timestamp 2024-02-29T23:59:59.123Z");
  CHECK(Run({"to_timestamp '%B %e, %Y[ %R]'"}, "september  5, 2024 17:30") == "timestamp 2024-09-05T17:30:00Z");
  CHECK(Run({"to_timestamp '%B %e, %Y[ %R]'"}, "Sept 5, 2024") == "timestamp 2024-09-05T00:00:00Z");
  CHECK(Run({"to_timestamp %Y-%j"}, "2024-366") == "timestamp 2024-12-31T00:00:00Z");
  CHECK(Run({"to_timestamp %F"}, "") == "null");
  CHECK(Run({"to_timestamp %F", "date_part year"}, "2024-01-01") == "integer 2024");
  // The clocks of New York jump over 02:30 on 2024-03-10 and show 01:30 twice on 2024-11-03.
  CHECK(Run({"to_timestamp '%F %R' America/New_York"}, "2024-03-10 02:30").find("error: ") == 0);
  CHECK(Run({"to_timestamp '%F %R' America/New_York"}, "2024-11-03 01:30") == "timestamp 2024-11-03T01:30:00-04:00");
  for (const char* text : {"2024-13-01", "2024-02-30", "2023-02-29", "24-01-01", "2024-01-01x", "0000-01-01"}) {
    INFO(text);
    CHECK(Run({"to_timestamp %F"}, text).find("error: ") == 0);
  }
}

TEST_CASE("dates of mail and feeds are read with their zones") {
  CHECK(Run({"to_timestamp rfc822"}, "Sat, 07 Sep 2002 00:00:01 GMT") == "timestamp 2002-09-07T00:00:01Z");
  CHECK(Run({"to_timestamp rfc822"}, "Fri, 23 Feb 2024 13:00:00 EST") == "timestamp 2024-02-23T13:00:00-05:00");
  CHECK(Run({"to_timestamp rfc822"}, "23 Feb 24 13:00 PDT") == "timestamp 2024-02-23T13:00:00-07:00");
  CHECK(Run({"to_timestamp rfc822"}, "Fri, 23 Feb 2024 13:00:00 +0530") == "timestamp 2024-02-23T13:00:00+05:30");
  CHECK(Run({"to_timestamp rfc822 rfc3339"}, "2024-02-23T13:00:00Z") == "timestamp 2024-02-23T13:00:00Z");
  for (const char* text :
       {"Fri, 23 Feb 2024 13:00:00", "Fri, 23 Feb 2024 13:00:00 XYZ", "Fry, 23 Feb 2024 13:00:00 GMT",
        "Fri, 30 Feb 2024 13:00:00 GMT", "Fri, 23 Feb 2024 24:00:00 GMT"}) {
    INFO(text);
    CHECK(Run({"to_timestamp rfc822"}, text).find("error: ") == 0);
  }
}

TEST_CASE("dates, months and their names are read") {
  CHECK(Run({"to_date %d/%m/%Y"}, "31/01/2026") == "date 2026-01-31");
  CHECK(Run({"to_date %m/%d/%y"}, "1/31/69") == "date 1969-01-31");
  CHECK(Run({"to_date '%b %d %Y'"}, "JAN 31 2026") == "date 2026-01-31");
  for (const char* text :
       {"2024-07", "2024M07", "2024-M07", "2024M7", "202407", "2024/07", "July 2024", "Jul 2024", "july, 2024",
        "2024 July", "07/2024", "2024-07-31", "20240731", "2024-07-31T23:30:00-05:00"}) {
    INFO(text);
    CHECK(Run({"to_year_month"}, text) == "text 2024-07");
  }
  CHECK(Run({"to_date", "to_year_month"}, "2024-07-31") == "text 2024-07");
  CHECK(Run({"to_year_month %m-%y"}, "07-24") == "text 2024-07");
  for (const char* text : {"2024M13", "2024-00", "2024-13", "13/2024", "July", "2024", "20247"}) {
    INFO(text);
    CHECK(Run({"to_year_month"}, text).find("error: ") == 0);
  }
  for (const char* text : {"7", "07", "M07", "July", "JUL", " jul "}) CHECK(Run({"to_month"}, text) == "integer 7");
  CHECK(Run({"to_month"}, "7", true) == "integer 7");
  for (const char* text : {"M13", "13", "0", "007", "Ju", "Julius", "M", "-7"}) {
    INFO(text);
    CHECK(Run({"to_month"}, text).find("error: ") == 0);
  }
}

TEST_CASE("a wrong call is refused with how to call it") {
  CHECK(Reason(CompileError("trimm")) == "FUNCTION_UNKNOWN");
  CHECK(std::string(CompileError("trimm").message()).find("did you mean \"trim\"") != std::string::npos);
  for (const char* call : {"trim x",
                           "strip_prefix",
                           "replace a",
                           "replace '' b",
                           "pad_left 5 ab",
                           "pad_left -1 0",
                           "pad_left 1001 0",
                           "substring x",
                           "regex (",
                           "split '' 0",
                           "split - -1",
                           "null_if",
                           "scale x",
                           "date_part week",
                           "to_integer 5",
                           "prefix",
                           "default",
                           "round x",
                           "round 19",
                           "convert mi",
                           "convert mile km",
                           "convert mi kg",
                           "to_number . .",
                           "to_number 0",
                           "to_number , ;",
                           "to_timestamp %Q",
                           "to_timestamp %m",
                           "to_timestamp %",
                           "to_timestamp [%Y",
                           "to_timestamp %Y]",
                           "to_timestamp localtime",
                           "to_timestamp ../x",
                           "to_timestamp /etc/localtime",
                           "to_timestamp UTC %Y",
                           "to_date %Y UTC",
                           "to_month 5"}) {
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
