#include "control/reporter/arithmetic.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>
#include <map>
#include <string>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "common/status/status.h"

namespace chartly::reporter {

using Numbers = std::vector<double>;  // NaN is a missing value

struct Arithmetic::Node {
  virtual ~Node() = default;
  virtual absl::StatusOr<Numbers> Evaluate(const Table& table) const = 0;
};

namespace {

using Node = Arithmetic::Node;
using NodePtr = std::shared_ptr<const Node>;

constexpr size_t kMaxBytes = 4096;
constexpr int kMaxDepth = 32;
constexpr double kMissing = std::numeric_limits<double>::quiet_NaN();
constexpr double kPi = 3.14159265358979323846;

struct Constant final : Node {
  explicit Constant(double constant) : number(constant) {}
  absl::StatusOr<Numbers> Evaluate(const Table& table) const override { return Numbers(table.rows, number); }
  double number;
};

struct Name final : Node {
  explicit Name(std::string column_name) : name(std::move(column_name)) {}
  absl::StatusOr<Numbers> Evaluate(const Table& table) const override {
    ASSIGN_OR_RETURN(const Column* column, table.Require(name));
    Numbers numbers(table.rows);
    for (size_t row = 0; row < table.rows; ++row) {
      if (!column->is_key) {
        numbers[row] = column->values.Double(row);
        continue;
      }
      Value value = column->Get(row);
      numbers[row] = value.is_number() ? value.ToDouble() : kMissing;
    }
    return numbers;
  }
  std::string name;
};

using Unary = double (*)(double);
using Binary = double (*)(double, double);

struct UnaryCall final : Node {
  UnaryCall(Unary unary, NodePtr of) : function(unary), operand(std::move(of)) {}
  absl::StatusOr<Numbers> Evaluate(const Table& table) const override {
    ASSIGN_OR_RETURN(Numbers numbers, operand->Evaluate(table));
    for (double& number : numbers) number = function(number);
    return numbers;
  }
  Unary function;
  NodePtr operand;
};

struct BinaryCall final : Node {
  BinaryCall(Binary binary, NodePtr a, NodePtr b) : function(binary), left(std::move(a)), right(std::move(b)) {}
  absl::StatusOr<Numbers> Evaluate(const Table& table) const override {
    ASSIGN_OR_RETURN(Numbers numbers, left->Evaluate(table));
    ASSIGN_OR_RETURN(Numbers others, right->Evaluate(table));
    for (size_t i = 0; i < numbers.size(); ++i) numbers[i] = function(numbers[i], others[i]);
    return numbers;
  }
  Binary function;
  NodePtr left, right;
};

double Add(double a, double b) { return a + b; }
double Subtract(double a, double b) { return a - b; }
double Multiply(double a, double b) { return a * b; }
double Divide(double a, double b) { return a / b; }
double Power(double a, double b) { return std::isnan(a) || std::isnan(b) ? kMissing : std::pow(a, b); }
double Negate(double a) { return -a; }
double Smaller(double a, double b) { return std::isnan(a) || std::isnan(b) ? kMissing : std::min(a, b); }
double Larger(double a, double b) { return std::isnan(a) || std::isnan(b) ? kMissing : std::max(a, b); }
double Coalesce(double a, double b) { return std::isnan(a) ? b : a; }

const std::map<std::string, Unary, std::less<>>& UnaryFunctions() {
  static const auto* functions = new std::map<std::string, Unary, std::less<>>{
      {"abs", [](double x) { return std::fabs(x); }},       {"sqrt", [](double x) { return std::sqrt(x); }},
      {"exp", [](double x) { return std::exp(x); }},        {"ln", [](double x) { return std::log(x); }},
      {"log10", [](double x) { return std::log10(x); }},    {"log2", [](double x) { return std::log2(x); }},
      {"sin", [](double x) { return std::sin(x); }},        {"cos", [](double x) { return std::cos(x); }},
      {"tan", [](double x) { return std::tan(x); }},        {"asin", [](double x) { return std::asin(x); }},
      {"acos", [](double x) { return std::acos(x); }},      {"atan", [](double x) { return std::atan(x); }},
      {"floor", [](double x) { return std::floor(x); }},    {"ceil", [](double x) { return std::ceil(x); }},
      {"round", [](double x) { return std::round(x); }},    {"radians", [](double x) { return x * (kPi / 180); }},
      {"degrees", [](double x) { return x * (180 / kPi); }}};
  return *functions;
}

const std::map<std::string, Binary, std::less<>>& BinaryFunctions() {
  static const auto* functions =
      new std::map<std::string, Binary, std::less<>>{{"atan2", [](double y, double x) { return std::atan2(y, x); }},
                                                     {"pow", Power},
                                                     {"min", Smaller},
                                                     {"max", Larger},
                                                     {"coalesce", Coalesce}};
  return *functions;
}

class Parser {
 public:
  Parser(absl::string_view text, std::vector<std::string>& names) : text_(text), names_(names) {}

