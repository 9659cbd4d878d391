// The shape of a row of JSON, to read further rows of the same shape by: most rows of a payload differ in their scalars
// and in nothing else. What stands between the scalars (names, colons, commas, brackets, blanks) is then compared as
// one text, instead of being read name by name. Internal to JsonBinder. Not thread-safe.
#ifndef CHARTLY_DRONE_DECODE_JSON_TEMPLATE_H_
#define CHARTLY_DRONE_DECODE_JSON_TEMPLATE_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "common/normalize/row.h"
#include "drone/decode/json_index.h"

namespace chartly::drone {

// A field that a path leads to, and the token it begins with.
struct JsonCell {
  Field field;
  size_t token = 0;
};

class JsonTemplate {
 public:
  // As many as stay in the nearest cache, with their tokens, from one scalar to the next.
  static constexpr size_t kMaxLines = 32;

  // Makes this the shape of the row whose tokens are `first` to `next` - 1, `depth` levels deep, with `width` members.
  // Requires: the row was checked, and `cells` are its fields. False if it is of no use: too large, or with a blank
  // behind a scalar.
  bool Learn(const JsonIndex& index, size_t first, size_t next, int depth, size_t width,
             const std::vector<JsonCell>& cells);

  // Whether the value at `token`, `depth` levels deep, is right and of this shape; then its fields are in `cells`, and
  // texts without their escapes at `arena`, which is moved past them. What cells hold after false is undefined. `all`
  // says that the cells hold something else than a row of this shape.
  bool Match(const JsonIndex& index, size_t token, int depth, bool all, char*& arena,
             std::vector<JsonCell>& cells) const;

  // The same for rows that are objects on lines of their own, one behind the other from `token` on, `count` at most and
  // no more than kMaxLines: how many of them, from the first on, are right, of this shape, and without escapes. Their
  // fields are in columns[cell][row]; no column: they are not wanted. What the columns hold behind them is undefined.
  // Goes through one scalar of the shape after the other, for all rows. Requires: a column for each cell, or null.
  size_t MatchLines(const JsonIndex& index, size_t token, size_t count, const std::vector<Field*>& columns) const;

  size_t tokens() const { return tokens_; }
  size_t width() const { return width_; }
  bool on_one_line() const { return on_one_line_; }

 private:
  static constexpr uint32_t kNoCell = ~uint32_t{0};
  // A scalar and what stands before it; for the last piece, what stands behind all scalars.
  struct Piece {
    uint32_t size = 0;    // bytes of literals_
    uint32_t tokens = 0;  // in these
    uint32_t cell = kNoCell;
    uint32_t literal = 0;                // where they begin in literals_
    std::array<uint64_t, 3> words = {};  // the first 24 of them; nothing is where masks are zero
    std::array<uint64_t, 3> masks = {};
  };
  // A list or an object that a path leads to; tokens count from the first of the row.
  struct Composite {
    uint32_t cell;
    uint32_t open;
    uint32_t close;
  };

  bool LearnScalars(const JsonIndex& index, size_t first, size_t next, const std::vector<JsonCell>& cells);
  void AddPiece(const JsonIndex& index, size_t begin, size_t end, size_t tokens, uint32_t cell);
  uint64_t Difference(const char* text, const Piece& piece) const;
  bool DiffersBehind(const char* text, const Piece& piece) const;
  static bool ReadScalar(const char* from, const char* to, Field& field);
  void MatchPiece(const JsonIndex& index, const uint32_t* at, size_t count, const Piece& piece, Field* fields,
                  uint64_t* differences) const;
  bool EndsLine(const JsonIndex& index, size_t begin) const;

  std::vector<Piece> pieces_;
  std::string literals_;  // one after the other
  std::vector<Composite> composites_;
  std::vector<uint32_t> missing_;   // cells without a field
  std::vector<uint32_t> by_token_;  // for Learn: the cell that begins with a token
  size_t tokens_ = 0;               // 0: nothing was learned
  size_t width_ = 0;
  int depth_ = 0;
  bool on_one_line_ = false;
};

}  // namespace chartly::drone

#endif  // CHARTLY_DRONE_DECODE_JSON_TEMPLATE_H_
