#include "common/normalize/expression.h"

#include <algorithm>
#include <optional>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/normalize/expression_node.h"
#include "common/normalize/expression_token.h"
#include "common/status/status.h"
#include "common/text/utf8.h"
#include "common/value/time_units.h"

namespace chartly {
namespace {

using Node = Expression::Node;
using NodeKind = Expression::Node::Kind;
using Operand = Expression::Operand;

constexpr size_t kMaxExpressionBytes = 4096;

bool IsNull(const Operand& operand) { return operand.kind == Operand::Kind::kNull; }

Operand TextOperand(absl::string_view text) {
  Operand operand;
  operand.kind = Operand::Kind::kText;
  operand.text = text;
  return operand;
}

Operand ValueOperand(const Value& value) {
  if (value.type() == ValueType::kText) return TextOperand(value.text());
  Operand operand;
  if (value.is_null()) return operand;
  operand.kind = Operand::Kind::kValue;
  operand.value = value;
  return operand;
}

// The operand as text, in `buffer` if it is none yet.
absl::string_view OperandText(const Operand& operand, std::string& buffer) {
  if (operand.kind == Operand::Kind::kText) return operand.text;
  if (operand.kind == Operand::Kind::kValue) buffer = operand.value.ToText();
  return buffer;
}

Operand Evaluate(const Node& node, const Expression::Lookup& lookup, std::string& buffer) {
  if (node.kind == NodeKind::kName) return lookup.Find(node.name);
  if (node.kind == NodeKind::kLiteral) return ValueOperand(node.literal);
  Operand inner = Evaluate(*node.children[0], lookup, buffer);
  if (inner.kind == Operand::Kind::kNull || inner.kind == Operand::Kind::kOther) return inner;
  absl::string_view text = OperandText(inner, buffer);
  if (node.kind == NodeKind::kLength) return ValueOperand(Value::Integer(static_cast<int64_t>(CountCharacters(text))));
  if (text.data() != buffer.data()) buffer.assign(text.data(), text.size());
  absl::AsciiStrToLower(&buffer);
  return TextOperand(buffer);
}

// Text as a value of the kind of `other`, so that what CSV gives as text compares with numbers and times.
Value TextLike(absl::string_view text, const Value& other) {
  text = absl::StripAsciiWhitespace(text);
  if (other.is_number()) {
    bool number_form = !text.empty() && (absl::ascii_isdigit(text[0]) || absl::StrContains("+-.", text.substr(0, 1)));
    return number_form ? ParseNumber(text).value_or(Value()) : Value();
  }
  if (other.type() == ValueType::kBoolean) {
    bool is_true = absl::EqualsIgnoreCase(text, "true");
    return is_true || absl::EqualsIgnoreCase(text, "false") ? Value::Boolean(is_true) : Value();
  }
  absl::StatusOr<Date> date = ParseDate(text);
  if (date.ok()) return Value::Of(*date);
  absl::StatusOr<Timestamp> timestamp = ParseTimestamp(text);
  return timestamp.ok() ? Value::Of(*timestamp) : Value();
}

// A date as the time it begins, to compare it with times.
Value AsTime(const Value& value) {
  return value.type() == ValueType::kDate ? Value::Of(Timestamp{value.date().days * kMicrosPerDay, 0}) : value;
}

bool IsTime(const Value& value) { return value.type() == ValueType::kDate || value.type() == ValueType::kTimestamp; }

// <0, 0, >0; nothing if the two have no order. Requires: neither is null.
std::optional<int> Compare(const Operand& a, const Operand& b) {
  if (a.kind == Operand::Kind::kOther || b.kind == Operand::Kind::kOther) return std::nullopt;
  if (a.kind == Operand::Kind::kText && b.kind == Operand::Kind::kText) return a.text.compare(b.text);
  Value left = a.kind == Operand::Kind::kText ? TextLike(a.text, b.value) : a.value;
  Value right = b.kind == Operand::Kind::kText ? TextLike(b.text, a.value) : b.value;
  if (left.is_null() || right.is_null()) return std::nullopt;
  if (left.type() != right.type() && IsTime(left) && IsTime(right)) return CompareValues(AsTime(left), AsTime(right));
  bool comparable = left.type() == right.type() || (left.is_number() && right.is_number());
  if (!comparable) return std::nullopt;
  return CompareValues(left, right);
}

bool HoldsCompare(NodeKind kind, const Operand& left, const Operand& right) {
  if (IsNull(left) || IsNull(right)) return false;
  std::optional<int> order = Compare(left, right);
  if (!order) return kind == NodeKind::kNotEqual;
  switch (kind) {
    case NodeKind::kEqual:
      return *order == 0;
    case NodeKind::kNotEqual:
      return *order != 0;
    case NodeKind::kLess:
      return *order < 0;
    case NodeKind::kLessEqual:
      return *order <= 0;
    case NodeKind::kGreater:
      return *order > 0;
    default:
      return *order >= 0;
  }
}

bool HoldsText(const Node& node, const Operand& left, const Expression::Lookup& lookup, std::string& left_buffer) {
  std::string right_buffer;
  absl::string_view text = OperandText(left, left_buffer);
  if (node.kind == NodeKind::kMatches) return re2::RE2::PartialMatch(Piece(text), *node.regex);
  Operand right = Evaluate(*node.children[1], lookup, right_buffer);
  if (IsNull(right) || right.kind == Operand::Kind::kOther) return false;
  absl::string_view part = OperandText(right, right_buffer);
  return node.kind == NodeKind::kContains ? absl::StrContains(text, part) : absl::StartsWith(text, part);
}

bool HoldsIn(const Node& node, const Operand& left, const Expression::Lookup& lookup) {
  std::string unused;
  return std::any_of(node.children.begin() + 1, node.children.end(), [&](const std::shared_ptr<const Node>& item) {
    return HoldsCompare(NodeKind::kEqual, left, Evaluate(*item, lookup, unused));
  });
}

bool HoldsTest(const Node& node, const Expression::Lookup& lookup) {
  std::string left_buffer, right_buffer;
  Operand left = Evaluate(*node.children[0], lookup, left_buffer);
  if (node.kind == NodeKind::kIsNull) return IsNull(left);
  if (IsNull(left)) return false;
  if (node.kind == NodeKind::kIn) return HoldsIn(node, left, lookup);
  if (node.kind == NodeKind::kMatches || node.kind == NodeKind::kContains || node.kind == NodeKind::kStartsWith) {
    return left.kind != Operand::Kind::kOther && HoldsText(node, left, lookup, left_buffer);
  }
  return HoldsCompare(node.kind, left, Evaluate(*node.children[1], lookup, right_buffer));
}

bool Holds(const Node& node, const Expression::Lookup& lookup) {
  auto holds = [&](const std::shared_ptr<const Node>& child) { return Holds(*child, lookup); };
  switch (node.kind) {
    case NodeKind::kAnd:
      return std::all_of(node.children.begin(), node.children.end(), holds);
    case NodeKind::kOr:
      return std::any_of(node.children.begin(), node.children.end(), holds);
    case NodeKind::kNot:
      return !Holds(*node.children[0], lookup);
    default:
      return HoldsTest(node, lookup);
  }
}

// Keeps the values that a function gave, since operands are views of them.
class FunctionLookup final : public Expression::Lookup {
 public:
  FunctionLookup(const std::function<Value(size_t)>& function, size_t names) : function_(function), values_(names) {}
  Operand Find(size_t name) const override {
    if (!values_[name]) values_[name] = function_(name);
    return ValueOperand(*values_[name]);
  }

 private:
  const std::function<Value(size_t)>& function_;
  mutable std::vector<std::optional<Value>> values_;
};

}  // namespace

Expression::Expression() = default;
Expression::~Expression() = default;
Expression::Expression(const Expression&) = default;
Expression::Expression(Expression&&) noexcept = default;
Expression& Expression::operator=(Expression&&) noexcept = default;

absl::StatusOr<Expression> Expression::Compile(absl::string_view text) {
  if (text.size() > kMaxExpressionBytes) {
    return ExpressionError(
        1, absl::StrCat("the expression has ", text.size(), " bytes; at most ", kMaxExpressionBytes, " are allowed"));
  }
  Expression expression;
  ASSIGN_OR_RETURN(expression.root_, ParseExpression(text, expression.names_));
  return expression;
}

const std::vector<std::string>& Expression::names() const { return names_; }

bool Expression::Matches(const std::function<Value(size_t)>& lookup) const {
  return Matches(FunctionLookup(lookup, names_.size()));
}

bool Expression::Matches(const Lookup& lookup) const { return root_ == nullptr || Holds(*root_, lookup); }

}  // namespace chartly
