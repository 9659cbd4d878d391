// The tree of an expression. Internal to this folder.
#ifndef CHARTLY_COMMON_NORMALIZE_EXPRESSION_NODE_H_
#define CHARTLY_COMMON_NORMALIZE_EXPRESSION_NODE_H_

#include <memory>
#include <string>
#include <vector>

#include "common/normalize/expression.h"
#include "common/normalize/regex.h"

namespace chartly {

struct Expression::Node {
  enum class Kind {
    // Conditions
    kAnd,    // all children
    kOr,     // one of the children
    kNot,    // the child
    kEqual,  // two operands; so the other comparisons
    kNotEqual,
    kLess,
    kLessEqual,
    kGreater,
    kGreaterEqual,
    kIn,          // the first child is equal to one of the others
    kMatches,     // one operand, `regex`
    kContains,    // two operands
    kStartsWith,  // two operands
    kIsNull,      // one operand
    // Operands
    kName,     // names()[name]
    kLiteral,  // `literal`
    kLength,   // one operand
    kLower,    // one operand
  };
  Kind kind = Kind::kAnd;
  std::vector<std::shared_ptr<const Node>> children;
  size_t name = 0;
  Value literal;
  std::shared_ptr<const re2::RE2> regex;
};

// Parses an expression; `names` gets the names it uses. Errors as those of Expression::Compile.
absl::StatusOr<std::shared_ptr<const Expression::Node>> ParseExpression(absl::string_view text,
                                                                        std::vector<std::string>& names);

}  // namespace chartly

#endif  // CHARTLY_COMMON_NORMALIZE_EXPRESSION_NODE_H_
