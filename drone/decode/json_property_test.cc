// What holds for every JSON payload: it is read the same whether whole or streamed, in whatever pieces and windows, and
// damage never changes a row that came before it.
#include <simdjson.h>

#include <filesystem>
#include <fstream>
#include <iostream>
#include <random>
#include <sstream>

#include "common/status/status.h"
#include "drone/decode/collector_for_test.h"
#include "drone/decode/cut_body_for_test.h"
#include "drone/decode/json_decoder.h"
#include "test/support/test.h"

namespace chartly::drone {
namespace {

namespace fs = std::filesystem;
using Rows = std::vector<std::string>;

Decoded Run(const SourceConfig& source, const Rows& paths, const std::string& text, const JsonSizes& sizes,
            size_t longest_piece, unsigned seed) {
  auto decoder = MakeJsonDecoder(source.format, source, paths, sizes);
  REQUIRE_OK(decoder);
  Collector sink(paths.size());
  CutBody body(text, longest_piece, seed);
  PageInfo page;
  page.format = source.format;
  auto result = (*decoder)->Decode(body, page, sink);
  return {result.status(), result.ok() ? *result : DecodeResult{}, sink.rows, sink.raws};
}

Decoded Whole(const SourceConfig& source, const Rows& paths, const std::string& text) {
  return Run(source, paths, text, JsonSizes{}, text.size() + 1, 1);
}

// Well-formed JSON of every kind, with blanks, escapes and characters of every length.
class Writer {
 public:
  explicit Writer(unsigned seed) : random_(seed) {}

  size_t Below(size_t bound) { return random_() % bound; }
  std::string Blank() { return Below(4) > 0 ? "" : std::string(Below(3), " \t\r"[Below(3)]); }
  std::string Text() {
    constexpr const char* kParts[] = {
        "a", "}", "]", ",", "{", ":", "\\\"", "\\\\", "\\n", "\\u00e9", "\\ud834\\udd1e", "é", "𝄞", " ", "longer text ",
        "/"};
    std::string out = "\"";
    for (size_t i = Below(8); i > 0; --i) out += kParts[Below(std::size(kParts))];
    return out + "\"";
  }
  std::string Scalar() {
    constexpr const char* kScalars[] = {"0", "-1.50", "1e9", "12345678901234567890", "true", "false", "null"};
    return Below(2) == 0 ? Text() : kScalars[Below(std::size(kScalars))];
  }
  std::string Value(size_t depth) {
    if (depth == 0 || Below(2) == 0) return Scalar();
    std::string out;
    bool object = Below(2) == 0;
    for (size_t i = Below(4); i > 0; --i) {
      if (!out.empty()) out += "," + Blank();
      out += (object ? Text() + Blank() + ":" : "") + Blank() + Value(depth - 1) + Blank();
    }
    return object ? "{" + out + "}" : "[" + out + "]";
  }
  std::string Row() {
    std::string out;
    for (const char* name : {"a", "b", "c"}) {
      if (Below(5) == 0) continue;
      if (!out.empty()) out += "," + Blank();
      out += "\"" + std::string(name) + "\"" + Blank() + ":" + Blank() + Value(2);
      if (Below(8) == 0) out += "," + Text() + ":" + Value(3);
    }
    return "{" + Blank() + out + Blank() + "}";
  }

