#include "drone/decode/json_rows.h"

#include "absl/strings/str_cat.h"
#include "common/status/status.h"

namespace chartly::drone {
namespace {

using Index = JsonTree::Index;
using Kind = JsonTree::Kind;

absl::string_view KindName(Kind kind) {
  constexpr absl::string_view kNames[] = {"null", "true or false", "a number", "a text", "an array", "an object"};
  return kNames[static_cast<size_t>(kind)];
}

class Walk {
 public:
  using OnRow = absl::FunctionRef<absl::Status(const RowLevels&)>;
  using OnUnreadable = absl::FunctionRef<absl::Status(Index, const std::string&)>;

  Walk(const JsonTree& tree, const Path& records, OnRow on_row, OnUnreadable on_unreadable)
      : tree_(tree), records_(records), on_row_(on_row), on_unreadable_(on_unreadable) {}

  absl::Status Run() {
    levels_.push_back(JsonTree::kRoot);
    return Step(JsonTree::kRoot, 0);
  }

 private:
  absl::Status Step(Index node, size_t step) {
    if (step == records_.steps().size()) return End(node);
    const PathStep& what = records_.steps()[step];
    if (what.kind == PathStep::Kind::kEach) return Each(node, step);
    Index next = what.kind == PathStep::Kind::kKey ? tree_.Member(node, what.key) : tree_.Element(node, what.index);
    if (next == JsonTree::kNone) return Missing(step, "is not there");
    return Step(next, step + 1);
  }

  absl::Status Each(Index node, size_t step) {
    if (tree_.kind(node) == Kind::kNull) return absl::OkStatus();
    if (tree_.kind(node) != Kind::kArray) return Missing(step, NotAnArray(node));
    for (Index child = tree_.FirstChild(node); child != tree_.End(node); child = tree_.Next(child)) {
      levels_.push_back(child);
      bool last = step + 1 == records_.steps().size();
      RETURN_IF_ERROR(last ? on_row_(levels_) : Step(child, step + 1));
      levels_.pop_back();
    }
    return absl::OkStatus();
  }

  // The path ended without [*].
  absl::Status End(Index node) {
    Kind kind = tree_.kind(node);
    size_t steps = records_.steps().size();
    if (kind == Kind::kArray || kind == Kind::kNull) {
      if (kind == Kind::kNull && steps == 0) return Missing(0, NotAnArray(node));
      return Elements(node);
    }
    if (kind != Kind::kObject) return Missing(steps, NotAnArray(node));
    if (node == levels_.back()) return on_row_(levels_);
    levels_.push_back(node);
    RETURN_IF_ERROR(on_row_(levels_));
    levels_.pop_back();
    return absl::OkStatus();
  }

  absl::Status Elements(Index node) {
    if (tree_.kind(node) == Kind::kNull) return absl::OkStatus();
    for (Index child = tree_.FirstChild(node); child != tree_.End(node); child = tree_.Next(child)) {
      levels_.push_back(child);
      RETURN_IF_ERROR(on_row_(levels_));
      levels_.pop_back();
    }
    return absl::OkStatus();
  }

  std::string NotAnArray(Index node) const { return absl::StrCat("is ", KindName(tree_.kind(node)), ", no array"); }

  absl::Status Missing(size_t step, const std::string& what) {
    std::string why =
        absl::StrCat("no rows at source.records \"", records_.text(), "\": its step ", step + 1, " ", what);
    if (records_.steps().empty()) why = absl::StrCat("no rows: the payload ", what);
    if (levels_.size() > 1) return on_unreadable_(levels_.back(), why);
    return Error(absl::StatusCode::kInvalidArgument, "PAYLOAD_NO_RECORDS", why, {{"records", records_.text()}});
  }

  const JsonTree& tree_;
  const Path& records_;
  OnRow on_row_;
  OnUnreadable on_unreadable_;
  RowLevels levels_;
};

}  // namespace

absl::Status ForEachRow(
    const JsonTree& tree, const Path& records, absl::FunctionRef<absl::Status(const RowLevels& levels)> on_row,
    absl::FunctionRef<absl::Status(JsonTree::Index element, const std::string& why)> on_unreadable) {
  return Walk(tree, records, on_row, on_unreadable).Run();
}

}  // namespace chartly::drone
