// From the name of a host to the addresses that may be connected, for protocols that libcurl does not speak.
// Thread-safe. Blocks for as long as the resolver of the machine does.
#ifndef CHARTLY_COMMON_NET_RESOLVE_H_
#define CHARTLY_COMMON_NET_RESOLVE_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace chartly::net {

// All addresses of `host` (a name, or an address with or without brackets), in numeric form, in the order in which they
// are to be tried. Whoever connects must use these and not the name, which may mean something else a moment later.
// Unavailable (SOURCE_UNREACHABLE) if there are none.
absl::StatusOr<std::vector<std::string>> Resolve(const std::string& host);

}  // namespace chartly::net

#endif  // CHARTLY_COMMON_NET_RESOLVE_H_
