// The Link header of HTTP (RFC 8288). Pure, thread-safe.
#ifndef CHARTLY_DRONE_FETCH_LINK_HEADER_H_
#define CHARTLY_DRONE_FETCH_LINK_HEADER_H_

#include <optional>
#include <string>

#include "absl/strings/string_view.h"

namespace chartly::drone {

// The target of the first link whose relation is `relation` (without regard to case), as written; several header lines
// are given joined by commas. Nothing if there is none; what comes after a mistake in the header is not read.
std::optional<std::string> FindLink(absl::string_view header, absl::string_view relation);

}  // namespace chartly::drone

#endif  // CHARTLY_DRONE_FETCH_LINK_HEADER_H_
