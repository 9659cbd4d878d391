// A YAML text as a tree with positions. What could make a small text large or ambiguous is refused while it is read:
// anchors, aliases, explicit tags, merge keys, duplicate keys, keys that are no text or over 1 KiB, and what exceeds
// its limits. The tree is never larger than the text.
//
// Only yaml_document.cc sees yaml-cpp. Pure and thread-safe.
#ifndef CHARTLY_COMMON_PROFILE_YAML_DOCUMENT_H_
#define CHARTLY_COMMON_PROFILE_YAML_DOCUMENT_H_

#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "common/profile/profile_parser.h"

namespace chartly {

inline constexpr size_t kMaxProfileBytes = size_t{256} << 10;
inline constexpr size_t kMaxProfileDepth = 32;
// Faults past this many are not looked for: a text with a hundred faults is not mended by reading the rest.
inline constexpr size_t kMaxProfileFaults = 100;

struct YamlEntry;

struct YamlNode {
  enum class Kind { kNull, kScalar, kMap, kSequence };
  Kind kind = Kind::kNull;
  int line = 0;                    // one-based
  int column = 0;                  // one-based, in bytes
  std::string text;                // kScalar
  bool quoted = false;             // kScalar: in quotes or a block, so that "5" is text
  std::vector<YamlEntry> entries;  // kMap, in order of the text
  std::vector<YamlNode> items;     // kSequence

  // The value of a key of a map; nullptr if there is none.
  const YamlNode* Find(absl::string_view key) const;
};

struct YamlEntry {
  std::string key;
  int line = 0;
  int column = 0;
  YamlNode value;
};

// The root of the only document, at most kMaxProfileBytes long and kMaxProfileDepth deep; kNull for an empty text. Adds
// to `faults`; the tree is of use only if it added none.
YamlNode ReadYaml(absl::string_view text, std::vector<ProfileFault>& faults);

// The roots of all documents of a text that others made (manifests); empty ones are left out. As above otherwise.
struct YamlLimits {
  size_t bytes = 0;
  size_t depth = 0;
};
std::vector<YamlNode> ReadYamlStream(absl::string_view text, const YamlLimits& limits,
                                     std::vector<ProfileFault>& faults);

// "a" and "b" give "a.b"; "" and "b" give "b". An item of a list is "a[0]".
std::string JoinPath(absl::string_view parent, absl::string_view key);
std::string ItemPath(absl::string_view parent, size_t index);

}  // namespace chartly

#endif  // CHARTLY_COMMON_PROFILE_YAML_DOCUMENT_H_
