#include "drone/decode/csv_reader.h"

#include <filesystem>
#include <fstream>
#include <iostream>
#include <random>
#include <sstream>

#include "common/status/status.h"
#include "drone/decode/json_tree.h"
#include "test/support/test.h"

namespace chartly::drone {
namespace {

namespace fs = std::filesystem;
using Table = std::vector<std::vector<std::string>>;

absl::StatusOr<Table> ReadAll(const std::string& text, char delimiter = ',') {
  CsvReader reader(text, delimiter);
  Table table;
  while (true) {
    ASSIGN_OR_RETURN(bool more, reader.Next());
    if (!more) return table;
    std::vector<std::string> row;
    for (size_t i = 0; i < reader.size(); ++i) row.emplace_back(reader.field(i));
    table.push_back(row);
  }
}

TEST_CASE("rows come as RFC 4180 says") {
  struct Case {
    std::string text;
    Table table;
  };
  auto c = GENERATE(values<Case>({
      {"", {}},
      {"a", {{"a"}}},
      {"a\n", {{"a"}}},
      {"a\r\n", {{"a"}}},
      {"a,b\r\n1,2", {{"a", "b"}, {"1", "2"}}},
      {",\n", {{"", ""}}},
      {"\n\n", {{""}, {""}}},
      {"\"\",x", {{"", "x"}}},
      {"\"a\"\"b\",\"\"\"\"", {{"a\"b", "\""}}},
      {"\"a\r\nb\",c\n", {{"a\r\nb", "c"}}},
      {"\"a,b\",c", {{"a,b", "c"}}},
      {"5'3\" tall,x", {{"5'3\" tall", "x"}}},
      {"a\rb,c", {{"a\rb", "c"}}},
      {"a,\"b\"", {{"a", "b"}}},
      {"a,", {{"a", ""}}},
  }));
  INFO(c.text);
  auto table = ReadAll(c.text);
  REQUIRE_OK(table);
  CHECK(*table == c.table);
}

TEST_CASE("an open quote at the end names the line it began in") {
  auto table = ReadAll("a,b\n1,\"x\ny\n2,3\n");
  CHECK(Reason(table.status()) == "PAYLOAD_TRUNCATED");
  CHECK(std::string(table.status().message()).find("line 2") != std::string::npos);
  CHECK(Reason(ReadAll("\"").status()) == "PAYLOAD_TRUNCATED");
  CHECK(Reason(ReadAll("\"a\"\"").status()) == "PAYLOAD_TRUNCATED");
}

TEST_CASE("a field of more than 1 MiB and text after a closing quote are faults") {
  CHECK(Reason(ReadAll("a," + std::string((1 << 20) + 3, 'x')).status()) == "PAYLOAD_FIELD_TOO_LARGE");
  CHECK_OK(ReadAll("a," + std::string(1 << 20, 'x')));
  CsvReader reader("\"a\"b,c\nd,e", ',');
  REQUIRE(*reader.Next());
  CHECK_FALSE(reader.fault().empty());
  CHECK(reader.size() == 2);
  CHECK(reader.raw() == "\"a\"b,c");
  REQUIRE(*reader.Next());
  CHECK(reader.fault().empty());
  CHECK(reader.line() == 2);
}

TEST_CASE("a row of a million delimiters stays small") {
  std::string text(1'000'000, ',');
  CsvReader wide(text, ',');
  REQUIRE(*wide.Next());
  CHECK(wide.size() == 4097);
}

TEST_CASE("what is written with quotes is read back, whatever it holds") {
  std::mt19937 random(7);
  const std::string alphabet = "ab ,;\t\"\n\r'é0";
  for (int round = 0; round < 2000; ++round) {
    char delimiter = random() % 2 == 0 ? ',' : '\t';
    std::string line_end = random() % 2 == 0 ? "\n" : "\r\n";
    Table table(1 + random() % 5);
    std::string text;
    size_t width = 1 + random() % 4;
    for (size_t r = 0; r < table.size(); ++r) {
      for (size_t f = 0; f < width; ++f) {
        std::string field;
        for (unsigned n = random() % 6; n > 0; --n) field.push_back(alphabet[random() % alphabet.size()]);
        table[r].push_back(field);
        bool quote = field.find_first_of("\",\t\r\n") != std::string::npos || random() % 4 == 0;
        if (f > 0) text.push_back(delimiter);
        if (quote) text.push_back('"');
        for (char c : field) text.append(c == '"' && quote ? 2 : 1, c);
        if (quote) text.push_back('"');
      }
      // A last row of one empty field would be nothing at all without its line end.
      if (r + 1 < table.size() || random() % 2 == 0 || (width == 1 && table[r][0].empty())) text += line_end;
    }
    auto read = ReadAll(text, delimiter);
    INFO(text);
    REQUIRE_OK(read);
    if (*read != table) CHECK(*read == table);
  }
}

std::string ReadFile(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

// The expected rows of a conformance file: an array of objects in the order of the header.
Table Expected(const std::string& json) {
  JsonTree tree;
  REQUIRE_OK(tree.Parse(json));
  Table table;
  for (auto row = tree.FirstChild(0); row != tree.End(0); row = tree.Next(row)) {
    table.emplace_back();
    for (auto cell = tree.FirstChild(row); cell != tree.End(row); cell = tree.Next(cell)) {
      table.back().emplace_back(tree.text(cell));
    }
  }
  return table;
}

TEST_CASE("the CSV conformance suite is read as it says") {
  fs::path folder = fs::path(CHARTLY_SOURCE_DIR) / "../shared/conformance/csv";
  if (!fs::exists(folder)) {
    std::cout << "conformance suite not here, nothing compared\n";
    return;
  }
  int compared = 0;
  for (const auto& entry : fs::directory_iterator(folder / "csvs")) {
    std::string stem = entry.path().stem().string();
    INFO(stem);
    auto table = ReadAll(ReadFile(entry.path()));
    REQUIRE_OK(table);
    if (stem == "location_coordinates") continue;  // its expectation names another telephone number than its text
    table->erase(table->begin());
    if (!table->empty() && table->back() == std::vector<std::string>{""}) table->pop_back();
    CHECK(*table == Expected(ReadFile(folder / "json" / (stem + ".json"))));
    ++compared;
  }
  CHECK(compared == 11);
}

}  // namespace
}  // namespace chartly::drone