  absl::StatusOr<NodePtr> Parse() {
    if (text_.size() > kMaxBytes) return Wrong(absl::StrCat("more than ", kMaxBytes, " bytes"));
    ASSIGN_OR_RETURN(NodePtr node, ParseSum(0));
    SkipBlanks();
    if (at_ < text_.size()) return Unexpected("an operator or the end");
    return node;
  }

 private:
  absl::Status Wrong(absl::string_view message) const {
    return Error(absl::StatusCode::kInvalidArgument, "EXPRESSION_INVALID",
                 absl::StrCat("column ", at_ + 1, ": ", message));
  }
  absl::Status Unexpected(absl::string_view expected) const {
    return Wrong(absl::StrCat("expected ", expected, ", found ",
                              at_ < text_.size() ? absl::StrCat("\"", text_.substr(at_, 24), "\"") : "the end"));
  }

  void SkipBlanks() {
    while (at_ < text_.size() && absl::ascii_isspace(static_cast<unsigned char>(text_[at_]))) ++at_;
  }
  char Peek() {
    SkipBlanks();
    return at_ < text_.size() ? text_[at_] : '\0';
  }
  bool Take(char symbol) {
    if (Peek() != symbol) return false;
    ++at_;
    return true;
  }

  absl::StatusOr<NodePtr> ParseSum(int depth) {
    if (depth >= kMaxDepth) return Wrong(absl::StrCat("deeper than ", kMaxDepth, " levels; write it flatter"));
    ASSIGN_OR_RETURN(NodePtr left, ParseProduct(depth));
    while (Peek() == '+' || Peek() == '-') {
      Binary function = text_[at_++] == '+' ? Add : Subtract;
      ASSIGN_OR_RETURN(NodePtr right, ParseProduct(depth));
      RETURN_IF_ERROR(Count());
      left = std::make_shared<BinaryCall>(function, left, right);
    }
    return left;
  }

  absl::StatusOr<NodePtr> ParseProduct(int depth) {
    ASSIGN_OR_RETURN(NodePtr left, ParseSigned(depth));
    while (Peek() == '*' || Peek() == '/') {
      Binary function = text_[at_++] == '*' ? Multiply : Divide;
      ASSIGN_OR_RETURN(NodePtr right, ParseSigned(depth));
      RETURN_IF_ERROR(Count());
      left = std::make_shared<BinaryCall>(function, left, right);
    }
    return left;
  }

  // A chain of operators is as deep a tree as it is long.
  absl::Status Count() {
    constexpr int kMaxOperators = 256;
    return ++operators_ > kMaxOperators ? Wrong(absl::StrCat("more than ", kMaxOperators, " operators"))
                                        : absl::OkStatus();
  }

  absl::StatusOr<NodePtr> ParseSigned(int depth) {
    bool negative = false;
    while (Take('-')) negative = !negative;
    ASSIGN_OR_RETURN(NodePtr operand, ParsePower(depth));
    if (!negative) return operand;
    return NodePtr(std::make_shared<UnaryCall>(Negate, operand));
  }

  absl::StatusOr<NodePtr> ParsePower(int depth) {
    ASSIGN_OR_RETURN(NodePtr base, ParsePrimary(depth));
    if (!Take('^')) return base;
    if (depth + 1 >= kMaxDepth) return Wrong(absl::StrCat("deeper than ", kMaxDepth, " levels; write it flatter"));
    ASSIGN_OR_RETURN(NodePtr exponent, ParseSigned(depth + 1));
    return NodePtr(std::make_shared<BinaryCall>(Power, base, exponent));
  }

