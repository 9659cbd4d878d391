#include "drone/decode/path_tree.h"

namespace chartly::drone {

PathTree::PathTree(const std::vector<std::vector<PathStep>>& paths) {
  for (const std::vector<PathStep>& path : paths) {
    Node* node = &root_;
    for (const PathStep& step : path) {
      std::unique_ptr<Node>& next =
          step.kind == PathStep::Kind::kIndex ? node->elements[step.index] : node->members[step.key];
      if (next == nullptr) next = std::make_unique<Node>();
      node = next.get();
    }
    node->cell = 0;
    cell_of_.push_back(node);
  }
  Number(root_);
}

void PathTree::Number(Node& node) {
  node.number = nodes_++;
  node.cells_begin = cells_;
  if (node.cell != kNone) node.cell = cells_++;
  for (auto& [key, child] : node.members) Number(*child);
  for (auto& [index, child] : node.elements) Number(*child);
  node.cells_end = cells_;
}

}  // namespace chartly::drone
