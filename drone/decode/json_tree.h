// A JSON document as a compact tree: 32 bytes a value in one array, strings unescaped once, numbers as the source
// wrote them. For those who look at a document again and again; rows are read without a tree (json_row_reader.h).
//
// Strict RFC 8259, in UTF-8; of duplicate member names the last one counts; nesting is at most 64 deep. All views live
// until the next Parse or the end of the tree. Not thread-safe.
#ifndef CHARTLY_DRONE_DECODE_JSON_TREE_H_
#define CHARTLY_DRONE_DECODE_JSON_TREE_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "common/normalize/source_path.h"
#include "drone/decode/json_binder.h"
#include "drone/decode/json_index.h"

namespace chartly::drone {

class JsonTree {
 public:
  enum class Kind : uint8_t { kNull, kBoolean, kNumber, kString, kArray, kObject };
  using Index = uint32_t;
  static constexpr Index kRoot = 0;
  static constexpr Index kNone = ~Index{0};

  JsonTree();
  JsonTree(const JsonTree&) = delete;
  JsonTree& operator=(const JsonTree&) = delete;

  // Reads `body`, which need not live on. InvalidArgument with PAYLOAD_NOT_JSON (and where), PAYLOAD_TRUNCATED,
  // PAYLOAD_NOT_UTF8 (and where) or PAYLOAD_TOO_DEEP; the tree is then empty and must not be read.
  absl::Status Parse(absl::string_view body);

  Kind kind(Index node) const { return nodes_[node].kind; }
  // Unescaped text of a string, digits of a number, true/false/null, or the source text of an array or object.
  absl::string_view text(Index node) const { return {nodes_[node].text, nodes_[node].text_size}; }
  absl::string_view key(Index node) const { return {nodes_[node].key, nodes_[node].key_size}; }

  // for (Index i = tree.FirstChild(n); i != tree.End(n); i = tree.Next(i))
  Index FirstChild(Index node) const { return node + 1; }
  Index End(Index node) const { return nodes_[node].end; }
  Index Next(Index child) const { return nodes_[child].end; }

  // A member of an object or element of an array; kNone if it is not there or `node` is neither.
  Index Member(Index node, absl::string_view key) const;
  Index Element(Index node, size_t index) const;
  // Follows steps without [*] from `node`; kNone if the way ends.
  Index Follow(Index node, const std::vector<PathStep>& steps) const;

 private:
  struct Node {
    const char* key = nullptr;
    const char* text = nullptr;
    uint32_t key_size = 0;
    uint32_t text_size = 0;
    Index end = 0;  // the node after the last one inside this one
    Kind kind = Kind::kNull;
  };
  void Add(absl::string_view key, size_t& token);
  absl::string_view Unescaped(size_t token);

  JsonIndex index_;
  JsonBinder checker_;
  std::string buffer_;
  std::string unescaped_;  // as large as the document from the start, so that views of it stay
  std::vector<Node> nodes_;
};

}  // namespace chartly::drone

#endif  // CHARTLY_DRONE_DECODE_JSON_TREE_H_
