// Reads one JSON value over the tokens of a JsonIndex: checks all of it against the grammar and picks the fields that
// the paths name, in one walk. Most rows are of the shape of one before, so that is tried first; else each member is
// first compared with the one that stood there in the row before. Allocates only while it learns. Not thread-safe.
//
// Strict RFC 8259; of duplicate names the last one counts; nesting is at most kMaxJsonDepth deep.
#ifndef CHARTLY_DRONE_DECODE_JSON_BINDER_H_
#define CHARTLY_DRONE_DECODE_JSON_BINDER_H_

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "common/normalize/row.h"
#include "drone/decode/json_index.h"
#include "drone/decode/json_template.h"
#include "drone/decode/path_tree.h"

namespace chartly::drone {

inline constexpr int kMaxJsonDepth = 64;

class JsonBinder {
 public:
  // `paths` have no [*]; none at all makes a binder that only checks.
  explicit JsonBinder(const std::vector<std::vector<PathStep>>& paths);
  JsonBinder(const JsonBinder&) = delete;
  JsonBinder& operator=(const JsonBinder&) = delete;

  // Reads the value that begins at `token`, `depth` levels deep in its document. False if it is wrong or not all there;
  // then status() says why.
  bool Read(const JsonIndex& index, size_t token, int depth);

  // After Read gave true: the token after the value; how many members or elements it has, if it is a container; whether
  // it is known to have no line end inside.
  size_t next() const { return static_cast<size_t>(at_ - index_->tokens()); }
  size_t width() const { return width_; }
  bool on_one_line() const { return on_one_line_; }
  // Texts of fields stay over further Reads of the same index, until ForgetTexts.
  void KeepTexts() { keeps_texts_ = true; }
  void ForgetTexts() { arena_used_ = 0; }
  // The field at a path, valid until the next Read; its address is the same for ever.
  const Field& field(size_t path) const { return cells_[tree_.CellOf(path)].field; }
  // Where the paths lead to: those that are the same lead to one cell.
  size_t cells() const { return cells_.size(); }
  size_t cell(size_t path) const { return tree_.CellOf(path); }
  // The shape by which the last row was read; null if it was of none known.
  const JsonTemplate* shape() const { return filled_by_; }
  // The token it begins with. Requires: the field is not missing.
  size_t token(size_t path) const { return cells_[tree_.CellOf(path)].token; }

  // After Read gave false: whether it failed at the last token, so that more text might make it right.
  bool incomplete() const;
  // PAYLOAD_TRUNCATED if the text ends too early, PAYLOAD_TOO_DEEP or PAYLOAD_NOT_JSON.
  absl::Status status() const;

 private:
  using Node = PathTree::Node;
  // What stood at a place of an object in the row before: the key as it was written, and where it leads.
  struct Expected {
    std::string key;
    const Node* child = nullptr;
  };

  bool ReadByTemplate(size_t token, int depth);
  void LearnTemplate(size_t token, int depth);
  bool Value(const Node* node, int depth);
  bool Object(const Node* node, int depth);
  bool Array(const Node* node, int depth);
  bool String(const Node* node);
  bool Scalar(const Node* node);
  bool Key(const Node* node, size_t place, const Node*& child);
  bool NewKey(const Node& node, size_t place, absl::string_view key, bool escaped, const Node*& child);
  void Enter(const Node& node);
  void Set(const Node& node, Field::Kind kind, absl::string_view text, const uint32_t* token);
  bool Fail(const char* why);
  bool IsCutOff() const;

  const PathTree tree_;
  std::vector<JsonCell> cells_;
  std::vector<uint64_t> entered_;                // by node: the row in which it was last entered
  std::vector<std::vector<Expected>> expected_;  // by node
  const JsonIndex* index_ = nullptr;
  const char* text_ = nullptr;
  const uint32_t* at_ = nullptr;
  uint64_t row_ = 0;
  size_t width_ = 0;
  bool on_one_line_ = false;
  int depth_ = 0;              // of the value that is read
  int open_ = 0;               // containers around what is being read
  const char* why_ = nullptr;  // null: too deep
  // Texts without their escapes. As large as the indexed text, so that it never moves while that is read.
  std::unique_ptr<char[]> arena_;
  size_t arena_size_ = 0;
  size_t arena_used_ = 0;
  bool keeps_texts_ = false;

  // The shapes of the last rows that were of none known.
  std::array<JsonTemplate, 2> templates_;
  size_t last_template_ = 0;                 // that fitted or was learned
  const JsonTemplate* filled_by_ = nullptr;  // the template whose row cells_ hold
  unsigned skip_ = 0;                        // rows that are read without templates
  unsigned next_skip_ = 0;                   // the same after the next template; grows until one fits
};

}  // namespace chartly::drone

#endif  // CHARTLY_DRONE_DECODE_JSON_BINDER_H_
