// Recursive descent:
//   or      = and { "or" and }
//   and     = not { "and" not }
//   not     = "not" not | "(" or ")" | test
//   test    = operand ( compare operand | ["not"] ( "in" list | "matches" text | "contains" operand
//             | "starts_with" operand ) | "is" ["not"] "null" )
//   operand = name | text | number | "true" | "false" | "null" | ("len" | "lower") "(" operand ")"
#include <algorithm>
#include <map>

#include "absl/strings/str_cat.h"
#include "common/normalize/expression_node.h"
#include "common/normalize/expression_token.h"
#include "common/status/status.h"

namespace chartly {
namespace {

using Node = Expression::Node;
using NodeKind = Expression::Node::Kind;
using NodePtr = std::shared_ptr<const Node>;

constexpr int kMaxDepth = 32;

std::shared_ptr<Node> NewNode(NodeKind kind, std::vector<NodePtr> children = {}) {
  auto node = std::make_shared<Node>();
  node->kind = kind;
  node->children = std::move(children);
  return node;
}

class Parser {
 public:
  Parser(absl::string_view text, std::vector<std::string>& names) : lexer_(text), names_(names) {}

  absl::StatusOr<NodePtr> Parse() {
    RETURN_IF_ERROR(Advance(true));
    ASSIGN_OR_RETURN(NodePtr node, ParseOr(0));
    if (token_.kind != Token::Kind::kEnd) return Unexpected("and, or, or the end");
    return node;
  }

 private:
  absl::Status Advance(bool operand_expected) {
    ASSIGN_OR_RETURN(token_, lexer_.Next(operand_expected));
    return absl::OkStatus();
  }

  bool IsWord(absl::string_view word) const { return token_.kind == Token::Kind::kWord && word == token_.text; }
  bool IsSymbol(absl::string_view symbol) const { return token_.kind == Token::Kind::kSymbol && symbol == token_.text; }

  absl::Status Unexpected(absl::string_view expected) const {
    std::string found =
        token_.kind == Token::Kind::kEnd ? "the end" : absl::StrCat("\"", token_.text.substr(0, 64), "\"");
    return ExpressionError(token_.column, absl::StrCat("expected ", expected, ", found ", found));
  }

  absl::Status Expect(absl::string_view symbol, bool operand_expected) {
    if (!IsSymbol(symbol)) return Unexpected(absl::StrCat("\"", symbol, "\""));
    return Advance(operand_expected);
  }

  // A chain of `word`, kept flat so that its length is no depth.
  absl::StatusOr<NodePtr> ParseChain(absl::string_view word, NodeKind kind, int depth) {
    std::vector<NodePtr> children;
    while (true) {
      ASSIGN_OR_RETURN(NodePtr child,
                       kind == NodeKind::kOr ? ParseChain("and", NodeKind::kAnd, depth) : ParseNot(depth));
      children.push_back(std::move(child));
      if (!IsWord(word)) break;
      RETURN_IF_ERROR(Advance(true));
    }
    if (children.size() == 1) return children[0];
    return NewNode(kind, std::move(children));
  }

  absl::StatusOr<NodePtr> ParseOr(int depth) {
    if (depth >= kMaxDepth)
      return ExpressionError(token_.column, absl::StrCat("deeper than ", kMaxDepth, " levels; write it flatter"));
    return ParseChain("or", NodeKind::kOr, depth);
  }

  absl::StatusOr<NodePtr> ParseNot(int depth) {
    bool negative = false;
    while (IsWord("not")) {
      negative = !negative;
      RETURN_IF_ERROR(Advance(true));
    }
    NodePtr node;
    if (IsSymbol("(")) {
      RETURN_IF_ERROR(Advance(true));
      ASSIGN_OR_RETURN(node, ParseOr(depth + 1));
      RETURN_IF_ERROR(Expect(")", false));
    } else {
      ASSIGN_OR_RETURN(node, ParseTest(depth));
    }
    return negative ? NewNode(NodeKind::kNot, {node}) : node;
  }

  absl::StatusOr<NodePtr> ParseTest(int depth) {
    ASSIGN_OR_RETURN(NodePtr left, ParseOperand(depth));
    static const std::map<std::string, NodeKind> comparisons = {
        {"=", NodeKind::kEqual},      {"!=", NodeKind::kNotEqual}, {"<", NodeKind::kLess},
        {"<=", NodeKind::kLessEqual}, {">", NodeKind::kGreater},   {">=", NodeKind::kGreaterEqual}};
    auto comparison = token_.kind == Token::Kind::kSymbol ? comparisons.find(token_.text) : comparisons.end();
    if (comparison != comparisons.end()) {
      RETURN_IF_ERROR(Advance(true));
      ASSIGN_OR_RETURN(NodePtr right, ParseOperand(depth));
      return NewNode(comparison->second, {left, right});
    }
    if (IsWord("is")) return ParseIsNull(left);
    bool negative = IsWord("not");
    if (negative) RETURN_IF_ERROR(Advance(false));
    ASSIGN_OR_RETURN(NodePtr node, ParseWordTest(left, depth));
    return negative ? NewNode(NodeKind::kNot, {node}) : node;
  }

  absl::StatusOr<NodePtr> ParseWordTest(const NodePtr& left, int depth) {
    if (IsWord("in")) return ParseIn(left);
    if (IsWord("matches")) return ParseMatches(left);
    NodeKind kind = IsWord("contains") ? NodeKind::kContains : NodeKind::kStartsWith;
    if (kind == NodeKind::kStartsWith && !IsWord("starts_with")) {
      return Unexpected("a comparison (= != < <= > >= in matches contains starts_with is)");
    }
    RETURN_IF_ERROR(Advance(true));
    ASSIGN_OR_RETURN(NodePtr right, ParseOperand(depth));
    return NewNode(kind, {left, right});
  }