 private:
  std::mt19937 random_;
};

struct Case {
  SourceConfig source;
  Rows paths;
  std::string text;
};

Case MakeCase(unsigned seed) {
  Writer writer(seed);
  Case made;
  made.source.format = Format::kJson;
  made.paths = {"a", "b", "c", "c.x", "b[1]"};
  std::string rows;
  for (size_t i = writer.Below(12); i > 0; --i) {
    rows += (rows.empty() ? "" : ",") + writer.Blank() + writer.Row() + writer.Blank();
  }
  std::string around = R"("id":)" + writer.Scalar() + R"(,"skip":)" + writer.Value(4);
  std::string after = R"("meta":{"next":)" + writer.Text() + "}";
  switch (writer.Below(4)) {
    case 0:
      made.text = "[" + rows + "]";
      break;
    case 1:
      made.source.records = "data";
      made.source.pagination.next = "meta.next";
      made.paths.push_back("^.id");
      made.text = "{" + around + R"(,"data":[)" + rows + "]," + after + "}";
      break;
    case 2:
      made.source.records = "s[*].data[*]";
      made.paths.push_back("^.id");
      made.text = R"({"s":[{)" + around + R"(,"data":[)" + rows + R"(]},{"id":7,"data":[{"a":1}]}],)" + after + "}";
      break;
    default:
      made.source.shape = RowShape::kKeyed;
      made.paths.push_back("$key");
      made.text = "{" + around + R"(,"row":)" + writer.Row() + "}";
  }
  made.text = writer.Blank() + made.text + writer.Blank();
  return made;
}

TEST_CASE("random documents in random pieces give the rows of the whole") {
  size_t rows = 0;
  for (unsigned seed = 0; seed < 400; ++seed) {
    Case made = MakeCase(seed);
    INFO("seed " << seed << ": " << made.text);
    Decoded whole = Whole(made.source, made.paths, made.text);
    REQUIRE_OK(whole.status);
    rows += whole.rows.size();
    size_t longest = 1 + seed % 97;
    Decoded cut = Run(made.source, made.paths, made.text, JsonSizes{}, longest, seed);
    REQUIRE(cut.rows == whole.rows);
    for (size_t window : {1, 13, 100}) {
      Decoded streamed = Run(made.source, made.paths, made.text, JsonSizes{0, window}, longest, seed);
      REQUIRE_OK(streamed.status);
      REQUIRE(streamed.rows == whole.rows);
      REQUIRE(streamed.raws == whole.raws);
      REQUIRE(streamed.result.next == whole.result.next);
    }
  }
  CHECK(rows > 1000);
}

TEST_CASE("a truncated document gives a part of its rows and says so") {
  for (unsigned seed = 0; seed < 60; ++seed) {
    Case made = MakeCase(seed);
    Decoded whole = Whole(made.source, made.paths, made.text);
    for (size_t size = made.text.find_first_of("{[") + 1; size < made.text.find_last_of("]}"); size += 1 + seed % 5) {
      if ((made.text[size] & 0xc0) == 0x80) continue;  // inside of a character
      std::string text = made.text.substr(0, size);
      INFO("seed " << seed << ": " << text);
      REQUIRE(Reason(Whole(made.source, made.paths, text).status) == "PAYLOAD_TRUNCATED");
      Decoded streamed = Run(made.source, made.paths, text, JsonSizes{0, 1 + seed}, 1 + seed, seed);
      REQUIRE(Reason(streamed.status) == "PAYLOAD_TRUNCATED");
      REQUIRE(streamed.rows.size() <= whole.rows.size());
      REQUIRE(std::equal(streamed.rows.begin(), streamed.rows.end(), whole.rows.begin()));
    }
  }
}

// How many of the rows, in their order in the text, end before `position`.
size_t RowsBefore(const std::string& text, const Rows& raws, size_t position) {
  size_t at = 0;
  for (size_t i = 0; i < raws.size(); ++i) {
    at = text.find(raws[i], at);
    if (at == std::string::npos || at + raws[i].size() > position) return i;
    at += raws[i].size();
  }
  return raws.size();
}

TEST_CASE("a flipped bit is met by both ways alike and changes no row before it") {
  std::mt19937 random(7);
  int refused = 0;
  for (unsigned seed = 0; seed < 3000; ++seed) {
    Case made = MakeCase(seed % 200);
    if (made.source.shape == RowShape::kKeyed) continue;  // rows there are told apart by what is not in them
    Decoded before = Whole(made.source, made.paths, made.text);
    std::string text = made.text;
    size_t position = random() % text.size();
    text[position] = static_cast<char>(text[position] ^ (1 << random() % 8));
    INFO("seed " << seed << ", byte " << position << ": " << text);
    Decoded whole = Whole(made.source, made.paths, text);
    Decoded streamed = Run(made.source, made.paths, text, JsonSizes{0, 1 + seed % 50}, 1 + seed % 7, seed);
    std::string reason = Reason(streamed.status);
    // A name that the flip took away, or doubled, on the way to the rows.
    if (reason == "PAYLOAD_FIELD_AFTER_ROWS" || reason == "PAYLOAD_DUPLICATE_NAME") continue;
    REQUIRE(streamed.status.ok() == whole.status.ok());
    if (whole.status.ok()) REQUIRE(streamed.rows == whole.rows);
    size_t untouched = std::min(streamed.rows.size(), RowsBefore(made.text, before.raws, position));
    REQUIRE(
        std::equal(streamed.rows.begin(), streamed.rows.begin() + static_cast<long>(untouched), before.rows.begin()));
    refused += !whole.status.ok();
  }
  CHECK(refused > 500);
}

TEST_CASE("damaged lines are met alike whatever the windows and pieces") {
  std::mt19937 random(11);
  SourceConfig source;
  source.format = Format::kNdjson;
  Rows paths = {"a", "b", "c.x"};
  size_t bad = 0;
  for (unsigned seed = 0; seed < 1000; ++seed) {
    Writer writer(seed);
    std::string text;
    for (int i = 0; i < 6; ++i) text += writer.Row() + (writer.Below(3) == 0 ? "\r\n" : "\n");
    for (size_t flips = random() % 3; flips > 0; --flips) {
      size_t at = random() % text.size();
      text[at] = static_cast<char>(text[at] ^ (1 << random() % 8));
    }
    if (random() % 5 == 0) text.resize(random() % text.size());
    INFO("seed " << seed << ": " << text);
    Decoded all = Run(source, paths, text, JsonSizes{}, text.size() + 1, seed);
    Decoded cut = Run(source, paths, text, JsonSizes{0, 1 + seed % 60}, 1 + seed % 9, seed);
    REQUIRE(cut.rows == all.rows);
    REQUIRE(cut.raws == all.raws);
    REQUIRE(Reason(cut.status) == Reason(all.status));
    for (const std::string& row : all.rows) bad += row[0] == '!';
  }
  CHECK(bad > 100);
}

TEST_CASE("mutated documents are accepted exactly when a second parser accepts them") {
  const std::string seed_text =
      R"({"a":[1,-2.5e3,"x\n\u00e9",{"k":null,"t":true,"f":false},[]],"empty":{},"s":"é\\\"","n":0.1} )";
  std::mt19937 random(20240607);
  simdjson::dom::parser reference;
  SourceConfig source;
  source.format = Format::kJson;
  int accepted = 0;
  for (int round = 0; round < 20000; ++round) {
    std::string text = seed_text;
    for (unsigned edits = random() % 3; edits != ~0u; --edits) {
      size_t at = random() % text.size();
      const char* alphabet = "{}[],:\"\\ 01-.eEtnu\n";
      char c = alphabet[random() % 19];
      switch (random() % 4) {
        case 0:
          text[at] = c;
          break;
        case 1:
          text.insert(at, 1, c);
          break;
        case 2:
          text.erase(at, 1 + random() % 3);
          break;
        default:
          std::swap(text[at], text[random() % text.size()]);
      }
      if (text.empty()) text = " ";
    }
    simdjson::dom::element element;
    auto error = reference.parse(text).get(element);
    // The reference converts numbers and so refuses some that are well-formed.
    if (error == simdjson::NUMBER_ERROR) continue;
    bool expected = !error;
    auto accepts = [&](const JsonSizes& sizes) {
      absl::Status status = Run(source, {"a"}, text, sizes, 30, 1).status;
      return status.ok() || Reason(status) == "PAYLOAD_NO_RECORDS";
    };
    INFO(text);
    REQUIRE(accepts(JsonSizes{}) == expected);
    REQUIRE(accepts(JsonSizes{0, 1 + static_cast<size_t>(round) % 40}) == expected);
    accepted += expected;
  }
  CHECK(accepted > 1000);
}

