#include "drone/decode/json_stream.h"

#include "absl/strings/str_cat.h"
#include "common/status/status.h"
#include "drone/decode/json_document.h"

namespace chartly::drone {

JsonStream::JsonStream(const JsonPlan& plan, JsonRowReader& reader)
    : plan_(plan), reader_(reader), scalar_(JsonPlan::Paths(1)), frames_(kMaxJsonDepth) {
  for (size_t level = 0; level < plan.row_level(); ++level) {
    trees_.emplace_back(plan.levels[level]);
    kept_.emplace_back(trees_.back().cells());
  }
  context_.step = 0;
  context_.nodes.assign(plan.row_level(), nullptr);
  context_.nodes[0] = trees_[0].root();
}

absl::Status JsonStream::Feed(const JsonIndex& index, bool last, size_t& consumed) {
  index_ = &index;
  at_ = 0;
  stopped_ = false;
  // Before the end, the last token waits for its neighbour: only that tells where it ends.
  const size_t end = last || index.size() == 0 ? index.size() : index.size() - 1;
  while (at_ < end && !stopped_) RETURN_IF_ERROR(Token(last));
  consumed = at_;
  return last ? Finish() : absl::OkStatus();
}

absl::Status JsonStream::Finish() {
  if (state_ == State::kEnd && !index_->in_string()) return no_records_;
  if (state_ == State::kEnd) return Wrong("more text after the end");
  return TruncatedJsonError(*index_);
}

absl::Status JsonStream::Wrong(absl::string_view why) const {
  return NotJsonError(*index_, index_->tokens()[at_], why);
}

absl::Status JsonStream::Token(bool last) {
  char c = index_->At(at_);
  switch (state_) {
    case State::kValue:
      return Value(last);
    case State::kFirstElement:
      return c == ']' ? Close() : Value(last);
    case State::kFirstKey:
      return c == '}' ? Close() : Key();
    case State::kKey:
      return Key();
    case State::kAfterValue: {
      const Frame& frame = frames_[depth_ - 1];
      if (c == (frame.object ? '}' : ']')) return Close();
      if (c != ',') return Wrong(frame.object ? "expected , or }" : "expected , or ]");
      ++at_;
      state_ = frame.object ? State::kKey : State::kValue;
      if (!frame.object) NextElement();
      return absl::OkStatus();
    }
    case State::kEnd:
      return Wrong("more text after the end");
  }
  return absl::OkStatus();
}

void JsonStream::AfterValue() { state_ = depth_ == 0 ? State::kEnd : State::kAfterValue; }

absl::string_view JsonStream::KindName() const { return JsonDocument(*index_).KindName(at_); }

// Decides what the value at the end of the path, or on it, is.
absl::Status JsonStream::EnterPath(bool& open_rows, bool& row) {
  char c = index_->At(at_);
  size_t steps = plan_.records.steps().size();
  if (context_.step == steps) {
    if (c == 'n' && steps > 0) return absl::OkStatus();
    bool keyed = plan_.shape == RowShape::kKeyed;
    open_rows = keyed ? c == '{' : !plan_.in_containers() && c == '[';
    row = !keyed && c == '{';
    if (open_rows || row) return absl::OkStatus();
    return Missing(steps, absl::StrCat("is ", KindName(), plan_.in_containers() ? ", no object" : ", no array"));
  }
  PathStep::Kind kind = plan_.records.steps()[context_.step].kind;
  if (kind == PathStep::Kind::kEach && c == 'n') return absl::OkStatus();
  if (kind == PathStep::Kind::kEach && c != '[') {
    return Missing(context_.step, absl::StrCat("is ", KindName(), ", no array"));
  }
  if (kind == PathStep::Kind::kKey && c != '{') return Missing(context_.step, "is not there");
  if (kind == PathStep::Kind::kIndex && c != '[') return Missing(context_.step, "is not there");
  return absl::OkStatus();
}

absl::Status JsonStream::Value(bool last) {
  bool open_rows = false;
  bool row = context_.row;
  if (!row && context_.step != Context::kOff) RETURN_IF_ERROR(EnterPath(open_rows, row));
  if (row) return GiveRow(last);
  switch (index_->At(at_)) {
    case '{':
      return Open(true, open_rows);
    case '[':
      return Open(false, open_rows);
    default:
      return Scalar();
  }
}

absl::Status JsonStream::GiveRow(bool last) {
  if (!reader_.Read(*index_, at_, static_cast<int>(depth_))) {
    stopped_ = reader_.incomplete() && !last;
    return stopped_ ? absl::OkStatus() : reader_.status();
  }
  RETURN_IF_ERROR(CheckOuterFields());
  RETURN_IF_ERROR(reader_.Give());
  at_ = reader_.next();
  AfterValue();
  return absl::OkStatus();
}

absl::Status JsonStream::CheckOuterFields() {
  if (checked_outer_) return absl::OkStatus();
  checked_outer_ = true;
  for (size_t slot = 0; slot < plan_.slots.size(); ++slot) {
    const JsonPlan::Slot& place = plan_.slots[slot];
    bool is_outer = place.where == JsonPlan::Where::kLevel && place.level < plan_.row_level();
    if (!is_outer || outer(place.level, place.path).kind != Field::Kind::kMissing) continue;
    return Error(absl::StatusCode::kInvalidArgument, "PAYLOAD_FIELD_AFTER_ROWS",
                 absl::StrCat("\"", plan_.names[slot],
                              "\" does not come before the first row, and the document is too large to be read as a "
                              "whole; ask for smaller pages, or leave the field out"),
                 {{"path", plan_.names[slot]}});
  }
  return absl::OkStatus();
}

absl::Status JsonStream::Open(bool object, bool rows) {
  if (depth_ == frames_.size()) {
    return Error(absl::StatusCode::kInvalidArgument, "PAYLOAD_TOO_DEEP",
                 absl::StrCat("the JSON is nested more than ", kMaxJsonDepth, " levels deep"));
  }
  for (size_t level = 0; level < context_.nodes.size(); ++level) {
    const Node* node = context_.nodes[level];
    if (node == nullptr) continue;
    for (size_t cell = node->cells_begin; cell < node->cells_end; ++cell) kept_[level][cell].field = Field();
    if (node->cell != PathTree::kNone) kept_[level][node->cell].field = {Field::Kind::kComposite, {}};
  }
  Frame& frame = frames_[depth_++];
  frame.object = object;
  frame.rows = rows;
  frame.found = false;
  frame.count = 0;
  frame.context = context_;
  ++at_;
  state_ = object ? State::kFirstKey : State::kFirstElement;
  if (!object) NextElement();
  return absl::OkStatus();
}

absl::Status JsonStream::Close() {
  Frame& frame = frames_[--depth_];
  context_ = frame.context;
  bool on_path = !frame.rows && context_.step != Context::kOff && context_.step < plan_.records.steps().size();
  if (on_path && !frame.found && plan_.records.steps()[context_.step].kind != PathStep::Kind::kEach) {
    RETURN_IF_ERROR(Missing(context_.step, "is not there"));
  }
  ++at_;
  AfterValue();
  return absl::OkStatus();
}

absl::Status JsonStream::Scalar() {
  if (!scalar_.Read(*index_, at_, static_cast<int>(depth_))) return scalar_.status();
  for (size_t level = 0; level < context_.nodes.size(); ++level) {
    const Node* node = context_.nodes[level];
    if (node == nullptr) continue;
    for (size_t cell = node->cells_begin; cell < node->cells_end; ++cell) kept_[level][cell].field = Field();
    if (node->cell == PathTree::kNone) continue;
    Kept& kept = kept_[level][node->cell];
    const Field& field = scalar_.field(0);
    kept.text.assign(field.text.data(), field.text.size());
    kept.field = {field.kind, kept.text};
  }
  at_ = scalar_.next();
  AfterValue();
  return absl::OkStatus();
}

absl::Status JsonStream::Key() {
  if (index_->At(at_) != '"') return Wrong("expected a name in quotes");
  if (at_ + 1 >= index_->size()) return TruncatedJsonError(*index_);
  if (index_->At(at_ + 1) != ':') {
    ++at_;
    return Wrong("expected :");
  }
  if (!scalar_.Read(*index_, at_, static_cast<int>(depth_))) return scalar_.status();
  RETURN_IF_ERROR(NextMember(scalar_.field(0).text));
  at_ += 2;
  state_ = State::kValue;
  return absl::OkStatus();
}

void JsonStream::Descend(const Frame& frame, absl::string_view key) {
  for (size_t level = 0; level < context_.nodes.size(); ++level) {
    const Node* node = frame.context.nodes[level];
    context_.nodes[level] = node == nullptr ? nullptr : frame.object ? node->Member(key) : node->Element(frame.count);
  }
  context_.step = Context::kOff;
  context_.row = frame.rows;
  context_.level = frame.context.level;
}

void JsonStream::NextElement() {
  Frame& frame = frames_[depth_ - 1];
  Descend(frame, {});
  size_t step = frame.context.step;
  bool on_path = !frame.rows && step != Context::kOff && step < plan_.records.steps().size();
  if (on_path) {
    const PathStep& what = plan_.records.steps()[step];
    bool each = what.kind == PathStep::Kind::kEach;
    if (each || (what.kind == PathStep::Kind::kIndex && what.index == frame.count)) {
      context_.step = step + 1;
      frame.found = true;
    }
    if (each && step + 1 == plan_.records.steps().size() && !plan_.in_containers()) {
      context_.row = true;
    } else if (each) {
      ++context_.level;
      context_.nodes[context_.level] = trees_[context_.level].root();
      for (Kept& kept : kept_[context_.level]) kept.field = Field();
      checked_outer_ = false;
    }
  }
  ++frame.count;
}

absl::Status JsonStream::NextMember(absl::string_view key) {
  Frame& frame = frames_[depth_ - 1];
  Descend(frame, key);
  if (frame.rows) reader_.SetKey(key);
  size_t step = frame.context.step;
  bool on_path = !frame.rows && step != Context::kOff && step < plan_.records.steps().size();
  if (!on_path || plan_.records.steps()[step].kind != PathStep::Kind::kKey) return absl::OkStatus();
  if (plan_.records.steps()[step].key != key) return absl::OkStatus();
  if (frame.found) {
    return Error(absl::StatusCode::kInvalidArgument, "PAYLOAD_DUPLICATE_NAME",
                 absl::StrCat("two members on the way to the rows are named \"", key, "\""));
  }
  frame.found = true;
  context_.step = step + 1;
  return absl::OkStatus();
}

absl::Status JsonStream::Missing(size_t step, absl::string_view what) {
  std::string why = NoRecordsMessage(plan_, step, what);
  size_t level = context_.level;
  context_.step = Context::kOff;
  if (level == 0) {
    no_records_ = NoRecordsError(plan_, why);
    return absl::OkStatus();
  }
  return reader_.GiveBad(absl::StrCat(why, ", near byte ", index_->offset() + index_->tokens()[at_]), "");
}

}  // namespace chartly::drone