  absl::StatusOr<NodePtr> ParseIsNull(const NodePtr& left) {
    RETURN_IF_ERROR(Advance(false));
    bool negative = IsWord("not");
    if (negative) RETURN_IF_ERROR(Advance(false));
    if (!IsWord("null")) return Unexpected(negative ? "null" : "null or not null");
    RETURN_IF_ERROR(Advance(false));
    NodePtr node = NewNode(NodeKind::kIsNull, {left});
    return negative ? NewNode(NodeKind::kNot, {node}) : node;
  }

  absl::StatusOr<NodePtr> ParseIn(const NodePtr& left) {
    RETURN_IF_ERROR(Advance(false));
    RETURN_IF_ERROR(Expect("[", true));
    std::vector<NodePtr> children = {left};
    while (true) {
      ASSIGN_OR_RETURN(NodePtr literal, ParseLiteral());
      if (literal == nullptr) return Unexpected("a text, a number, true or false");
      children.push_back(std::move(literal));
      if (!IsSymbol(",")) break;
      RETURN_IF_ERROR(Advance(true));
    }
    RETURN_IF_ERROR(Expect("]", false));
    return NewNode(NodeKind::kIn, std::move(children));
  }

  absl::StatusOr<NodePtr> ParseMatches(const NodePtr& left) {
    RETURN_IF_ERROR(Advance(true));
    if (token_.kind != Token::Kind::kText) return Unexpected("a regular expression in quotes");
    std::shared_ptr<Node> node = NewNode(NodeKind::kMatches, {left});
    absl::StatusOr<std::shared_ptr<const re2::RE2>> regex = CompileRegex(token_.text);
    if (!regex.ok()) return ExpressionError(token_.column, regex.status().message());
    node->regex = *std::move(regex);
    RETURN_IF_ERROR(Advance(false));
    return NodePtr(node);
  }

  absl::StatusOr<NodePtr> ParseOperand(int depth) {
    if (depth >= kMaxDepth)
      return ExpressionError(token_.column, absl::StrCat("deeper than ", kMaxDepth, " levels; write it flatter"));
    ASSIGN_OR_RETURN(NodePtr literal, ParseLiteral());
    if (literal != nullptr) return literal;
    if (token_.kind != Token::Kind::kWord && token_.kind != Token::Kind::kQuotedName) {
      return Unexpected("a name, a text in quotes or a number");
    }
    Token word = token_;
    RETURN_IF_ERROR(Advance(false));
    bool function = word.kind == Token::Kind::kWord && IsSymbol("(");
    return function ? ParseFunction(word, depth) : ParseName(word);
  }

  absl::StatusOr<NodePtr> ParseFunction(const Token& word, int depth) {
    if (word.text != "len" && word.text != "lower") {
      return ExpressionError(
          word.column, absl::StrCat("unknown function \"", word.text.substr(0, 64), "\"; known: len(x), lower(x)"));
    }
    RETURN_IF_ERROR(Advance(true));
    ASSIGN_OR_RETURN(NodePtr operand, ParseOperand(depth + 1));
    RETURN_IF_ERROR(Expect(")", false));
    return NewNode(word.text == "len" ? NodeKind::kLength : NodeKind::kLower, {operand});
  }

  absl::StatusOr<NodePtr> ParseName(const Token& word) {
    const absl::string_view reserved[] = {"and", "or", "not", "in", "is", "matches", "contains", "starts_with"};
    bool is_reserved = std::any_of(std::begin(reserved), std::end(reserved),
                                   [&](absl::string_view name) { return name == word.text; });
    if (word.kind == Token::Kind::kWord && is_reserved) {
      return ExpressionError(word.column, absl::StrCat("expected a name, found \"", word.text,
                                                       "\"; put a field of that name in backquotes"));
    }
    if (word.text.empty()) return ExpressionError(word.column, "the name is empty");
    auto found = std::find(names_.begin(), names_.end(), word.text);
    std::shared_ptr<Node> node = NewNode(NodeKind::kName);
    node->name = static_cast<size_t>(found - names_.begin());
    if (found == names_.end()) names_.push_back(word.text);
    return NodePtr(node);
  }

  // nullptr if the token is no literal.
  absl::StatusOr<NodePtr> ParseLiteral() {
    Value literal;
    if (token_.kind == Token::Kind::kText) {
      literal = Value::Text(token_.text);
    } else if (token_.kind == Token::Kind::kNumber) {
      absl::StatusOr<Value> number = ParseNumber(token_.text);
      if (!number.ok()) return ExpressionError(token_.column, number.status().message());
      literal = *std::move(number);
    } else if (IsWord("true") || IsWord("false")) {
      literal = Value::Boolean(IsWord("true"));
    } else if (!IsWord("null")) {
      return NodePtr();
    }
    std::shared_ptr<Node> node = NewNode(NodeKind::kLiteral);
    node->literal = std::move(literal);
    RETURN_IF_ERROR(Advance(false));
    return NodePtr(node);
  }

  Lexer lexer_;
  Token token_;
  std::vector<std::string>& names_;
};

}  // namespace

absl::StatusOr<NodePtr> ParseExpression(absl::string_view text, std::vector<std::string>& names) {
  return Parser(text, names).Parse();
}

}  // namespace chartly
