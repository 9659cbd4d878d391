#include "drone/decode/xml_tree.h"

#include "absl/strings/ascii.h"

namespace chartly::drone {

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

void XmlTree::Open(const XmlName& name, XmlAttributes attributes) {
  in_text_ = false;
  open_.push_back(static_cast<Index>(nodes_.size()));
  nodes_.push_back({Keep(name.local), static_cast<uint32_t>(name.local.size()), 0, 0, kNone, Kind::kElement, name.uri});
  for (; !attributes.AtEnd(); attributes.Next()) {
    XmlName attribute = attributes.name();
    absl::string_view value = attributes.value();
    nodes_.push_back({Keep(attribute.local), static_cast<uint32_t>(attribute.local.size()), Keep(value),
                      static_cast<uint32_t>(value.size()), static_cast<Index>(nodes_.size() + 1), Kind::kAttribute,
                      attribute.uri});
  }
}

void XmlTree::AddText(absl::string_view text) {
  if (in_text_) {
    Keep(text);
    nodes_.back().text_size += static_cast<uint32_t>(text.size());
    return;
  }
  in_text_ = true;
  nodes_.push_back({0, 0, Keep(text), static_cast<uint32_t>(text.size()), static_cast<Index>(nodes_.size() + 1),
                    Kind::kText, kNoUri});
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
    return attribute != kNone && OwnText(attribute) == where.second;
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
  if (!IsElement(node)) return absl::StripAsciiWhitespace(OwnText(node));
  Index inside = FirstChild(node);
  while (inside != End(node) && nodes_[inside].kind == Kind::kAttribute) ++inside;
  if (inside == End(node)) return {};
  bool alone = nodes_[inside].kind == Kind::kText && inside + 1 == End(node);
  return absl::StripAsciiWhitespace(alone ? OwnText(inside) : Joined(node));
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
    has_text |= nodes_[child].kind == Kind::kText && !absl::StripAsciiWhitespace(OwnText(child)).empty();
  }
  if (has_elements && !has_text) return {Field::Kind::kComposite, text};
  return {text.empty() ? Field::Kind::kNull : Field::Kind::kText, text};
}

}  // namespace chartly::drone
