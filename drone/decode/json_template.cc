#include "drone/decode/json_template.h"

#include "common/text/short_text.h"
#include "drone/decode/json_document.h"
#include "drone/decode/json_lexer.h"

namespace chartly::drone {
namespace {

constexpr size_t kMaxTokens = 4096;
constexpr size_t kMaxLiteralBytes = size_t{32} << 10;

bool IsPunctuation(char c) { return c == '{' || c == '}' || c == '[' || c == ']' || c == ':' || c == ','; }

}  // namespace

bool JsonTemplate::Learn(const JsonIndex& index, size_t first, size_t next, int depth, size_t width,
                         const std::vector<JsonCell>& cells) {
  tokens_ = 0;
  const char open = index.At(first);
  if ((open != '{' && open != '[') || next - first > kMaxTokens) return false;
  if (!LearnScalars(index, first, next, cells)) return false;
  composites_.clear();
  missing_.clear();
  for (uint32_t cell = 0; cell < cells.size(); ++cell) {
    const Field::Kind kind = cells[cell].field.kind;
    if (kind == Field::Kind::kMissing) missing_.push_back(cell);
    if (kind != Field::Kind::kComposite) continue;
    const size_t close = JsonDocument(index).Skip(cells[cell].token) - 1;
    composites_.push_back(
        {cell, static_cast<uint32_t>(cells[cell].token - first), static_cast<uint32_t>(close - first)});
  }
  tokens_ = next - first;
  width_ = width;
  depth_ = depth;
  on_one_line_ = literals_.find('\n') == std::string::npos;
  return true;
}

bool JsonTemplate::LearnScalars(const JsonIndex& index, size_t first, size_t next, const std::vector<JsonCell>& cells) {
  by_token_.assign(next - first, kNoCell);
  for (uint32_t cell = 0; cell < cells.size(); ++cell) {
    if (cells[cell].field.kind != Field::Kind::kMissing) by_token_[cells[cell].token - first] = cell;
  }
  pieces_.clear();
  literals_.clear();
  const uint32_t* tokens = index.tokens();
  size_t behind = first;  // the token behind the last scalar
  for (size_t token = first; token < next; ++token) {
    const bool is_name = index.At(token) == '"' && index.At(token + 1) == ':';
    if (is_name || IsPunctuation(index.At(token))) continue;
    if (IsJsonBlank(index.text()[tokens[token + 1] - 1])) return false;
    Piece& piece = pieces_.emplace_back();
    piece.size = tokens[token] - tokens[behind];
    piece.tokens = static_cast<uint32_t>(token - behind);
    literals_.append(index.text() + tokens[behind], piece.size);
    piece.cell = by_token_[token - first];
    behind = token + 1;
  }
  literals_.append(index.text() + tokens[behind], tokens[next - 1] + 1 - tokens[behind]);
  return literals_.size() <= kMaxLiteralBytes;
}

// Members are written one by one: a copy of a whole field would wait for them.
inline bool JsonTemplate::ReadScalar(const JsonIndex& index, size_t begin, size_t end, char*& arena, Field& field) {
  const char* const from = index.text() + begin;
  const char* const to = index.text() + end;
  if (*from == '"') {
    if (to - from < 2 || to[-1] != '"') return false;
    field.kind = Field::Kind::kText;
    field.text = absl::string_view(from + 1, static_cast<size_t>(to - from) - 2);
    return index.FirstBackslash(begin) >= end || Unescape(arena, field.text);
  }
  field.kind = Field::Kind::kNumber;
  field.text = absl::string_view(from, static_cast<size_t>(to - from));
  if (IsPlainJsonNumber(from, to) || IsJsonNumber(from, to)) return true;
  field.kind = field.text == "null" ? Field::Kind::kNull : Field::Kind::kBoolean;
  return field.text == "null" || field.text == "true" || field.text == "false";
}

bool JsonTemplate::Unescape(char*& arena, absl::string_view& text) {
  char* const end = UnescapeJson(text, arena);
  if (end == nullptr) return false;
  text = absl::string_view(arena, static_cast<size_t>(end - arena));
  arena = end;
  return true;
}

bool JsonTemplate::Match(const JsonIndex& index, size_t token, int depth, bool all, char*& arena,
                         std::vector<JsonCell>& cells) const {
  if (tokens_ == 0 || depth != depth_ || token + tokens_ > index.size()) return false;
  const char* const text = index.text();
  const uint32_t* at = index.tokens() + token;
  const char* literal = literals_.data();
  size_t begin = *at;
  JsonCell ignored;
  for (const Piece& piece : pieces_) {
    if (begin + piece.size > index.text_size()) return false;
    if (!IsSameText({text + begin, piece.size}, {literal, piece.size})) return false;
    literal += piece.size;
    begin += piece.size;
    at += piece.tokens;
    const size_t end = at[1];
    JsonCell& cell = piece.cell == kNoCell ? ignored : cells[piece.cell];
    if (*at != begin || !ReadScalar(index, begin, end, arena, cell.field)) return false;
    cell.token = static_cast<size_t>(at - index.tokens());
    ++at;
    begin = end;
  }
  const size_t last = static_cast<size_t>(literals_.data() + literals_.size() - literal);
  if (begin + last > index.text_size() || !IsSameText({text + begin, last}, {literal, last})) return false;
  for (const Composite& composite : composites_) {
    const uint32_t* const open = index.tokens() + token + composite.open;
    const uint32_t* const close = index.tokens() + token + composite.close;
    cells[composite.cell] = {{Field::Kind::kComposite, absl::string_view(text + *open, *close + 1 - *open)},
                             token + composite.open};
  }
  if (all) {
    for (uint32_t cell : missing_) cells[cell].field = Field();
  }
  return true;
}

}  // namespace chartly::drone
