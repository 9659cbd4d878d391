#include "cli/table.h"

#include <sstream>

#include "test/support/test.h"

namespace chartly::cli {

TEST_CASE("columns are as wide as they need, numbers stand to the right, characters count and not bytes") {
  Table table({"NAME", "N"});
  table.Add({"Österreich", "5"});
  table.Add({"Chad", "12.50"});
  std::ostringstream out;
  table.Print(out, "");
  CHECK(out.str() ==
        "NAME            N\n"
        "Österreich      5\n"
        "Chad        12.50\n");
}

TEST_CASE("control characters of data do not reach the terminal") {
  Table table({"A"});
  table.Add({"x\x1b[31m\xC2\x9B!\n"});
  std::ostringstream out;
  table.Print(out, "");
  CHECK(out.str() == "A\nx?[31m?!?\n");
}

TEST_CASE("an empty table says so, and short forms are short") {
  std::ostringstream out;
  Table({"A"}).Print(out, "nothing yet");
  CHECK(out.str() == "nothing yet\n");
  CHECK(Shorten("abcdef", 4) == "abc…");
  CHECK(Shorten("äöü", 3) == "äöü");
  CHECK(ShortTime("2026-01-31T09:00:00.123456Z") == "2026-01-31 09:00:00Z");
  CHECK(ShortTime("2026-01-31T09:00:00+01:00") == "2026-01-31 09:00:00+01:00");
  CHECK(ShortTime("") == "");
  CHECK(FormatBytes(100) == "100 B");
  CHECK(FormatBytes(1536) == "1.5 KiB");
}

}  // namespace chartly::cli
