#include "common/normalize/expression.h"

#include <map>
#include <random>

#include "common/status/status.h"
#include "test/support/test.h"

namespace chartly {
namespace {

using Fields = std::map<std::string, Value>;

Value Number(const char* digits) { return *ParseNumber(digits); }

bool Holds(const std::string& text, const Fields& fields) {
  absl::StatusOr<Expression> expression = Expression::Compile(text);
  INFO(text);
  REQUIRE_OK(expression);
  return expression->Matches([&](size_t name) {
    auto found = fields.find(expression->names()[name]);
    return found == fields.end() ? Value() : found->second;
  });
}

std::string ErrorOf(const std::string& text) {
  absl::StatusOr<Expression> expression = Expression::Compile(text);
  INFO(text);
  REQUIRE_FALSE(expression.ok());
  CHECK(Reason(expression.status()) == "EXPRESSION_INVALID");
  return std::string(expression.status().message());
}

}  // namespace

TEST_CASE("the example of the header holds where it should") {
  const std::string text =
      "year >= 2000 and not (iso in [\"OWID_WRL\", \"OWID_EUR\"]) and code matches \"^[A-Z]{3}$\" and len(name) > 2";
  Fields fields = {{"year", Number("2014")},
                   {"iso", Value::Text("DEU")},
                   {"code", Value::Text("DEU")},
                   {"name", Value::Text("Germany")}};
  CHECK(Holds(text, fields));
  fields["iso"] = Value::Text("OWID_EUR");
  CHECK_FALSE(Holds(text, fields));
  fields["iso"] = Value();
  CHECK(Holds(text, fields));
  fields["code"] = Value::Text("DE");
  CHECK_FALSE(Holds(text, fields));
}

TEST_CASE("numbers compare exactly, whatever wrote them") {
  Fields fields = {
      {"big", Number("9007199254740993")}, {"text", Value::Text("9007199254740993")}, {"dec", Number("0.1")}};
  CHECK(Holds("big = 9007199254740993", fields));
  CHECK_FALSE(Holds("big = 9007199254740992", fields));
  CHECK(Holds("text > 9007199254740992 and text < 9007199254740994", fields));
  CHECK(Holds("dec = 0.10 and dec = 1e-1 and dec > 0.09999999999999999999", fields));
  CHECK(Holds("big = text and text = big", fields));
  CHECK(Holds("dec > -1 and dec<+1", fields));
}

TEST_CASE("text that is no number is different from every number and has no order with it") {
  Fields fields = {{"x", Value::Text("n/a")}, {"empty", Value::Text("")}};
  CHECK(Holds("x != 5 and empty != 0", fields));
  CHECK_FALSE(Holds("x = 5 or x < 5 or x > 5 or x in [5] or empty <= 0", fields));
}

TEST_CASE("a comparison with null is false and is null asks for it") {
  for (const char* text : {"x = 1", "x != 1", "x < 1", "x in [1]", "x matches \"\"", "x contains \"\"", "len(x) >= 0",
                           "lower(x) = \"\"", "x = null", "x is not null"}) {
    INFO(text);
    CHECK_FALSE(Holds(text, {}));
  }
  CHECK(Holds("x is null and not (x = 1)", {}));
  CHECK(Holds("x is not null", {{"x", Value::Text("")}}));
}

TEST_CASE("texts, booleans and times compare with their like") {
  Fields fields = {{"name", Value::Text("São Tomé")},
                   {"yes", Value::Boolean(true)},
                   {"csv", Value::Text("TRUE")},
                   {"day", Value::Of(*ParseDate("2024-02-29"))},
                   {"at", Value::Of(*ParseTimestamp("2024-02-29T12:00:00+02:00"))}};
  CHECK(Holds("name starts_with \"São\" and name contains 'Tomé' and len(name) = 8 and lower(name) = \"são tomé\"",
              fields));
  CHECK(Holds("yes = true and csv = true and yes != false and not yes = false", fields));
  CHECK(Holds("day = \"2024-02-29\" and day < \"2024-03-01T00:00:00Z\" and at > day and at < \"2024-02-29T10:00:01Z\"",
              fields));
  CHECK(Holds("name not in ['a', 'b'] and name not matches \"x\"", fields));
  CHECK_FALSE(Holds("yes = 1 or day = 5", fields));
}

TEST_CASE("names may be paths and odd names stand in backquotes") {
  Fields fields = {{"a.b[0].c", Number("1")}, {"[2]", Number("2")},  {"CO2 (ppm)", Number("3")},
                   {"and", Number("4")},      {"^.id", Number("5")}, {"año", Number("6")}};
  CHECK(Holds("a.b[0].c = 1 and [2] = 2 and `CO2 (ppm)` = 3 and `and` = 4 and ^.id = 5 and año = 6", fields));
  CHECK(Expression::Compile("b = 1 or a = b or dims.c = a")->names() == std::vector<std::string>{"b", "a", "dims.c"});
}

TEST_CASE("what does not parse is told with its column") {
  CHECK(ErrorOf("") == "column 1: expected a name, a text in quotes or a number, found the end");
  CHECK(ErrorOf("year >= ") == "column 9: expected a name, a text in quotes or a number, found the end");
  CHECK(ErrorOf("a = 1 b = 2") == "column 7: expected and, or, or the end, found \"b\"");
  CHECK(ErrorOf("a & b") == "column 3: unexpected \"&\"; put a name with odd characters in backquotes: `CO2 (ppm)`");
  CHECK(ErrorOf("a = \"x") == "column 5: the text that begins here does not end; close it with \"");
  CHECK(ErrorOf("a is 5") == "column 6: expected null or not null, found \"5\"");
  CHECK(ErrorOf("abs(x) = 1") == "column 1: unknown function \"abs\"; known: len(x), lower(x)");
  CHECK(ErrorOf("in = 1").find("backquotes") != std::string::npos);
  CHECK(ErrorOf("a in []").find("expected a text") != std::string::npos);
  CHECK(ErrorOf("a = 1_000").find("column 5") == 0);
  CHECK(ErrorOf("a matches \"(\"").find("column 11: the regular expression is not valid") == 0);
  for (const char* text : {"a", "(a = 1", "a = 1)", "not", "a in [1", "a in 1", "a matches b", "a =! 1", "a = 1 and",
                           "``=1", "NaN", "a = NaN = b"})
    ErrorOf(text);
}

TEST_CASE("size and depth are bounded") {
  CHECK(ErrorOf(std::string(4097, ' ')).find("at most 4096") != std::string::npos);
  std::string deep = std::string(32, '(') + "a = 1" + std::string(32, ')');
  CHECK(ErrorOf(deep).find("deeper than 32") != std::string::npos);
  CHECK(ErrorOf(std::string(4000, '(')).find("deeper than 32") != std::string::npos);
  std::string chain = "a = 1";
  for (int i = 0; i < 400; ++i) chain += " or a = 1";
  CHECK(Holds(chain, {{"a", Number("1")}}));
  std::string nots;
  for (int i = 0; i < 1000; ++i) nots += "not ";
  CHECK(Holds(nots + "a = 1", {{"a", Number("1")}}));
  CHECK(ErrorOf("a matches \"" + std::string(1025, 'x') + "\"").find("at most 1024") != std::string::npos);
}

namespace {

// A random expression as text, and what it gives for x and y by plain evaluation.
struct Sample {
  std::string text;
  std::function<bool(int64_t x, int64_t y)> holds;
};

class SampleMaker {
 public:
  explicit SampleMaker(unsigned seed) : random_(seed) {}

