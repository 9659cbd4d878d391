// Rows read by the shape of those before them, against the same rows each read as the first of a payload.
#include <random>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "drone/decode/collector_for_test.h"
#include "test/support/test.h"

namespace chartly::drone {
namespace {

const std::vector<std::string>& Scalars() {
  static const std::vector<std::string> scalars = {"1",
                                                   "-12.5",
                                                   "0",
                                                   "0.0",
                                                   "123456789012",
                                                   "1e5",
                                                   "-0.5E-3",
                                                   "12345678",
                                                   "1234567.8",
                                                   "true",
                                                   "false",
                                                   "null",
                                                   "\"\"",
                                                   "\"a\"",
                                                   "\"station 17\"",
                                                   "\"caf\u00e9\"",
                                                   "\"a\\\"b\"",
                                                   "\"\\u00e9\\n\"",
                                                   "\"back\\\\slash\"",
                                                   "\"{,}[:]\""};
  return scalars;
}

// Wrong, or no scalars.
const std::vector<std::string>& Others() {
  static const std::vector<std::string> others = {
      "01", "1.", ".5",        "-",     "+1", "1.2.3",  "00",     "tru",    "nul",        "\"\\x\"", "\"\\ud800\"", "",
      "{}", "[]", "{\"x\":7}", "[1,2]", "1 ", "\"a\" ", "\"a\"b", "1\"a\"", "\"a\"\"b\"", "1,2",     "\"open"};
  return others;
}

// $ stands for a scalar.
const std::vector<std::string>& Shapes() {
  static const std::vector<std::string> shapes = {
      "{\"id\":$,\"v\":{\"x\":$,\"y\":$},\"list\":[$,$,$],\"last\":$}",
      "{\"id\": $, \"v\": {\"x\": $, \"y\": $}, \"list\": [$, $, $], \"last\": $}",
      "{\"id\":$,\"v\":{\"x\":$},\"list\":[$]}",
      "{\"id\":$,\"v\":$,\"list\":[],\"odd \\u0069d\":$,\"id\":$}",
      "{\"v\":{\"x\":$,\"v\":{\"x\":$}},\"v\":{\"y\":$},\"last\":{}}",
      " { \"last\" : $ , \"i\\u0064\" : $ } ",
      "{\"a name that is longer than what is compared without a call of a function\":$,\"id\":$}",
      "{}"};
  return shapes;
}

// `wild` ones may spoil the lines around them, too.
std::string RandomRow(std::mt19937& random, const std::string& shape, bool wild) {
  std::string row;
  for (char c : shape) {
    const std::vector<std::string>& choices = random() % 40 == 0 ? Others() : Scalars();
    if (c == '$') {
      const std::string& choice = choices[random() % choices.size()];
      row += choice == "\"open" && !wild ? "1" : choice;
    } else {
      row += c;
    }
  }
  if (wild && random() % 30 == 0) row.resize(random() % (row.size() + 1));
  if (wild && random() % 30 == 0 && !row.empty()) row[random() % row.size()] = "{}[]:,\" x1"[random() % 10];
  if (random() % 80 == 0) row += row;
  return row;
}

// Without the numbers of the rows.
std::vector<std::string> Unnumbered(const Decoded& decoded) {
  std::vector<std::string> rows;
  for (size_t i = 0; i < decoded.rows.size(); ++i) {
    const std::string& row = decoded.rows[i];
    rows.push_back(absl::StrCat(row[0] == '!' ? "!" : row.substr(row.find(':')), " of ", decoded.raws[i]));
  }
  return rows;
}

}  // namespace

TEST_CASE("rows of a shape that was seen before are what they would be on their own") {
  const std::vector<std::string> paths = {"id", "v", "v.x", "v.y", "v.v.x", "list", "list[1]", "last", "nowhere"};
  const std::string first = "{\"id\":0}\n";  // so that no payload is empty
  size_t good = 0;
  size_t bad = 0;
  for (unsigned seed = 1; seed <= 40; ++seed) {
    INFO(seed);
    std::mt19937 random(seed);
    SourceConfig source;
    source.format = Format::kNdjson;
    std::string payload = first;
    std::string document = "[" + first;
    std::vector<std::string> expected = Unnumbered(Decode(source, paths, first));
    std::vector<std::string> expected_of_document = expected;
    for (unsigned i = 0; i < 60; ++i) {
      // Shapes come in turn, in runs, or as it happens.
      const unsigned place = seed % 3 == 0 ? static_cast<unsigned>(random()) : i / (seed % 9 + 1) % 3 + seed;
      const std::string line = RandomRow(random, Shapes()[place % Shapes().size()], seed % 2 == 0) + "\n";
      payload += line;
      const Decoded alone = Decode(source, paths, first + line);
      REQUIRE_OK(alone.status);
      const std::vector<std::string> rows = Unnumbered(alone);
      expected.insert(expected.end(), rows.begin() + 1, rows.end());
      if (rows.size() != 2 || rows[1][0] == '!') {
        bad += rows.size() - 1;
        continue;
      }
      ++good;
      expected_of_document.push_back(rows[1]);
      document += "," + line;
    }
    const Decoded all = Decode(source, paths, payload);
    REQUIRE_OK(all.status);
    REQUIRE(Unnumbered(all) == expected);
    source.format = Format::kJson;
    const Decoded whole = Decode(source, paths, document + "]");
    REQUIRE_OK(whole.status);
    REQUIRE(Unnumbered(whole) == expected_of_document);
  }
  CHECK(good > 1000);
  CHECK(bad > 200);
}

// Long runs of one shape are read side by side; what ends them stands among them.
TEST_CASE("rows of long runs of a shape are what they would be on their own") {
  const std::vector<std::string> paths = {"id", "v", "v.x", "list[1]", "last", "nowhere"};
  const std::vector<std::string> ends = {"\n", "\n", "\r\n", " \n", "\n\n", "\t\r\n \n", " ", ""};
  const std::string first = "{\"id\":0}\n";
  size_t rows = 0;
  for (unsigned seed = 1; seed <= 25; ++seed) {
    INFO(seed);
    std::mt19937 random(seed);
    SourceConfig source;
    source.format = Format::kNdjson;
    std::string payload = first;
    std::vector<std::string> expected = Unnumbered(Decode(source, paths, first));
    while (rows < seed * 500) {
      const std::string& shape = Shapes()[random() % Shapes().size()];
      const std::string& usual_end = ends[random() % 3];
      const bool odd = random() % 4 != 0;  // whether anything ends the run before
      for (size_t left = 1 + random() % 300; left > 0; --left) {
        std::string line;
        for (char c : shape) {
          if (c != '$') {
            line += c;
          } else if (odd && random() % 500 == 0) {
            line += Others()[random() % (Others().size() - 1)];  // not the one that is left open
          } else {
            line += Scalars()[random() % (odd && random() % 100 == 0 ? Scalars().size() : 16)];  // few with escapes
          }
        }
        line += odd && random() % 100 == 0 ? ends[random() % ends.size()] : usual_end;
        payload += line;
        // Two values on a line are one bad row, wherever they stand.
        if (line.back() != '\n') {
          line += "{}\n";
          payload += "{}\n";
        }
        const Decoded alone = Decode(source, paths, first + line);
        REQUIRE_OK(alone.status);
        const std::vector<std::string> given = Unnumbered(alone);
        expected.insert(expected.end(), given.begin() + 1, given.end());
        ++rows;
      }
    }
    const Decoded all = Decode(source, paths, payload);
    REQUIRE_OK(all.status);
    REQUIRE(Unnumbered(all) == expected);
    // The last line needs no end.
    const Decoded without_end = Decode(source, paths, payload + "{\"id\":0}");
    REQUIRE_OK(without_end.status);
    REQUIRE(without_end.rows.size() == expected.size() + 1);
  }
}

}  // namespace chartly::drone
