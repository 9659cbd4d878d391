// Several paths into one value, merged, so that one walk over the value finds all of them. Paths have no [*] and no ^.
// Immutable, thread-safe.
#ifndef CHARTLY_DRONE_DECODE_PATH_TREE_H_
#define CHARTLY_DRONE_DECODE_PATH_TREE_H_

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/string_view.h"
#include "common/normalize/source_path.h"

namespace chartly::drone {

class PathTree {
 public:
  static constexpr size_t kNone = ~size_t{0};

  struct Node {
    size_t number = 0;     // of the node in its tree
    size_t cell = kNone;   // of the path that ends here
    size_t cells_end = 0;  // paths that go on below have cells cells_begin to cells_end - 1, this one's included
    size_t cells_begin = 0;
    absl::flat_hash_map<std::string, std::unique_ptr<Node>> members;
    absl::flat_hash_map<size_t, std::unique_ptr<Node>> elements;

    const Node* Member(absl::string_view key) const {
      if (members.empty()) return nullptr;
      auto found = members.find(key);
      return found == members.end() ? nullptr : found->second.get();
    }
    const Node* Element(size_t index) const {
      if (elements.empty()) return nullptr;
      auto found = elements.find(index);
      return found == elements.end() ? nullptr : found->second.get();
    }
  };

  explicit PathTree(const std::vector<std::vector<PathStep>>& paths);
  PathTree(const PathTree&) = delete;
  PathTree& operator=(const PathTree&) = delete;

  const Node* root() const { return &root_; }
  size_t nodes() const { return nodes_; }
  // Cells are the distinct paths; two spellings of one path share a cell.
  size_t cells() const { return cells_; }
  size_t CellOf(size_t path) const { return cell_of_[path]->cell; }
  bool empty() const { return cell_of_.empty(); }

 private:
  void Number(Node& node);

  Node root_;
  size_t nodes_ = 0;
  size_t cells_ = 0;
  std::vector<Node*> cell_of_;
};

}  // namespace chartly::drone

#endif  // CHARTLY_DRONE_DECODE_PATH_TREE_H_
