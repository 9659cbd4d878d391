#include "drone/decode/xml_tree.h"

#include "absl/strings/ascii.h"
#include "common/text/short_text.h"

namespace chartly::drone {
namespace {

// Most texts have no blanks around them, which one look at both ends shows.
absl::string_view Stripped(absl::string_view text) {
  const bool bare = !text.empty() && text.front() > ' ' && text.back() > ' ';
  return bare ? text : absl::StripAsciiWhitespace(text);
}

}  // namespace

void XmlTree::Clear() {
  nodes_.clear();
  text_.clear();
  open_.clear();
  in_text_ = false;
  joined_used_ = 0;
}

uint32_t XmlTree::Keep(absl::string_view text) {
  auto offset = static_cast<uint32_t>(text_.size());
  text_.append(text.data(), text.size());
  return offset;
}

// Members of a node are then written one by one: a copy of a whole one would wait for them.
inline XmlTree::Node& XmlTree::Add(Kind kind) {
  Node& node = nodes_.emplace_back();
  node.kind = kind;
  if (kind != Kind::kElement) node.end = static_cast<Index>(nodes_.size());
  return node;
}

void XmlTree::Open(const XmlName& name, XmlAttributes attributes) {
  in_text_ = false;
  open_.push_back(static_cast<Index>(nodes_.size()));
  Node& element = Add(Kind::kElement);
  element.name = Keep(name.local);
  element.name_size = static_cast<uint32_t>(name.local.size());
  element.uri = name.uri;
  for (; !attributes.AtEnd(); attributes.Next()) {
    const XmlName attribute_name = attributes.name();
    const absl::string_view value = attributes.value();
    Node& attribute = Add(Kind::kAttribute);
    attribute.name = Keep(attribute_name.local);
    attribute.name_size = static_cast<uint32_t>(attribute_name.local.size());
    attribute.text = Keep(value);
    attribute.text_size = static_cast<uint32_t>(value.size());
    attribute.uri = attribute_name.uri;
  }
}

void XmlTree::AddText(absl::string_view text) {
  if (!in_text_) {
    in_text_ = true;
    Add(Kind::kText).text = static_cast<uint32_t>(text_.size());
  }
  Keep(text);
  nodes_.back().text_size += static_cast<uint32_t>(text.size());
}

void XmlTree::Close() {
  in_text_ = false;
  nodes_[open_.back()].end = static_cast<Index>(nodes_.size());
  open_.pop_back();
}

void XmlTree::Drop() {
  in_text_ = false;
  Index element = open_.back();
  open_.pop_back();
  text_.resize(nodes_[element].name);
  nodes_.resize(element);
}

bool XmlTree::Fits(Index element, const XmlStep& step) const {
  if (!step.name.Fits(name(element))) return false;
  return std::all_of(step.where.begin(), step.where.end(), [&](const auto& where) {
    Index attribute = Attribute(element, where.first);
    return attribute != kNone && IsSameText(OwnText(attribute), where.second);
  });
}

XmlTree::Index XmlTree::Child(Index node, const XmlStep& step) const {
  size_t passed = 0;
  for (Index child = FirstChild(node); child != End(node); child = End(child)) {
    if (IsElement(child) && Fits(child, step) && passed++ == step.index) return child;
  }
  return kNone;
}

XmlTree::Index XmlTree::Attribute(Index element, const XmlNameTest& wanted) const {
  for (Index i = FirstChild(element); i != End(element) && nodes_[i].kind == Kind::kAttribute; ++i) {
    if (wanted.Fits(name(i))) return i;
  }
  return kNone;
}

XmlTree::Index XmlTree::Find(Index node, const XmlPath& path) const {
  for (const XmlStep& step : path.steps) {
    node = Child(node, step);
    if (node == kNone) return kNone;
  }
  return path.attribute.local.empty() ? node : Attribute(node, path.attribute);
}

absl::string_view XmlTree::TextOf(Index node) const {
  if (!IsElement(node)) return Stripped(OwnText(node));
  Index inside = FirstChild(node);
  while (inside != End(node) && nodes_[inside].kind == Kind::kAttribute) ++inside;
  if (inside == End(node)) return {};
  bool alone = nodes_[inside].kind == Kind::kText && inside + 1 == End(node);
  return Stripped(alone ? OwnText(inside) : Joined(node));
}

absl::string_view XmlTree::Joined(Index element) const {
  if (joined_used_ == joined_.size()) joined_.emplace_back();
  std::string& joined = joined_[joined_used_++];
  joined.clear();
  for (Index i = FirstChild(element); i != End(element); ++i) {
    if (nodes_[i].kind != Kind::kText) continue;
    absl::string_view text = OwnText(i);
    joined.append(text.data(), text.size());
  }
  return joined;
}

Field XmlTree::FieldOf(Index node) const {
  if (node == kNone) return {};
  absl::string_view text = TextOf(node);
  if (!IsElement(node)) return {text.empty() ? Field::Kind::kNull : Field::Kind::kText, text};
  bool has_elements = false, has_text = false;
  for (Index child = FirstChild(node); child != End(node); child = End(child)) {
    has_elements |= IsElement(child);
    has_text |= nodes_[child].kind == Kind::kText && !Stripped(OwnText(child)).empty();
  }
  if (has_elements && !has_text) return {Field::Kind::kComposite, text};
  return {text.empty() ? Field::Kind::kNull : Field::Kind::kText, text};
}

}  // namespace chartly::drone
