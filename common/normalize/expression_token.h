// Cuts an expression into tokens. Internal to this folder.
#ifndef CHARTLY_COMMON_NORMALIZE_EXPRESSION_TOKEN_H_
#define CHARTLY_COMMON_NORMALIZE_EXPRESSION_TOKEN_H_

#include <cstddef>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace chartly {

struct Token {
  enum class Kind { kEnd, kWord, kQuotedName, kText, kNumber, kSymbol };
  Kind kind = Kind::kEnd;
  std::string text;   // without quotes; of a symbol: itself
  size_t column = 1;  // one-based, in bytes
};

// InvalidArgument (EXPRESSION_INVALID) that begins with the column.
absl::Status ExpressionError(size_t column, absl::string_view message);

class Lexer {
 public:
  explicit Lexer(absl::string_view text) : text_(text) {}
  // The next token; kEnd after the last, again and again. Where an operand may stand, [0].name is a name, and
  // elsewhere [ is a symbol.
  absl::StatusOr<Token> Next(bool operand_expected);

 private:
  absl::StatusOr<Token> Quoted(char quote, Token token);
  Token Number(Token token);
  Token Name(Token token);
  absl::StatusOr<Token> Symbol(Token token);

  absl::string_view text_;
  size_t at_ = 0;
};

}  // namespace chartly

#endif  // CHARTLY_COMMON_NORMALIZE_EXPRESSION_TOKEN_H_
