// The expression of `filter:` and of record queries: comparisons, and/or/not, in, matches, is null.
//
//   year >= 2000 and not (iso in ["OWID_WRL", "OWID_EUR"]) and code matches "^[A-Z]{3}$" and len(name) > 2
//
// Names are paths of the source row, or of the record if they begin with dims., measures. or attrs. Numbers compare
// exactly. A comparison with null is false; `x is null` asks for it. Pure, deterministic, thread-safe after Compile.
#ifndef CHARTLY_COMMON_NORMALIZE_EXPRESSION_H_
#define CHARTLY_COMMON_NORMALIZE_EXPRESSION_H_

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/value/value.h"

namespace chartly {

class Expression {
 public:
  // A value as an expression sees it.
  struct Operand {
    // kOther is there and has no order: a list or an object.
    enum class Kind { kNull, kText, kValue, kOther };
    Kind kind = Kind::kNull;
    absl::string_view text;  // kText; valid until Matches returns
    Value value;             // kValue: neither null nor text
  };
  // Gives the value of names()[i], without copying text.
  class Lookup {
   public:
    virtual Operand Find(size_t name) const = 0;

   protected:
    ~Lookup() = default;
  };

  // InvalidArgument (EXPRESSION_INVALID) with the column if the text does not parse. At most 4 KiB, 32 levels deep;
  // regular expressions are RE2, at most 1 KiB.
  static absl::StatusOr<Expression> Compile(absl::string_view text);
  // The names it uses, each once, in order of appearance.
  const std::vector<std::string>& names() const;
  // Whether it holds; `lookup` gives the value of names()[i]. Text that reads as a number compares as one with a
  // number.
  bool Matches(const std::function<Value(size_t)>& lookup) const;
  bool Matches(const Lookup& lookup) const;

  struct Node;  // in expression.cc
  Expression();
  ~Expression();
  Expression(const Expression&);
  Expression(Expression&&) noexcept;
  Expression& operator=(Expression&&) noexcept;

 private:
  std::shared_ptr<const Node> root_;
  std::vector<std::string> names_;
};

}  // namespace chartly

#endif  // CHARTLY_COMMON_NORMALIZE_EXPRESSION_H_
