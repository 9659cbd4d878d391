#include "cli/json.h"

#include "test/support/test.h"

namespace chartly::cli {

TEST_CASE("every digit and the order of members come back as they came") {
  std::string text =
      R"({"b":9007199254740993,"a":12.50,"e":1e+300,"n":null,"t":true,"s":"a\"b\\\n\u0001é","l":[1,[],{}],"z":-0.0})";
  auto json = Json::Parse(text);
  REQUIRE_OK(json);
  CHECK(json->ToText() == text);
  CHECK((*json)["b"].text() == "9007199254740993");
  CHECK((*json)["a"].text() == "12.50");
  CHECK((*json)["t"].boolean());
  CHECK((*json)["l"].items().size() == 3);
}

TEST_CASE("integers are read from digits and from text, and what is missing is null") {
  auto json = Json::Parse(R"({"a": 5, "b": "7", "c": {"d": "x"}})");
  REQUIRE_OK(json);
  CHECK((*json)["a"].integer() == 5);
  CHECK((*json)["b"].integer() == 7);
  CHECK((*json)["c"]["d"].text() == "x");
  CHECK((*json)["no"]["such"].is_null());
  CHECK((*json)["no"]["such"].integer() == 0);
}

TEST_CASE("what is not one JSON document is refused") {
  std::string text =
      GENERATE("", "<html>", "{", "{\"a\":}", "[1,]", "{\"a\":1} x", "{\"a\":1}{}", "[nul]", "[1x]", "5");
  INFO(text);
  CHECK(Json::Parse(text).status().code() == absl::StatusCode::kInvalidArgument);
  std::string deep(100, '[');
  CHECK_FALSE(Json::Parse(deep + std::string(100, ']')).ok());
}

}  // namespace chartly::cli
