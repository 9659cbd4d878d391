// Names of elements and attributes: a local part, and the number of a namespace.
#ifndef CHARTLY_DRONE_DECODE_XML_NAME_H_
#define CHARTLY_DRONE_DECODE_XML_NAME_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace chartly::drone {

using XmlUri = uint8_t;
inline constexpr XmlUri kNoUri = 0;
inline constexpr XmlUri kOtherUri = 254;  // came after kMaxUris others
inline constexpr XmlUri kAnyUri = 255;    // in a path: a name without prefix

struct XmlName {
  absl::string_view local;
  XmlUri uri = kNoUri;
};

// Numbers the namespaces of a source, the first ones that come. Not thread-safe.
class XmlUris {
 public:
  XmlUri Number(absl::string_view uri) {
    if (uri == uris_[last_]) return last_;
    for (size_t i = 0; i < uris_.size(); ++i) {
      if (uris_[i] == uri) return last_ = static_cast<XmlUri>(i);
    }
    if (uris_.size() >= kMaxUris) return kOtherUri;
    uris_.emplace_back(uri);
    return last_ = static_cast<XmlUri>(uris_.size() - 1);
  }

 private:
  static constexpr size_t kMaxUris = 64;
  std::vector<std::string> uris_ = {""};
  XmlUri last_ = 0;
};

}  // namespace chartly::drone

#endif  // CHARTLY_DRONE_DECODE_XML_NAME_H_
