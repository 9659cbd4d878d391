// Measures made from others: "gdp.usd / population", "sqrt(a ^ 2 + b ^ 2)".
//
//   + - * / ^, a minus before a term, parentheses, numbers, names of columns, and functions: abs sqrt exp ln log10 log2
//   sin cos tan asin acos atan radians degrees floor ceil round, atan2 pow min max coalesce
//
// Names are those of columns; one with a minus or other odd characters stands in backquotes. Everything is computed in
// doubles. A missing value makes the result missing (but for coalesce), and so does a result that is no finite number,
// as of a division by zero. Immutable and thread-safe after Compile.
#ifndef CHARTLY_CONTROL_REPORTER_ARITHMETIC_H_
#define CHARTLY_CONTROL_REPORTER_ARITHMETIC_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "control/reporter/table.h"

namespace chartly::reporter {

class Arithmetic {
 public:
  // InvalidArgument (EXPRESSION_INVALID) with the column if the text does not parse. At most 4 KiB, 32 levels deep.
  static absl::StatusOr<Arithmetic> Compile(absl::string_view text);
  // The names of columns it uses, each once, in order of appearance.
  const std::vector<std::string>& names() const { return names_; }
  // One value a row. InvalidArgument (REPORT_UNKNOWN_FIELD) for a name that is no column.
  absl::StatusOr<ValueColumn> Evaluate(const Table& table) const;

  struct Node;  // in arithmetic.cc

 private:
  std::shared_ptr<const Node> root_;
  std::vector<std::string> names_;
};

}  // namespace chartly::reporter

#endif  // CHARTLY_CONTROL_REPORTER_ARITHMETIC_H_
