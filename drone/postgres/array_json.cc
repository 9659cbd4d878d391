#include "drone/postgres/array_json.h"

#include "absl/strings/match.h"

namespace chartly::drone {
namespace {

constexpr int kMaxDepth = 6;

class ArrayReader {
 public:
  ArrayReader(absl::string_view text, CellForm element, std::string& out) : rest_(text), element_(element), out_(out) {}

  bool Read() {
    if (absl::StartsWith(rest_, "[")) {
      size_t end = rest_.find('=');
      if (end == absl::string_view::npos) return false;
      rest_.remove_prefix(end + 1);
    }
    return ReadArray(1) && rest_.empty();
  }

 private:
  bool Take(char c) {
    if (rest_.empty() || rest_[0] != c) return false;
    rest_.remove_prefix(1);
    return true;
  }

  bool ReadArray(int depth) {
    if (depth > kMaxDepth || !Take('{')) return false;
    out_.push_back('[');
    if (!Take('}')) {
      do {
        if (out_.back() != '[') out_.push_back(',');
        bool nested = absl::StartsWith(rest_, "{");
        if (!(nested ? ReadArray(depth + 1) : ReadElement())) return false;
      } while (Take(','));
      if (!Take('}')) return false;
    }
    out_.push_back(']');
    return true;
  }

  bool ReadElement() {
    if (absl::StartsWith(rest_, "\"")) return ReadQuoted();
    absl::string_view element = rest_.substr(0, rest_.find_first_of(",}"));
    rest_.remove_prefix(element.size());
    if (element.empty()) return false;
    if (element == "NULL") {
      out_.append("null");
    } else {
      AppendCell({element_, CellForm::kText}, element, out_);
    }
    return true;
  }

  bool ReadQuoted() {
    std::string element;
    for (Take('"'); !Take('"');) {
      Take('\\');
      if (rest_.empty()) return false;
      element.push_back(rest_[0]);
      rest_.remove_prefix(1);
    }
    AppendCell({element_, CellForm::kText}, element, out_);
    return true;
  }

  absl::string_view rest_;
  const CellForm element_;
  std::string& out_;
};

}  // namespace

bool AppendArray(absl::string_view text, CellForm element, std::string& out) {
  return ArrayReader(text, element, out).Read();
}

}  // namespace chartly::drone
