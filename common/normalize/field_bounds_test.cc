#include "common/normalize/field_bounds.h"

#include "absl/strings/str_cat.h"
#include "common/normalize/expression.h"
#include "common/status/status.h"
#include "test/support/test.h"

namespace chartly {
namespace {

std::string TextOf(const std::string& expression) {
  std::string text;
  for (const FieldBounds& bound : BoundsOf(expression)) {
    absl::StrAppend(&text, bound.name, "[", bound.least.has_value() ? bound.least->ToText() : "", "..",
                    bound.greatest.has_value() ? bound.greatest->ToText() : "", "]");
  }
  return text;
}

TEST_CASE("comparisons that must hold bound their fields, and nothing else does") {
  CHECK(TextOf("a = 5") == "a[5..5]");
  CHECK(TextOf("a >= 5 and b < \"x\"") == "a[5..]b[..x]");
  CHECK(TextOf("5 < a and 7 >= a") == "a[5..]a[..7]");
  CHECK(TextOf("a in [3, 1.5, 2]") == "a[1.5..3]");
  CHECK(TextOf("a in [\"q\", \"b\"]") == "a[b..q]");
  CHECK(TextOf("a in [1, \"b\"]").empty());
  CHECK(TextOf("(a = 1 and b = 2) and c = 3") == "a[1..1]b[2..2]c[3..3]");
  for (const char* open :
       {"a = 5 or b = 5", "not (a = 5)", "a != 5", "a is null", "a matches \"x\"", "len(a) = 5", "lower(a) = \"x\"",
        "a = b", "a = true", "a in [b]", "a starts_with \"x\"", "a contains \"x\"", "a = "}) {
    INFO(open);
    CHECK(TextOf(open).empty());
  }
}

// What the bounds say of a value of the class of their own.
bool Within(const FieldBounds& bound, const Value& value) {
  auto same = [&](const Value& other) { return other.is_number() == value.is_number(); };
  if (bound.least.has_value() && same(*bound.least) && CompareValues(value, *bound.least) < 0) return false;
  return !bound.greatest.has_value() || !same(*bound.greatest) || CompareValues(value, *bound.greatest) <= 0;
}

TEST_CASE("no value is beyond the bounds of an expression that holds for it") {
  std::vector<Value> values = {Value::Integer(-1),        Value::Integer(0),          Value::Integer(5),
                               Value::Of(Decimal{50, 1}), Value::Of(Decimal{505, 2}), Value::Float(4.75),
                               Value::Text(""),           Value::Text("5"),           Value::Text("5.05"),
                               Value::Text("b"),          Value::Text("ba")};
  const char* literals[] = {"-1", "5", "5.05", "\"\"", "\"5\"", "\"b\""};
  for (const char* comparison : {"=", "!=", "<", "<=", ">", ">="}) {
    for (const char* literal : literals) {
      for (const std::string& text :
           {absl::StrCat("a ", comparison, " ", literal), absl::StrCat(literal, " ", comparison, " a"),
            absl::StrCat("a in [", literal, "]"), absl::StrCat("a in [", literal, ", 5]")}) {
        auto expression = Expression::Compile(text);
        REQUIRE_OK(expression);
        for (const Value& value : values) {
          if (!expression->Matches([&](size_t) { return value; })) continue;
          for (const FieldBounds& bound : BoundsOf(text)) {
            INFO(text << " with " << value.ToText());
            CHECK(Within(bound, value));
          }
        }
      }
    }
  }
}

}  // namespace
}  // namespace chartly
