#include "common/normalize/expression.h"
#include "test/fuzz/fuzz_target.h"

namespace chartly {

FUZZ_TARGET(expression) {
  absl::StatusOr<Expression> expression = Expression::Compile(input);
  if (!expression.ok()) {
    FUZZ_CHECK(!expression.status().message().empty());
    return;
  }
  const Value values[] = {Value(),           Value::Text(""),       Value::Text("2014"), Value::Text("\xff\xfe"),
                          Value::Integer(5), Value::Boolean(false), Value::Float(1e300), Value::Float(-0.0)};
  for (size_t first = 0; first < std::size(values); ++first) {
    auto lookup = [&](size_t name) { return values[(first + name) % std::size(values)]; };
    bool holds = expression->Matches(lookup);
    FUZZ_CHECK(expression->Matches(lookup) == holds);
  }
}

}  // namespace chartly
