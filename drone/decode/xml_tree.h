// An element with all that it holds, as a compact tree: 28 bytes and its text a node. Built from front to back, read at
// any time; an element that is still open ends where the tree ends.
//
// All views live until the next change of the tree. Not thread-safe.
#ifndef CHARTLY_DRONE_DECODE_XML_TREE_H_
#define CHARTLY_DRONE_DECODE_XML_TREE_H_

#include <algorithm>
#include <cstdint>
#include <deque>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "common/normalize/row.h"
#include "drone/decode/xml_name.h"
#include "drone/decode/xml_parser.h"
#include "drone/decode/xml_path.h"

namespace chartly::drone {

class XmlTree {
 public:
  using Index = uint32_t;
  static constexpr Index kRoot = 0;
  static constexpr Index kNone = ~Index{0};

  void Clear();
  void Open(const XmlName& name, XmlAttributes attributes);
  // Requires: an element is open.
  void AddText(absl::string_view text);
  void Close();
  // Closes the element that was opened last and forgets it.
  void Drop();

  bool empty() const { return nodes_.empty(); }
  size_t bytes() const { return nodes_.size() * sizeof(Node) + text_.size(); }

  XmlName name(Index node) const { return {Text(nodes_[node].name, nodes_[node].name_size), nodes_[node].uri}; }
  // for (Index i = tree.FirstChild(n); i != tree.End(n); i = tree.End(i)) visits attributes, texts and elements.
  Index FirstChild(Index node) const { return node + 1; }
  Index End(Index node) const { return std::min(nodes_[node].end, static_cast<Index>(nodes_.size())); }
  bool IsElement(Index node) const { return nodes_[node].kind == Kind::kElement; }

  // What the path leads to from `node`; of several elements that fit, the first. kNone if there is none.
  Index Find(Index node, const XmlPath& path) const;
  Index Attribute(Index element, const XmlNameTest& name) const;
  // Text of an attribute, or of an element with those of all elements inside, without blanks around.
  absl::string_view TextOf(Index node) const;
  // As a field of a row: an empty text is null; elements with nothing but elements inside are composite.
  Field FieldOf(Index node) const;

 private:
  enum class Kind : uint8_t { kElement, kAttribute, kText };
  struct Node {
    uint32_t name = 0;  // in text_
    uint32_t name_size = 0;
    uint32_t text = 0;
    uint32_t text_size = 0;
    Index end = kNone;  // the node after the last one inside this one; none: still open
    Kind kind = Kind::kElement;
    XmlUri uri = kNoUri;
  };

  uint32_t Keep(absl::string_view text);
  Node& Add(Kind kind);
  absl::string_view Text(uint32_t offset, uint32_t size) const { return {text_.data() + offset, size}; }
  absl::string_view OwnText(Index node) const { return Text(nodes_[node].text, nodes_[node].text_size); }
  Index Child(Index node, const XmlStep& step) const;
  bool Fits(Index element, const XmlStep& step) const;
  absl::string_view Joined(Index element) const;

  std::vector<Node> nodes_;
  std::string text_;
  std::vector<Index> open_;
  bool in_text_ = false;  // the last node is a text that may go on
  // Texts of elements that hold several; reused from row to row.
  mutable std::deque<std::string> joined_;
  mutable size_t joined_used_ = 0;
};

}  // namespace chartly::drone

#endif  // CHARTLY_DRONE_DECODE_XML_TREE_H_
