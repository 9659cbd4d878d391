#include "drone/decode/json_tree.h"

#include <filesystem>
#include <fstream>
#include <iostream>
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

TEST_CASE("a tree keeps the digits of numbers and takes the escapes out of strings") {
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

TEST_CASE("a tree tells a cut-off document from a wrong one") {
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

TEST_CASE("the depth of a tree is bounded at 64") {
  JsonTree tree;
  auto nested = [](int depth) { return std::string(depth, '[') + std::string(depth, ']'); };
  CHECK_OK(tree.Parse(nested(64)));
  CHECK(Reason(tree.Parse(nested(65))) == "PAYLOAD_TOO_DEEP");
  CHECK(Reason(tree.Parse(nested(5000))) == "PAYLOAD_TOO_DEEP");
  CHECK_FALSE(tree.Parse(std::string(100000, '[')).ok());
}

TEST_CASE("the JSON conformance suite is accepted and refused as it says by the tree") {
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
