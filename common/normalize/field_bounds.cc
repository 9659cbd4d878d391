#include "common/normalize/field_bounds.h"

#include <algorithm>
#include <utility>

#include "common/normalize/expression_node.h"

namespace chartly {
namespace {

using Node = Expression::Node;
using NodeKind = Expression::Node::Kind;
using Names = std::vector<std::string>;

bool IsOrdered(const Node& node) {
  return node.kind == NodeKind::kLiteral && (node.literal.is_number() || node.literal.type() == ValueType::kText);
}

// The comparison with its sides swapped.
NodeKind Mirrored(NodeKind kind) {
  switch (kind) {
    case NodeKind::kLess:
      return NodeKind::kGreater;
    case NodeKind::kLessEqual:
      return NodeKind::kGreaterEqual;
    case NodeKind::kGreater:
      return NodeKind::kLess;
    case NodeKind::kGreaterEqual:
      return NodeKind::kLessEqual;
    default:
      return kind;
  }
}

void AddComparison(NodeKind kind, const Node& name, const Value& literal, const Names& names,
                   std::vector<FieldBounds>& bounds) {
  FieldBounds bound{names[name.name], {}, {}};
  if (kind == NodeKind::kEqual || kind == NodeKind::kGreater || kind == NodeKind::kGreaterEqual) bound.least = literal;
  if (kind == NodeKind::kEqual || kind == NodeKind::kLess || kind == NodeKind::kLessEqual) bound.greatest = literal;
  if (bound.least.has_value() || bound.greatest.has_value()) bounds.push_back(std::move(bound));
}

void AddList(const Node& node, const Names& names, std::vector<FieldBounds>& bounds) {
  const Node& first = *node.children[1];
  FieldBounds bound{names[node.children[0]->name], first.literal, first.literal};
  for (size_t i = 1; i < node.children.size(); ++i) {
    const Node& item = *node.children[i];
    if (!IsOrdered(item) || item.literal.is_number() != first.literal.is_number()) return;
    if (CompareValues(item.literal, *bound.least) < 0) bound.least = item.literal;
    if (CompareValues(item.literal, *bound.greatest) > 0) bound.greatest = item.literal;
  }
  bounds.push_back(std::move(bound));
}

void Add(const Node& node, const Names& names, std::vector<FieldBounds>& bounds) {
  if (node.kind == NodeKind::kAnd) {
    for (const auto& child : node.children) Add(*child, names, bounds);
    return;
  }
  if (node.children.size() < 2) return;
  const Node& left = *node.children[0];
  const Node& right = *node.children[1];
  if (node.kind == NodeKind::kIn) {
    if (left.kind == NodeKind::kName) AddList(node, names, bounds);
  } else if (left.kind == NodeKind::kName && IsOrdered(right)) {
    AddComparison(node.kind, left, right.literal, names, bounds);
  } else if (right.kind == NodeKind::kName && IsOrdered(left)) {
    AddComparison(Mirrored(node.kind), right, left.literal, names, bounds);
  }
}

}  // namespace

std::vector<FieldBounds> BoundsOf(absl::string_view expression) {
  Names names;
  std::vector<FieldBounds> bounds;
  auto root = ParseExpression(expression, names);
  if (root.ok() && *root != nullptr) Add(**root, names, bounds);
  return bounds;
}

}  // namespace chartly
