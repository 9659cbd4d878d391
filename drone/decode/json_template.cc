#include "drone/decode/json_template.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>

#include "absl/base/attributes.h"
#include "common/normalize/row_block.h"
#include "common/text/short_text.h"
#include "drone/decode/json_document.h"
#include "drone/decode/json_lexer.h"

namespace chartly::drone {
namespace {

constexpr size_t kMaxTokens = 4096;
constexpr size_t kMaxLiteralBytes = size_t{64} << 10;
constexpr size_t kWordBytes = 8;
constexpr size_t kFirstBytes = 3 * kWordBytes;  // of a literal

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
  Piece& piece = pieces_.emplace_back();
  piece.size = static_cast<uint32_t>(end - begin);
  piece.tokens = static_cast<uint32_t>(tokens);
  piece.cell = cell;
  piece.literal = static_cast<uint32_t>(literals_.size());
  literals_.append(index.text() + begin, piece.size);
  for (size_t i = 0; i < std::min(end - begin, kFirstBytes); ++i) {
    const size_t shift = 8 * (i % kWordBytes);
    piece.words[i / kWordBytes] |= uint64_t{static_cast<unsigned char>(index.text()[begin + i])} << shift;
    piece.masks[i / kWordBytes] |= uint64_t{0xFF} << shift;
  }
}

// Zero if the text begins with what the piece says. Looks at kFirstBytes of it in any case.
ABSL_ATTRIBUTE_ALWAYS_INLINE inline uint64_t JsonTemplate::Difference(const char* text, const Piece& piece) const {
  static_assert(std::endian::native == std::endian::little, "the first byte is the lowest one of a word");
  return ((LoadWord<uint64_t>(text) & piece.masks[0]) ^ piece.words[0]) |
         ((LoadWord<uint64_t>(text + kWordBytes) & piece.masks[1]) ^ piece.words[1]) |
         ((LoadWord<uint64_t>(text + 2 * kWordBytes) & piece.masks[2]) ^ piece.words[2]);
}

// The same of what the words do not hold.
bool JsonTemplate::DiffersBehind(const char* text, const Piece& piece) const {
  return piece.size > kFirstBytes &&
         std::memcmp(text + kFirstBytes, literals_.data() + piece.literal + kFirstBytes, piece.size - kFirstBytes) != 0;
}

// Without its escapes, if it is a text. Members are written one by one: a copy of a whole field would wait for them.
ABSL_ATTRIBUTE_ALWAYS_INLINE inline bool JsonTemplate::ReadScalar(const char* from, const char* to, Field& field) {
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
    difference |= Difference(text + begin, piece);
    at += piece.tokens;
    difference |= (*at - begin) ^ piece.size;
    if (piece.size > kFirstBytes && (difference != 0 || DiffersBehind(text + begin, piece))) return false;
    JsonCell& cell = piece.cell == kNoCell ? ignored : cells[piece.cell];
    if (!ReadScalar(text + *at, text + at[1], cell.field)) return false;
    if (has_escapes && cell.field.kind == Field::Kind::kText && !Unescape(arena, cell.field.text)) return false;
    cell.token = static_cast<size_t>(at - index.tokens());
    ++at;
    begin = *at;
  }
  const Piece& last = pieces_.back();
  if (begin + last.size > index.text_size() || (difference | Difference(text + begin, last)) != 0) return false;
  if (DiffersBehind(text + begin, last)) return false;
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
  if (DiffersBehind(index.text() + begin, last)) return false;
  const char* const behind = index.text() + end;
  return *behind == '\n' || (*behind == '\r' && behind[1] == '\n');
}

// One piece of `count` rows; the first begins at *at.
void JsonTemplate::MatchPiece(const JsonIndex& index, const uint32_t* at, size_t count, const Piece& piece,
                              Field* fields, uint64_t* differences) const {
  const char* const text = index.text();
  const size_t tokens = tokens_;
  const Piece literal = piece;  // which nothing that is written can change
  Field ignored;
  for (size_t row = 0; row < count; ++row, at += tokens) {
    const size_t begin = *at, scalar = at[literal.tokens], end = at[literal.tokens + 1];
    uint64_t difference = ((scalar - begin) ^ literal.size) | Difference(text + begin, literal);
    // Where the scalar is not where it should be, the text may end.
    if (literal.size > kFirstBytes && difference == 0) difference = DiffersBehind(text + begin, literal) ? 1 : 0;
    const bool good = ReadScalar(text + scalar, text + end, fields == nullptr ? ignored : fields[row]);
    differences[row] |= difference | (good ? 0 : 1);
  }
}

size_t JsonTemplate::MatchLines(const JsonIndex& index, size_t token, size_t count,
                                const std::vector<Field*>& columns) const {
  if (tokens_ == 0 || depth_ != 0 || !on_one_line_) return 0;
  const uint32_t* const first = index.tokens() + token;
  count = std::min({count, kMaxLines, (index.size() - token) / tokens_});
  const size_t backslash = index.FirstBackslash(*first);
  while (count > 0 && first[count * tokens_ - 1] > backslash) --count;
  std::array<uint64_t, kMaxLines> differences{};
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
