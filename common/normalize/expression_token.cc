#include "common/normalize/expression_token.h"

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "common/status/status.h"

namespace chartly {
namespace {

// Beyond ASCII every letter may stand in a name as it is.
bool IsNameCharacter(char c) {
  unsigned char byte = static_cast<unsigned char>(c);
  return absl::ascii_isalnum(byte) || c == '_' || c == '.' || c == '-' || c == '$' || c == '@' || c == '^' ||
         byte >= 0x80;
}

// Length of "[12]" at the start of `text`; 0 if something else is there.
size_t IndexLength(absl::string_view text) {
  size_t end = text.find_first_not_of("0123456789", 1);
  return !text.empty() && text[0] == '[' && end != text.npos && end > 1 && text[end] == ']' ? end + 1 : 0;
}

}  // namespace

absl::Status ExpressionError(size_t column, absl::string_view message) {
  return Error(absl::StatusCode::kInvalidArgument, "EXPRESSION_INVALID",
               absl::StrCat("column ", column, ": ", message));
}

absl::StatusOr<Token> Lexer::Next(bool operand_expected) {
  while (at_ < text_.size() && absl::ascii_isspace(static_cast<unsigned char>(text_[at_]))) ++at_;
  Token token;
  token.column = at_ + 1;
  if (at_ == text_.size()) return token;
  char c = text_[at_];
  char next = at_ + 1 < text_.size() ? text_[at_ + 1] : 0;
  if (c == '"' || c == '\'' || c == '`') return Quoted(c, token);
  if (absl::ascii_isdigit(c) || ((c == '-' || c == '+') && (absl::ascii_isdigit(next) || next == '.')))
    return Number(token);
  bool starts_name = IsNameCharacter(c) && c != '-' && c != '.';
  if (starts_name || (operand_expected && IndexLength(text_.substr(at_)) > 0)) return Name(token);
  return Symbol(token);
}

absl::StatusOr<Token> Lexer::Quoted(char quote, Token token) {
  token.kind = quote == '`' ? Token::Kind::kQuotedName : Token::Kind::kText;
  for (++at_; at_ < text_.size(); ++at_) {
    char c = text_[at_];
    char next = at_ + 1 < text_.size() ? text_[at_ + 1] : 0;
    // Only a quote and a backslash are escaped; other backslashes stay, as regular expressions need them.
    if (c == '\\' && (next == quote || next == '\\')) {
      c = next;
      ++at_;
    } else if (c == quote) {
      ++at_;
      return token;
    }
    token.text += c;
  }
  return ExpressionError(token.column,
                         absl::StrCat("the text that begins here does not end; close it with ", std::string(1, quote)));
}

Token Lexer::Number(Token token) {
  token.kind = Token::Kind::kNumber;
  token.text = text_[at_++];
  for (; at_ < text_.size(); ++at_) {
    char c = text_[at_];
    bool sign = (c == '-' || c == '+') && (token.text.back() == 'e' || token.text.back() == 'E');
    if (!sign && !absl::ascii_isalnum(static_cast<unsigned char>(c)) && c != '.' && c != '_') break;
    token.text += c;
  }
  return token;
}

Token Lexer::Name(Token token) {
  token.kind = Token::Kind::kWord;
  while (at_ < text_.size()) {
    size_t length = IsNameCharacter(text_[at_]) ? 1 : IndexLength(text_.substr(at_));
    if (length == 0) break;
    token.text.append(text_.data() + at_, length);
    at_ += length;
  }
  return token;
}

absl::StatusOr<Token> Lexer::Symbol(Token token) {
  token.kind = Token::Kind::kSymbol;
  for (absl::string_view symbol : {"==", "!=", "<=", ">=", "=", "<", ">", "(", ")", "[", "]", ","}) {
    if (text_.substr(at_, symbol.size()) != symbol) continue;
    token.text = std::string(symbol == "==" ? "=" : symbol);
    at_ += symbol.size();
    return token;
  }
  return ExpressionError(token.column, absl::StrCat("unexpected \"", text_.substr(at_, 1),
                                                    "\"; put a name with odd characters in backquotes: `CO2 (ppm)`"));
}

}  // namespace chartly
