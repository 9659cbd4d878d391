// Reads typed values from a YAML tree and files a fault for each that does not fit. A reader that fails leaves its
// target as it was and goes on, so that one pass finds all faults. Internal to this folder.
#ifndef CHARTLY_COMMON_PROFILE_NODE_READER_H_
#define CHARTLY_COMMON_PROFILE_NODE_READER_H_

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "common/profile/profile_parser.h"
#include "common/profile/yaml_document.h"

namespace chartly {

// A node and where it is. Refers to the tree; cheap to copy.
struct NodeAt {
  const YamlNode* node;
  std::string path;
};

class NodeReader {
 public:
  using ReadValue = std::function<void(const NodeAt&)>;
  struct Key {
    std::string name;
    ReadValue read;      // empty: the key is planned and not known yet
    bool listed = true;  // false: read only to be refused well, and no message offers it
  };
  template <typename T>
  using Choices = std::vector<std::pair<std::string, T>>;

  explicit NodeReader(std::vector<ProfileFault>& faults) : faults_(faults) {}

  void Fault(const NodeAt& at, absl::string_view reason, absl::string_view message);
  // A fault at a position without a node of its own, such as that of a key.
  void FaultAt(int line, int column, absl::string_view path, absl::string_view reason, absl::string_view message);
  // The fault of a value that does not fit: PROFILE_VALUE_INVALID.
  void Invalid(const NodeAt& at, absl::string_view message) { Fault(at, "PROFILE_VALUE_INVALID", message); }

  // Calls the reader of each key that is there. Unknown keys and keys that are not known yet are faults. Returns
  // false (and files a fault) if the node is no map.
  bool Map(const NodeAt& at, const std::vector<Key>& keys);
  // Files PROFILE_KEY_MISSING unless the map has the key.
  void Require(const NodeAt& map, absl::string_view key, absl::string_view example);

  // Not empty, one line, at most `max_bytes`.
  void Text(const NodeAt& at, std::string& out, size_t max_bytes = 1024);
  // As Text, of several lines or empty.
  void LongText(const NodeAt& at, std::string& out, size_t max_bytes = size_t{64} << 10);
  void Boolean(const NodeAt& at, bool& out);
  void Integer(const NodeAt& at, int64_t least, int64_t most, int64_t& out);
  void Number(const NodeAt& at, double& out);
  void Duration(const NodeAt& at, absl::Duration least, absl::Duration most, absl::Duration& out);
  void ByteSize(const NodeAt& at, int64_t most, int64_t& out);
  void Rate(const NodeAt& at, double& out);
  void Rate(const NodeAt& at, RequestRate& out);
  // A part of a whole: "5%" or 0.05, from 0 to 1.
  void Share(const NodeAt& at, double& out);
  void TextMap(const NodeAt& at, std::map<std::string, std::string>& out);
  void TextList(const NodeAt& at, std::vector<std::string>& out);
  // Calls `read` for each item of a list; a single value counts as a list of one.
  void Items(const NodeAt& at, const ReadValue& read);

  // True if the value is one of the choices.
  template <typename T>
  bool Choice(const NodeAt& at, const Choices<T>& choices, T& out) {
    std::vector<std::string> names;
    for (const auto& [name, value] : choices) {
      if (at.node->kind == YamlNode::Kind::kScalar && at.node->text == name) {
        out = value;
        return true;
      }
      names.push_back(name);
    }
    RefuseChoice(at, names);
    return false;
  }

  // Files a fault at `key` of a map if the map has it.
  void RefuseKey(const NodeAt& map, absl::string_view key, absl::string_view why);

 private:
  bool Scalar(const NodeAt& at, absl::string_view expected);
  void RefuseEntry(const NodeAt& map, const YamlEntry& entry, const std::vector<Key>& keys);
  void RefuseChoice(const NodeAt& at, const std::vector<std::string>& names);

  std::vector<ProfileFault>& faults_;
};

// The child of a map. Requires: the map has the key.
NodeAt Child(const NodeAt& map, absl::string_view key);

}  // namespace chartly

#endif  // CHARTLY_COMMON_PROFILE_NODE_READER_H_
