// What kind of markup a text begins with. Pure, thread-safe.
#ifndef CHARTLY_DRONE_DECODE_MARKUP_H_
#define CHARTLY_DRONE_DECODE_MARKUP_H_

#include "absl/strings/string_view.h"

namespace chartly::drone {

enum class Markup { kNone, kHtml, kFeed, kXml };

// By the first element, after a declaration, comments and a DOCTYPE. Markup whose first element is not in `text` is XML
// if it has an XML declaration, else HTML.
Markup MarkupOf(absl::string_view text);

}  // namespace chartly::drone

#endif  // CHARTLY_DRONE_DECODE_MARKUP_H_
