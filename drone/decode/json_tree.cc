#include "drone/decode/json_tree.h"

#include "common/status/status.h"
#include "drone/decode/json_document.h"

namespace chartly::drone {
namespace {

JsonTree::Kind KindOf(char first) {
  switch (first) {
    case '{':
      return JsonTree::Kind::kObject;
    case '[':
      return JsonTree::Kind::kArray;
    case '"':
      return JsonTree::Kind::kString;
    case 'n':
      return JsonTree::Kind::kNull;
    case 't':
    case 'f':
      return JsonTree::Kind::kBoolean;
    default:
      return JsonTree::Kind::kNumber;
  }
}

}  // namespace

JsonTree::JsonTree() : checker_(std::vector<std::vector<PathStep>>()) {}

absl::Status JsonTree::Parse(absl::string_view body) {
  nodes_.clear();
  unescaped_.clear();
  unescaped_.reserve(body.size());
  buffer_.assign(body.data(), body.size());
  buffer_.append(kJsonPadding, '\0');
  RETURN_IF_ERROR(index_.Build(buffer_.data(), body.size(), 0));
  if (!checker_.Read(index_, 0, 0)) return checker_.status();
  if (checker_.next() != index_.size() || index_.in_string()) {
    return NotJsonError(index_, index_.Position(checker_.next()), "more text after the end");
  }
  size_t token = 0;
  Add({}, token);
  return absl::OkStatus();
}

absl::string_view JsonTree::Unescaped(size_t token) {
  absl::string_view source = JsonDocument(index_).Source(token);
  absl::string_view raw = source.substr(1, source.size() - 2);
  if (raw.find('\\') == absl::string_view::npos) return raw;
  const size_t begin = unescaped_.size();
  unescaped_.resize(begin + raw.size());
  const char* end = UnescapeJson(raw, unescaped_.data() + begin);
  unescaped_.resize(static_cast<size_t>(end - unescaped_.data()));
  return absl::string_view(unescaped_).substr(begin);
}

// Adds the value at `token` and moves past it. The document was checked, so it is not nested too deep to recurse.
void JsonTree::Add(absl::string_view key, size_t& token) {
  const Index index = static_cast<Index>(nodes_.size());
  const size_t begin = index_.tokens()[token];
  nodes_.push_back({key.data(), nullptr, static_cast<uint32_t>(key.size()), 0, 0, KindOf(index_.At(token))});
  const Kind kind = nodes_[index].kind;
  absl::string_view text;
  if (kind == Kind::kArray || kind == Kind::kObject) {
    const char close = kind == Kind::kArray ? ']' : '}';
    for (++token; index_.At(token) != close;) {
      if (index_.At(token) == ',') ++token;
      absl::string_view name;
      if (kind == Kind::kObject) {
        name = Unescaped(token);
        token = JsonDocument::ValueOf(token);
      }
      Add(name, token);
    }
    text = absl::string_view(buffer_).substr(begin, index_.tokens()[token] + 1 - begin);
    ++token;
  } else {
    text = kind == Kind::kString ? Unescaped(token) : JsonDocument(index_).Source(token);
    ++token;
  }
  Node& node = nodes_[index];
  node.text = text.data();
  node.text_size = static_cast<uint32_t>(text.size());
  node.end = static_cast<Index>(nodes_.size());
}

JsonTree::Index JsonTree::Member(Index node, absl::string_view key) const {
  Index found = kNone;
  if (nodes_[node].kind != Kind::kObject) return found;
  for (Index child = FirstChild(node); child != End(node); child = Next(child)) {
    if (this->key(child) == key) found = child;
  }
  return found;
}

JsonTree::Index JsonTree::Element(Index node, size_t index) const {
  if (nodes_[node].kind != Kind::kArray) return kNone;
  for (Index child = FirstChild(node); child != End(node); child = Next(child)) {
    if (index-- == 0) return child;
  }
  return kNone;
}

JsonTree::Index JsonTree::Follow(Index node, const std::vector<PathStep>& steps) const {
  for (const PathStep& step : steps) {
    if (node == kNone) return kNone;
    node = step.kind == PathStep::Kind::kIndex ? Element(node, step.index) : Member(node, step.key);
  }
  return node;
}

}  // namespace chartly::drone
