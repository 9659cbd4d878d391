#include "common/text/csv_text.h"

#include "test/support/test.h"

namespace chartly {
namespace {

std::string Csv(absl::string_view text, bool guard = false) {
  std::string out;
  AppendCsvText(out, text, guard);
  return out;
}

TEST_CASE("a text of CSV stands in quotes where it would be read as something else") {
  CHECK(Csv("plain") == "plain");
  CHECK(Csv("") == "\"\"");
  CHECK(Csv("a,b") == "\"a,b\"");
  CHECK(Csv("say \"x\"") == "\"say \"\"x\"\"\"");
  CHECK(Csv("two\r\nlines") == "\"two\r\nlines\"");
}

TEST_CASE("a text that a spreadsheet would calculate is guarded if asked") {
  CHECK(Csv("=1+1") == "=1+1");
  CHECK(Csv("=1+1", true) == "'=1+1");
  CHECK(Csv("@a,b", true) == "\"'@a,b\"");
  CHECK(Csv("1=1", true) == "1=1");
}

}  // namespace
}  // namespace chartly