  Sample Make(int depth) {
    int kind = depth == 0 ? Pick(2) : Pick(5);
    if (kind == 0) return Comparison();
    if (kind == 1) return Membership();
    Sample left = Make(depth - 1);
    if (kind == 2) return {"not (" + left.text + ")", [=](int64_t x, int64_t y) { return !left.holds(x, y); }};
    Sample right = Make(depth - 1);
    if (kind == 3) {
      return {"(" + left.text + ") and (" + right.text + ")",
              [=](int64_t x, int64_t y) { return left.holds(x, y) && right.holds(x, y); }};
    }
    return {"(" + left.text + " or " + right.text + ")",
            [=](int64_t x, int64_t y) { return left.holds(x, y) || right.holds(x, y); }};
  }

  int64_t Number() { return int64_t{9007199254740990} + Pick(8); }

 private:
  int Pick(int count) { return static_cast<int>(random_() % static_cast<unsigned>(count)); }

  Sample Comparison() {
    static const char* const symbols[] = {"=", "!=", "<", "<=", ">", ">="};
    int symbol = Pick(6);
    int64_t number = Number();
    bool with_y = Pick(3) == 0;
    std::string text = std::string("x ") + symbols[symbol] + " " + (with_y ? "y" : std::to_string(number));
    return {text, [=](int64_t x, int64_t y) {
              int64_t other = with_y ? y : number;
              const bool results[] = {x == other, x != other, x<other, x <= other, x> other, x >= other};
              return results[symbol];
            }};
  }

  Sample Membership() {
    int64_t a = Number(), b = Number();
    return {"y in [" + std::to_string(a) + "," + std::to_string(b) + ".0]",
            [=](int64_t, int64_t y) { return y == a || y == b; }};
  }

  std::mt19937 random_;
};

}  // namespace

TEST_CASE("random expressions give what plain evaluation gives") {
  SampleMaker maker(20260131);
  for (int i = 0; i < 2000; ++i) {
    Sample sample = maker.Make(4);
    int64_t x = maker.Number(), y = maker.Number();
    Fields fields = {{"x", i % 2 == 0 ? Value::Integer(x) : Value::Text(std::to_string(x))}, {"y", Value::Integer(y)}};
    INFO(sample.text << " x=" << x << " y=" << y);
    REQUIRE(Holds(sample.text, fields) == sample.holds(x, y));
  }
}

TEST_CASE("random bytes never break the compiler of expressions") {
  std::mt19937 random(7);
  const std::vector<std::string> parts = {"a",  "and",  "or",      "not", "(",  ")",    "[", "]", "in",
                                          "is", "null", "=",       "<",   "\"", "'",    "`", "5", "-",
                                          ".",  ",",    "matches", "len", "\\", "\xff", " "};
  for (int i = 0; i < 20000; ++i) {
    std::string text;
    for (unsigned n = random() % 12; n > 0; --n)
      text += parts[random() % parts.size()] + (random() % 2 == 0 ? " " : "");
    absl::StatusOr<Expression> expression = Expression::Compile(text);
    if (expression.ok()) expression->Matches([](size_t) { return Value::Text("a"); });
  }
}

}  // namespace chartly
