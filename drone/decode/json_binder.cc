#include "drone/decode/json_binder.h"

#include <algorithm>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "common/status/status.h"

namespace chartly::drone {
namespace {

// Past this many members, an object's order is not remembered.
constexpr size_t kMaxExpected = 4096;
// Where no row is like another, one in so many looks for a template.
constexpr unsigned kMaxSkippedRows = 255;

// The end of the scalar that begins before `next`, where the next token begins.
const char* EndOfScalar(const char* next) {
  while (IsJsonBlank(next[-1])) --next;
  return next;
}

}  // namespace

JsonBinder::JsonBinder(const std::vector<std::vector<PathStep>>& paths)
    : tree_(paths), cells_(tree_.cells()), entered_(tree_.nodes(), 0), expected_(tree_.nodes()) {}

bool JsonBinder::Read(const JsonIndex& index, size_t token, int depth) {
  index_ = &index;
  text_ = index.text();
  at_ = index.tokens() + token;
  if (arena_size_ < index.text_size()) {
    arena_.reset(new char[index.text_size()]);
    arena_size_ = index.text_size();
  }
  if (!keeps_texts_) arena_used_ = 0;
  if (skip_ == 0 && ReadByTemplate(token, depth)) return true;
  const size_t arena_used = arena_used_;
  width_ = 0;
  on_one_line_ = false;
  depth_ = depth;
  open_ = depth;
  ++row_;
  filled_by_ = nullptr;
  for (JsonCell& cell : cells_) cell.field = Field();
  if (!Value(tree_.empty() ? nullptr : tree_.root(), depth)) {
    arena_used_ = arena_used;  // a row that is read again must not take its room twice
    return false;
  }
  if (skip_ > 0) {
    --skip_;
  } else {
    LearnTemplate(token, depth);
  }
  return true;
}

bool JsonBinder::ReadByTemplate(size_t token, int depth) {
  for (size_t i = 0; i < templates_.size(); ++i) {
    const size_t number = (last_template_ + i) % templates_.size();
    const JsonTemplate& shape = templates_[number];
    const bool all = filled_by_ != &shape;
    filled_by_ = nullptr;
    char* arena = arena_.get() + arena_used_;
    if (!shape.Match(*index_, token, depth, all, arena, cells_)) continue;
    arena_used_ = static_cast<size_t>(arena - arena_.get());
    filled_by_ = &shape;
    last_template_ = number;
    at_ += shape.tokens();
    width_ = shape.width();
    on_one_line_ = shape.on_one_line();
    next_skip_ = 0;
    return true;
  }
  return false;
}

void JsonBinder::LearnTemplate(size_t token, int depth) {
  const size_t oldest = (last_template_ + 1) % templates_.size();
  if (templates_[oldest].Learn(*index_, token, next(), depth, width_, cells_)) last_template_ = oldest;
  skip_ = next_skip_;
  next_skip_ = std::min(2 * next_skip_ + 1, kMaxSkippedRows);
}

bool JsonBinder::Fail(const char* why) {
  why_ = why;
  return false;
}

// Of a name that comes twice, what came first is forgotten.
void JsonBinder::Enter(const Node& node) {
  uint64_t& entered = entered_[node.number];
  if (entered == row_) {
    for (size_t i = node.cells_begin; i < node.cells_end; ++i) cells_[i].field = Field();
  }
  entered = row_;
}

inline void JsonBinder::Set(const Node& node, Field::Kind kind, absl::string_view text, const uint32_t* token) {
  if (node.cell == PathTree::kNone) return;
  JsonCell& cell = cells_[node.cell];
  cell.field.kind = kind;
  cell.field.text = text;
  cell.token = static_cast<size_t>(token - index_->tokens());
}

bool JsonBinder::Value(const Node* node, int depth) {
  if (node != nullptr) Enter(*node);
  switch (text_[*at_]) {
    case '"':
      return String(node);
    case '{':
      return Object(node, depth);
    case '[':
      return Array(node, depth);
    default:
      return Scalar(node);
  }
}

bool JsonBinder::String(const Node* node) {
  const char* begin = text_ + *at_ + 1;
  const char* end = EndOfScalar(text_ + at_[1]) - 1;
  if (*end != '"' || end < begin) return Fail("a text without end");
  absl::string_view text(begin, static_cast<size_t>(end - begin));
  if (HasBackslash(begin, end)) {
    char* out = arena_.get() + arena_used_;
    char* out_end = UnescapeJson(text, out);
    if (out_end == nullptr) return Fail("a wrong escape in a text");
    text = absl::string_view(out, static_cast<size_t>(out_end - out));
    if (node != nullptr) arena_used_ += text.size();
  }
  if (node != nullptr) Set(*node, Field::Kind::kText, text, at_);
  ++at_;
  return true;
}

bool JsonBinder::Scalar(const Node* node) {
  const char* begin = text_ + *at_;
  if (begin == text_ + index_->text_size()) return Fail("the text ends");
  const char* end = EndOfScalar(text_ + at_[1]);
  absl::string_view text(begin, static_cast<size_t>(end - begin));
  Field::Kind kind = Field::Kind::kNumber;
  if (text == "true" || text == "false") {
    kind = Field::Kind::kBoolean;
  } else if (text == "null") {
    kind = Field::Kind::kNull;
  } else if (!IsJsonNumber(begin, end)) {
    return Fail("neither a number nor true, false or null, and not in quotes");
  }
  if (node != nullptr) Set(*node, kind, text, at_);
  ++at_;
  return true;
}

bool JsonBinder::Array(const Node* node, int depth) {
  if (depth >= kMaxJsonDepth) return Fail(nullptr);
  const uint32_t* open = at_++;
  ++open_;
  size_t count = 0;
  if (text_[*at_] != ']') {
    while (true) {
      if (!Value(node == nullptr ? nullptr : node->Element(count), depth + 1)) return false;
      ++count;
      char c = text_[*at_];
      if (c == ']') break;
      if (c != ',') return Fail("expected , or ]");
      ++at_;
    }
  }
  --open_;
  if (depth == depth_) width_ = count;
  if (node != nullptr) Set(*node, Field::Kind::kComposite, absl::string_view(text_ + *open, *at_ + 1 - *open), open);
  ++at_;
  return true;
}

bool JsonBinder::Object(const Node* node, int depth) {
  if (depth >= kMaxJsonDepth) return Fail(nullptr);
  const uint32_t* open = at_++;
  ++open_;
  size_t count = 0;
  if (text_[*at_] != '}') {
    while (true) {
      const Node* child = nullptr;
      if (!Key(node, count, child) || !Value(child, depth + 1)) return false;
      ++count;
      char c = text_[*at_];
      if (c == '}') break;
      if (c != ',') return Fail("expected , or }");
      ++at_;
    }
  }
  --open_;
  if (depth == depth_) width_ = count;
  if (node != nullptr) Set(*node, Field::Kind::kComposite, absl::string_view(text_ + *open, *at_ + 1 - *open), open);
  ++at_;
  return true;
}

// Reads a key and its colon.
bool JsonBinder::Key(const Node* node, size_t place, const Node*& child) {
  if (text_[*at_] != '"') return Fail("expected a name in quotes");
  if (text_[at_[1]] != ':') {
    ++at_;
    return Fail("expected :");
  }
  const char* begin = text_ + *at_ + 1;
  const char* end = EndOfScalar(text_ + at_[1]) - 1;
  if (*end != '"' || end < begin) return Fail("a name without end");
  absl::string_view key(begin, static_cast<size_t>(end - begin));
  at_ += 2;
  if (node != nullptr && !node->members.empty()) {
    const std::vector<Expected>& expected = expected_[node->number];
    if (place < expected.size() && expected[place].key == key) {
      child = expected[place].child;
      return true;
    }
    return NewKey(*node, place, key, HasBackslash(begin, end), child);
  }
  return !HasBackslash(begin, end) || UnescapeJson(key, arena_.get() + arena_used_) != nullptr ||
         Fail("a wrong escape in a name");
}

bool JsonBinder::NewKey(const Node& node, size_t place, absl::string_view key, bool escaped, const Node*& child) {
  absl::string_view name = key;
  if (escaped) {
    char* out = arena_.get() + arena_used_;
    char* end = UnescapeJson(key, out);
    if (end == nullptr) return Fail("a wrong escape in a name");
    name = absl::string_view(out, static_cast<size_t>(end - out));
  }
  child = node.Member(name);
  std::vector<Expected>& expected = expected_[node.number];
  if (place < kMaxExpected) {
    if (expected.size() <= place) expected.resize(place + 1);
    expected[place].key.assign(key.data(), key.size());
    expected[place].child = child;
  }
  return true;
}

bool JsonBinder::incomplete() const { return why_ != nullptr && next() + 1 >= index_->size(); }

// Whether the text ends too early: no token is left, or the last one is the begin of a number or a word.
bool JsonBinder::IsCutOff() const {
  if (!incomplete()) return false;
  if (index_->in_string()) return true;
  return open_ > 0 && (text_[*at_] == '\0' || std::strchr("{}[]:,\"", text_[*at_]) == nullptr);
}

absl::Status JsonBinder::status() const {
  if (why_ == nullptr) {
    return Error(absl::StatusCode::kInvalidArgument, "PAYLOAD_TOO_DEEP",
                 absl::StrCat("the JSON is nested more than ", kMaxJsonDepth, " levels deep"));
  }
  if (IsCutOff()) return TruncatedJsonError(*index_);
  return NotJsonError(*index_, *at_, why_);
}

}  // namespace chartly::drone