std::string ReadFile(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

TEST_CASE("the JSON conformance suite is accepted and refused as it says, whole and streamed") {
  fs::path folder = fs::path(CHARTLY_SOURCE_DIR) / "../shared/conformance/json/test_parsing";
  if (!fs::exists(folder)) {
    std::cout << "conformance suite not here, nothing compared\n";
    return;
  }
  SourceConfig source;
  source.format = Format::kJson;
  int accepted = 0;
  int refused = 0;
  for (const auto& entry : fs::directory_iterator(folder)) {
    std::string name = entry.path().filename().string();
    std::string text = ReadFile(entry.path());
    INFO(name);
    // The path "" is the row itself, so that whole values are compared.
    Rows paths = {"", "a", "[0]"};
    auto is_json = [](const Decoded& decoded) {
      return decoded.status.ok() || Reason(decoded.status) == "PAYLOAD_NO_RECORDS";
    };
    Decoded whole = Whole(source, paths, text);
    for (size_t window : {1, 50}) {
      Decoded streamed = Run(source, paths, text, JsonSizes{0, window}, 20, 3);
      CHECK(is_json(streamed) == is_json(whole));
      if (is_json(whole)) CHECK(streamed.rows == whole.rows);
    }
    if (name[0] == 'y') CHECK(is_json(whole));
    if (name[0] == 'n') CHECK_FALSE(is_json(whole));
    accepted += name[0] == 'y' && is_json(whole);
    refused += name[0] == 'n' && !is_json(whole);
  }
  CHECK(accepted == 95);
  CHECK(refused == 188);
}

#ifndef __SANITIZE_ADDRESS__
int64_t PeakMemoryKb() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.rfind("VmHWM:", 0) == 0) return std::stoll(line.substr(6));
  }
  return 0;
}

