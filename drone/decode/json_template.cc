#include "drone/decode/json_template.h"

#include <algorithm>
#include <array>

#include "common/normalize/row_block.h"
#include "common/text/short_text.h"
#include "drone/decode/json_document.h"
#include "drone/decode/json_lexer.h"

namespace chartly::drone {
namespace {

constexpr size_t kMaxTokens = 4096;
constexpr size_t kMaxLiteralBytes = size_t{64} << 10;
constexpr size_t kWordBytes = 8;

bool IsPunctuation(char c) { return c == '{' || c == '}' || c == '[' || c == ']' || c == ':' || c == ','; }

// Puts the text at `arena`, if there is an escape in it, and moves that past it. False if an escape is wrong.
bool Unescape(char*& arena, absl::string_view& text) {
  if (text.find('\\') == absl::string_view::npos) return true;
  char* const end = UnescapeJson(text, arena);
  if (end == nullptr) return false;
  text = absl::string_view(arena, static_cast<size_t>(end - arena));
  arena = end;
  return true;
}

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
    AddPiece(index, tokens[behind], tokens[token], token - behind, by_token_[token - first]);
    behind = token + 1;
  }
  AddPiece(index, tokens[behind], tokens[next - 1] + 1, next - behind, kNoCell);
  return literals_.size() <= kMaxLiteralBytes;
}

void JsonTemplate::AddPiece(const JsonIndex& index, size_t begin, size_t end, size_t tokens, uint32_t cell) {
  pieces_.push_back({static_cast<uint32_t>(end - begin), static_cast<uint32_t>(tokens), cell,
                     static_cast<uint32_t>(literals_.size())});
  literals_.append(index.text() + begin, end - begin);
  literals_.resize((literals_.size() / kWordBytes + 2) * kWordBytes, '\0');
}

// Zero if the text begins with what the piece says. Looks at up to eight bytes behind it.
inline uint64_t JsonTemplate::Difference(const char* text, const Piece& piece) const {
  const char* const literal = literals_.data() + piece.literal;
  uint64_t difference = 0;
  size_t at = 0;
  for (; at + kWordBytes <= piece.size; at += kWordBytes) {
    difference |= LoadWord<uint64_t>(text + at) ^ LoadWord<uint64_t>(literal + at);
  }
  const uint64_t rest = (uint64_t{1} << (8 * (piece.size - at))) - 1;
  return difference | ((LoadWord<uint64_t>(text + at) ^ LoadWord<uint64_t>(literal + at)) & rest);
}

// Without its escapes, if it is a text. Members are written one by one: a copy of a whole field would wait for them.
inline bool JsonTemplate::ReadScalar(const char* from, const char* to, Field& field) {
  if (*from == '"') {
    if (to - from < 2 || to[-1] != '"') return false;
    field.kind = Field::Kind::kText;
    field.text = absl::string_view(from + 1, static_cast<size_t>(to - from) - 2);
    return true;
  }
  field.kind = Field::Kind::kNumber;
  field.text = absl::string_view(from, static_cast<size_t>(to - from));
  if (IsPlainJsonNumber(from, to) || IsJsonNumber(from, to)) return true;
  field.kind = field.text == "null" ? Field::Kind::kNull : Field::Kind::kBoolean;
  return field.text == "null" || field.text == "true" || field.text == "false";
}

