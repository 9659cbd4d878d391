// Paths into XML (path.h), with prefixes and predicates made ready for comparing.
#ifndef CHARTLY_DRONE_DECODE_XML_PATH_H_
#define CHARTLY_DRONE_DECODE_XML_PATH_H_

#include <cstddef>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/text/short_text.h"
#include "drone/decode/xml_name.h"

namespace chartly::drone {

// The name that a path wants.
struct XmlNameTest {
  std::string local;
  XmlUri uri = kAnyUri;
  bool Fits(const XmlName& name) const { return (uri == kAnyUri || uri == name.uri) && IsSameText(local, name.local); }
};

struct XmlStep {
  XmlNameTest name;
  std::vector<std::pair<XmlNameTest, std::string>> where;  // attributes and the values they must have
  size_t index = 0;                                        // of those that fit
  bool each = false;                                       // [*]
};

struct XmlPath {
  std::string text;
  size_t levels_up = 0;
  std::vector<XmlStep> steps;  // elements, from the outside in
  XmlNameTest attribute;       // of the last one; none if `local` is empty
};

// Prefix -> URI, as source.namespaces has them.
using XmlNamespaces = std::map<std::string, std::string>;

// A path to a field: no [*]. InvalidArgument (PATH_INVALID) with `what` in front.
absl::StatusOr<XmlPath> ParseXmlFieldPath(absl::string_view text, const XmlNamespaces& namespaces, XmlUris& uris,
                                          absl::string_view what);
// source.records: elements below the root, no attribute, no [n], no ^. PATH_INVALID.
absl::StatusOr<std::vector<XmlStep>> ParseXmlRecordsPath(absl::string_view text, const XmlNamespaces& namespaces,
                                                         XmlUris& uris);

}  // namespace chartly::drone

#endif  // CHARTLY_DRONE_DECODE_XML_PATH_H_
