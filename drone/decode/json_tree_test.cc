#include "drone/decode/json_tree.h"

#include <simdjson.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <random>
#include <sstream>

#include "common/status/status.h"
#include "test/support/test.h"

namespace chartly::drone {
namespace {

namespace fs = std::filesystem;

std::string ReadFile(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

std::string TextAt(const JsonTree& tree, const std::string& path) {
  JsonTree::Index node = tree.Follow(JsonTree::kRoot, Path::Parse(path)->steps());
  return node == JsonTree::kNone ? "(none)" : std::string(tree.text(node));
}

TEST_CASE("numbers keep the digits of the source, strings lose their escapes") {
  JsonTree tree;
  REQUIRE_OK(tree.Parse(R"({"big": 123456789012345678901234567890, "d": 1.50, "e": -0E+1 , "huge": 1e400,
                            "s": "a\"\u00e9\ud834\udd1e\n", "t": true , "n": null, "o": { "x" : [ 1 , 2 ] } , "z":[]})"));
  CHECK(TextAt(tree, "big") == "123456789012345678901234567890");
  CHECK(TextAt(tree, "d") == "1.50");
  CHECK(TextAt(tree, "e") == "-0E+1");
  CHECK(TextAt(tree, "huge") == "1e400");
  CHECK(TextAt(tree, "s") == "a\"é𝄞\n");
  CHECK(TextAt(tree, "t") == "true");
  CHECK(TextAt(tree, "o") == "{ \"x\" : [ 1 , 2 ] }");
  CHECK(TextAt(tree, "o.x") == "[ 1 , 2 ]");
  CHECK(TextAt(tree, "o.x[1]") == "2");
  CHECK(TextAt(tree, "o.x[2]") == "(none)");
  CHECK(TextAt(tree, "z") == "[]");
  CHECK(TextAt(tree, "missing.x") == "(none)");
}

TEST_CASE("of duplicate names the last one counts") {
  JsonTree tree;
  REQUIRE_OK(tree.Parse(R"({"a": {"b": 1}, "c": 2, "a": 3})"));
  CHECK(TextAt(tree, "a") == "3");
}

TEST_CASE("a cut-off document is told from a wrong one") {
  std::string whole = R"({"a": [1, {"b": "text", "c": [true, null]}], "d": -1.5})";
  JsonTree tree;
  REQUIRE_OK(tree.Parse(whole));
  for (size_t size = 1; size < whole.size(); ++size) {
    INFO(whole.substr(0, size));
    CHECK(Reason(tree.Parse(whole.substr(0, size))) == "PAYLOAD_TRUNCATED");
  }
  for (const char* wrong : {"nope", "{\"a\" 1}", "[1,]", "[1] x", "1],[2", "]", ",", "1,2", "{}}", "[01]", "[1.]",
                            "[tru]", "[1]\f", "'a'", ""}) {
    INFO(wrong);
    CHECK(Reason(tree.Parse(wrong)) == "PAYLOAD_NOT_JSON");
  }
  absl::Status status = tree.Parse("[1, 2, oops, 3]");
  CHECK(std::string(status.message()).find("byte 7: \"oops, 3]\"") != std::string::npos);
}

TEST_CASE("bytes that are not UTF-8 are named by offset") {
  JsonTree tree;
  for (std::string bad : {"\xff", "\xc0\xaf", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xe4\xbd"}) {
    absl::Status status = tree.Parse("[\"é" + bad + "\"]");
    CHECK(Reason(status) == "PAYLOAD_NOT_UTF8");
    CHECK(Details(status)["offset"] == "4");
  }
}

TEST_CASE("depth is bounded at 64") {
  JsonTree tree;
  auto nested = [](int depth) { return std::string(depth, '[') + std::string(depth, ']'); };
  CHECK_OK(tree.Parse(nested(64)));
  CHECK(Reason(tree.Parse(nested(65))) == "PAYLOAD_TOO_DEEP");
  CHECK(Reason(tree.Parse(nested(5000))) == "PAYLOAD_TOO_DEEP");
  CHECK_FALSE(tree.Parse(std::string(100000, '[')).ok());
}

TEST_CASE("mutated documents are accepted exactly when a second parser accepts them") {
  const std::string seed =
      R"({"a":[1,-2.5e3,"x\n\u00e9",{"k":null,"t":true,"f":false},[]],"empty":{},"s":"é\\\"","n":0.1} )";
  std::mt19937 random(20240607);
  JsonTree tree;
  simdjson::dom::parser reference;
  int accepted = 0;
  for (int round = 0; round < 30000; ++round) {
    std::string text = seed;
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
    bool expected = !error;
    // The reference converts numbers and so refuses some that are well-formed.
    if (error == simdjson::NUMBER_ERROR) continue;
    INFO(text);
    bool ok = tree.Parse(text).ok();
    if (ok != expected) CHECK(ok == expected);
    accepted += ok;
  }
  CHECK(accepted > 1000);
}

TEST_CASE("the JSON conformance suite is accepted and refused as it says") {
  fs::path folder = fs::path(CHARTLY_SOURCE_DIR) / "../shared/conformance/json/test_parsing";
  if (!fs::exists(folder)) {
    std::cout << "conformance suite not here, nothing compared\n";
    return;
  }
  JsonTree tree;
  int accepted = 0;
  int refused = 0;
  for (const auto& entry : fs::directory_iterator(folder)) {
    std::string name = entry.path().filename().string();
    INFO(name);
    bool ok = tree.Parse(ReadFile(entry.path())).ok();
    if (name[0] == 'y') CHECK(ok);
    if (name[0] == 'n') CHECK_FALSE(ok);
    accepted += name[0] == 'y' && ok;
    refused += name[0] == 'n' && !ok;
  }
  CHECK(accepted == 95);
  CHECK(refused == 188);
}

}  // namespace
}  // namespace chartly::drone