  absl::StatusOr<NodePtr> ParsePrimary(int depth) {
    char c = Peek();
    if (Take('(')) {
      ASSIGN_OR_RETURN(NodePtr node, ParseSum(depth + 1));
      if (!Take(')')) return Unexpected("\")\"");
      return node;
    }
    if (c == '`') return ParseQuotedName();
    if (absl::ascii_isdigit(static_cast<unsigned char>(c)) || c == '.') return ParseConstant();
    std::string word = TakeWord();
    if (word.empty()) return Unexpected("a number, the name of a column, or \"(\"");
    if (Peek() == '(') return ParseCall(word, depth);
    return NameNode(word);
  }

  NodePtr NameNode(const std::string& name) {
    if (std::find(names_.begin(), names_.end(), name) == names_.end()) names_.push_back(name);
    return std::make_shared<Name>(name);
  }

  absl::StatusOr<NodePtr> ParseQuotedName() {
    size_t end = text_.find('`', at_ + 1);
    if (end == text_.npos) return Wrong("the name that begins here does not end; close it with `");
    std::string name(text_.substr(at_ + 1, end - at_ - 1));
    at_ = end + 1;
    return NameNode(name);
  }

  absl::StatusOr<NodePtr> ParseConstant() {
    double number = 0;
    const char* begin = text_.data() + at_;
    auto [end, error] = std::from_chars(begin, text_.data() + text_.size(), number);
    if (error != std::errc()) return Unexpected("a number");
    at_ += static_cast<size_t>(end - begin);
    return NodePtr(std::make_shared<Constant>(number));
  }

  std::string TakeWord() {
    size_t begin = at_;
    auto fits = [](char c) {
      unsigned char byte = static_cast<unsigned char>(c);
      return absl::ascii_isalnum(byte) || c == '_' || c == '.' || c == '$' || c == '@' || byte >= 0x80;
    };
    while (at_ < text_.size() && fits(text_[at_])) ++at_;
    return std::string(text_.substr(begin, at_ - begin));
  }

  absl::StatusOr<NodePtr> ParseCall(const std::string& function, int depth) {
    Take('(');
    std::vector<NodePtr> arguments;
    do {
      ASSIGN_OR_RETURN(NodePtr argument, ParseSum(depth + 1));
      arguments.push_back(std::move(argument));
    } while (Take(','));
    if (!Take(')')) return Unexpected("\",\" or \")\"");
    auto unary = UnaryFunctions().find(function);
    if (unary != UnaryFunctions().end() && arguments.size() == 1) {
      return NodePtr(std::make_shared<UnaryCall>(unary->second, arguments[0]));
    }
    auto binary = BinaryFunctions().find(function);
    if (binary != BinaryFunctions().end() && arguments.size() == 2) {
      return NodePtr(std::make_shared<BinaryCall>(binary->second, arguments[0], arguments[1]));
    }
    return Wrong(absl::StrCat("no function ", function, " of ", arguments.size(), " arguments; there are ", Known()));
  }

  static std::string Known() {
    std::string known;
    for (const auto& [name, function] : UnaryFunctions()) absl::StrAppend(&known, name, "(x), ");
    for (const auto& [name, function] : BinaryFunctions()) absl::StrAppend(&known, name, "(x, y), ");
    return known.substr(0, known.size() - 2);
  }

  absl::string_view text_;
  std::vector<std::string>& names_;
  size_t at_ = 0;
  int operators_ = 0;
};

}  // namespace

absl::StatusOr<Arithmetic> Arithmetic::Compile(absl::string_view text) {
  Arithmetic arithmetic;
  ASSIGN_OR_RETURN(arithmetic.root_, Parser(text, arithmetic.names_).Parse());
  return arithmetic;
}

absl::StatusOr<ValueColumn> Arithmetic::Evaluate(const Table& table) const {
  ASSIGN_OR_RETURN(Numbers numbers, root_->Evaluate(table));
  ValueColumn column;
  column.Reserve(numbers.size());
  for (double number : numbers) {
    if (std::isfinite(number)) {
      column.AddFloat(number);
    } else {
      column.Add(Value());
    }
  }
  return column;
}

}  // namespace chartly::reporter
