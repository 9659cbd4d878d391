// Where an XML document says how its pages go on. Not thread-safe.
#ifndef CHARTLY_DRONE_DECODE_XML_PAGINATION_H_
#define CHARTLY_DRONE_DECODE_XML_PAGINATION_H_

#include <optional>

#include "absl/status/statusor.h"
#include "common/profile/profile.h"
#include "drone/decode/decoder.h"
#include "drone/decode/xml_path.h"
#include "drone/decode/xml_rows.h"
#include "drone/decode/xml_tree.h"

namespace chartly::drone {

class XmlPagination {
 public:
  // InvalidArgument (PATH_INVALID) if pagination.pages or pagination.next is no path.
  static absl::StatusOr<XmlPagination> Create(const SourceConfig& source, XmlUris& uris);

  // Keeps in the outermost level of `plan` what the paths need.
  void KeepIn(XmlPlan& plan) const;
  // Takes what the paths lead to from the root of the tree, unless it was found before.
  void Look(const XmlTree& root, DecodeResult& result) const;

 private:
  std::optional<XmlPath> pages_;
  std::optional<XmlPath> next_;
};

}  // namespace chartly::drone

#endif  // CHARTLY_DRONE_DECODE_XML_PAGINATION_H_
