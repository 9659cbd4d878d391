#include "common/normalize/source_path.h"

#include <algorithm>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "common/status/status.h"

namespace chartly {
namespace {

constexpr size_t kMaxSteps = 64;

class PathParser {
 public:
  PathParser(absl::string_view text, bool xml) : text_(text), xml_(xml) {}

  absl::StatusOr<std::vector<PathStep>> Parse(size_t& levels_up) {
    while (Take('^')) ++levels_up;
    std::vector<PathStep> steps;
    if (xml_ && text_.substr(position_) == ".") return steps;
    bool first = levels_up == 0;
    while (position_ < text_.size()) {
      PathStep step;
      RETURN_IF_ERROR(Take('[') ? Bracket(step) : Name(first, step));
      steps.push_back(std::move(step));
      first = false;
      if (steps.size() > kMaxSteps) return Invalid("has more than 64 steps");
    }
    if (levels_up > 0 && steps.empty()) return Invalid("needs a name after ^, such as ^.name");
    return steps;
  }

 private:
  absl::Status Invalid(absl::string_view why) const {
    return Error(absl::StatusCode::kInvalidArgument, "PATH_INVALID",
                 absl::StrCat("path \"", text_, "\", column ", position_ + 1, ": ", why), {{"path", text_}});
  }

  bool Take(char c) {
    if (position_ >= text_.size() || text_[position_] != c) return false;
    ++position_;
    return true;
  }

  absl::Status Name(bool first, PathStep& step) {
    if (!first && !Take('.')) return Invalid("expected . or [");
    size_t end = std::min(text_.find_first_of(".[]\"^", position_), text_.size());
    if (end == position_) return Invalid("expected a name; write odd names as [\"name\"]");
    step.key = std::string(text_.substr(position_, end - position_));
    position_ = end;
    return absl::OkStatus();
  }

  absl::Status Bracket(PathStep& step) {
    if (Take('*')) {
      step.kind = PathStep::Kind::kEach;
    } else if (xml_ && Take('@')) {
      RETURN_IF_ERROR(Where(step));
    } else if (Take('"')) {
      RETURN_IF_ERROR(Quoted(step.key));
    } else {
      RETURN_IF_ERROR(Number(step));
    }
    return Take(']') ? absl::OkStatus() : Invalid("expected ]");
  }

  absl::Status Quoted(std::string& key) {
    while (!Take('"')) {
      Take('\\');
      if (position_ >= text_.size()) return Invalid("the quote is not closed");
      key.push_back(text_[position_++]);
    }
    return absl::OkStatus();
  }

  absl::Status Where(PathStep& step) {
    step.kind = PathStep::Kind::kWhere;
    size_t end = std::min(text_.find_first_of("=]\"", position_), text_.size());
    step.key = std::string(text_.substr(position_, end - position_));
    position_ = end;
    if (step.key.empty() || !Take('=') || !Take('"')) return Invalid("expected [@name=\"value\"]");
    return Quoted(step.value);
  }

  absl::Status Number(PathStep& step) {
    step.kind = PathStep::Kind::kIndex;
    size_t end = std::min(text_.find_first_not_of("0123456789", position_), text_.size());
    uint32_t index = 0;
    if (!absl::SimpleAtoi(text_.substr(position_, end - position_), &index)) {
      return Invalid("expected a number, * or a quoted name in [ ]");
    }
    step.index = index;
    position_ = end;
    return absl::OkStatus();
  }

  absl::string_view text_;
  bool xml_;
  size_t position_ = 0;
};

}  // namespace

absl::StatusOr<Path> Path::Parse(absl::string_view text) { return Parse(text, false); }

absl::StatusOr<Path> Path::ParseXml(absl::string_view text) { return Parse(text, true); }

absl::StatusOr<Path> Path::Parse(absl::string_view text, bool xml) {
  Path path;
  path.text_ = std::string(text);
  ASSIGN_OR_RETURN(path.steps_, PathParser(path.text_, xml).Parse(path.levels_up_));
  return path;
}

bool Path::has_each() const {
  return std::any_of(steps_.begin(), steps_.end(),
                     [](const PathStep& step) { return step.kind == PathStep::Kind::kEach; });
}

}  // namespace chartly
