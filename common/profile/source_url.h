// The url of a source, as a profile may give it. Pure.
#ifndef CHARTLY_COMMON_PROFILE_SOURCE_URL_H_
#define CHARTLY_COMMON_PROFILE_SOURCE_URL_H_

#include <string>

#include "absl/strings/string_view.h"

namespace chartly {

// A host's name or address, in lower case, without scheme and port.
bool IsHost(absl::string_view host);

// Why a url cannot be used, or empty. `host` gets its host in lower case.
std::string CheckUrl(absl::string_view url, std::string& host);

}  // namespace chartly

#endif  // CHARTLY_COMMON_PROFILE_SOURCE_URL_H_