// A document that is nowhere as a whole.
class Endless final : public Body {
 public:
  Endless(std::string first, std::string piece, int pieces, std::string last)
      : first_(std::move(first)), piece_(std::move(piece)), last_(std::move(last)), pieces_(pieces) {}
  absl::StatusOr<absl::string_view> Read() override {
    int at = at_++;
    if (at == 0) return absl::string_view(first_);
    if (at <= pieces_) return absl::string_view(piece_);
    return at == pieces_ + 1 ? absl::string_view(last_) : absl::string_view();
  }

 private:
  const std::string first_, piece_, last_;
  const int pieces_;
  int at_ = 0;
};

TEST_CASE("a document far larger than memory allows is read in bounded memory") {
  class Counter final : public RowSink {
   public:
    absl::Status OnRow(const Row& row, uint32_t) override {
      rows += row.Get(0).kind == Field::Kind::kNumber;
      return absl::OkStatus();
    }
    absl::Status OnBadRow(absl::string_view, absl::string_view, absl::string_view, uint32_t) override {
      return absl::InternalError("no row is bad");
    }
    int rows = 0;
  };
  std::string row = R"({"id":12345,"text":")" + std::string(900, 'x') + R"(","more":[1,2,3]})";
  std::string piece;
  for (int i = 0; i < 500; ++i) piece += "," + row;
  SourceConfig source;
  source.format = Format::kJson;
  source.records = "data";
  auto decoder = MakeJsonDecoder(Format::kJson, source, {"id"});
  REQUIRE_OK(decoder);
  // What is not asked for is as large as the rows.
  Endless body(R"({"ignored":[0)", piece, 400, R"(],"data":[)" + row + "]}");
  Endless rows(R"({"data":[)" + row, piece, 400, "]}");
  const int64_t before = PeakMemoryKb();
  Counter sink;
  PageInfo page;
  page.format = Format::kJson;
  CHECK_OK((*decoder)->Decode(body, page, sink).status());
  CHECK(sink.rows == 1);
  CHECK_OK((*decoder)->Decode(rows, page, sink).status());
  CHECK(sink.rows == 200002);
  CHECK(PeakMemoryKb() - before < 24 * 1024);
}
#endif

}  // namespace
}  // namespace chartly::drone