// Names, brackets and blanks are compared without a look at what came out of it before the end of the row: nearly all
// rows that are tried are of the shape, and tokens lie within the text whether they fit or not.
bool JsonTemplate::Match(const JsonIndex& index, size_t token, int depth, bool all, char*& arena,
                         std::vector<JsonCell>& cells) const {
  if (tokens_ == 0 || depth != depth_ || token + tokens_ > index.size()) return false;
  const char* const text = index.text();
  const uint32_t* at = index.tokens() + token;
  const bool has_escapes = index.FirstBackslash(*at) < at[tokens_ - 1];
  size_t begin = *at;
  uint64_t difference = 0;
  JsonCell ignored;
  for (size_t i = 0; i + 1 < pieces_.size(); ++i) {
    const Piece& piece = pieces_[i];
    if (piece.size > kJsonPadding - kWordBytes && begin + piece.size > index.text_size()) return false;
    difference |= Difference(text + begin, piece);
    at += piece.tokens;
    difference |= (*at - begin) ^ piece.size;
    JsonCell& cell = piece.cell == kNoCell ? ignored : cells[piece.cell];
    if (!ReadScalar(text + *at, text + at[1], cell.field)) return false;
    if (has_escapes && cell.field.kind == Field::Kind::kText && !Unescape(arena, cell.field.text)) return false;
    cell.token = static_cast<size_t>(at - index.tokens());
    ++at;
    begin = *at;
  }
  const Piece& last = pieces_.back();
  if (last.size > kJsonPadding - kWordBytes && begin + last.size > index.text_size()) return false;
  if ((difference | Difference(text + begin, last)) != 0) return false;
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

// Whether what stands behind the last scalar is at `begin`, and behind it the end of the line.
bool JsonTemplate::EndsLine(const JsonIndex& index, size_t begin) const {
  const Piece& last = pieces_.back();
  const size_t end = begin + last.size;
  if (end >= index.text_size() || Difference(index.text() + begin, last) != 0) return false;
  const char* const behind = index.text() + end;
  return *behind == '\n' || (*behind == '\r' && behind[1] == '\n');
}

// One piece of `count` rows; the first begins at *at.
void JsonTemplate::MatchPiece(const JsonIndex& index, const uint32_t* at, size_t count, const Piece& piece,
                              Field* fields, uint64_t* differences) const {
  constexpr size_t kWords = 3;
  const char* const text = index.text();
  const char* const literal = literals_.data() + piece.literal;
  uint64_t words[kWords], masks[kWords];  // of most pieces all
  for (size_t i = 0; i < kWords; ++i) {
    const size_t begin = i * kWordBytes;
    const size_t bytes = piece.size < begin ? 0 : std::min(piece.size - begin, kWordBytes);
    masks[i] = bytes == kWordBytes ? ~uint64_t{0} : (uint64_t{1} << (8 * bytes)) - 1;
    words[i] = bytes == 0 ? 0 : LoadWord<uint64_t>(literal + begin) & masks[i];
  }
  const bool all = piece.size <= kWords * kWordBytes;
  Field ignored;
  for (size_t row = 0; row < count; ++row, at += tokens_) {
    const size_t begin = *at, scalar = at[piece.tokens], end = at[piece.tokens + 1];
    uint64_t difference = (scalar - begin) ^ piece.size;
    for (size_t i = 0; i < kWords; ++i) {
      difference |= (LoadWord<uint64_t>(text + begin + i * kWordBytes) & masks[i]) ^ words[i];
    }
    // Where the scalar is not where it should be, the text may end.
    if (!all && difference == 0) difference = Difference(text + begin, piece);
    const bool good = ReadScalar(text + scalar, text + end, fields == nullptr ? ignored : fields[row]);
    differences[row] |= difference | (good ? 0 : 1);
  }
}

size_t JsonTemplate::MatchLines(const JsonIndex& index, size_t token, size_t count,
                                const std::vector<Field*>& columns) const {
  if (tokens_ == 0 || depth_ != 0 || !on_one_line_) return 0;
  const uint32_t* const first = index.tokens() + token;
  count = std::min(count, (index.size() - token) / tokens_);
  const size_t backslash = index.FirstBackslash(*first);
  while (count > 0 && first[count * tokens_ - 1] > backslash) --count;
  std::array<uint64_t, RowBlock::kMaxRows> differences{};
  const uint32_t* at = first;
  for (size_t i = 0; i + 1 < pieces_.size(); ++i) {
    const Piece& piece = pieces_[i];
    MatchPiece(index, at, count, piece, piece.cell == kNoCell ? nullptr : columns[piece.cell], differences.data());
    at += piece.tokens + 1;
  }
  size_t rows = 0;
  while (rows < count && differences[rows] == 0 && EndsLine(index, at[rows * tokens_])) ++rows;
  for (const Composite& composite : composites_) {
    Field* const fields = columns[composite.cell];
    for (size_t row = 0; fields != nullptr && row < rows; ++row) {
      const uint32_t open = first[row * tokens_ + composite.open], close = first[row * tokens_ + composite.close];
      fields[row] = {Field::Kind::kComposite, absl::string_view(index.text() + open, close + 1 - open)};
    }
  }
  for (uint32_t cell : missing_) {
    if (columns[cell] != nullptr) std::fill_n(columns[cell], rows, Field());
  }
  return rows;
}

}  // namespace chartly::drone
