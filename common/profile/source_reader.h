// Reads the `source:` of a profile. Internal to this folder.
#ifndef CHARTLY_COMMON_PROFILE_SOURCE_READER_H_
#define CHARTLY_COMMON_PROFILE_SOURCE_READER_H_

#include <string>

#include "absl/strings/string_view.h"
#include "common/profile/node_reader.h"
#include "common/profile/profile.h"

namespace chartly {

void ReadSource(const NodeAt& at, NodeReader& reader, SourceConfig& out);

// Why a url cannot be used, or empty. `host` gets its host in lower case.
std::string CheckUrl(absl::string_view url, std::string& host);

}  // namespace chartly

#endif  // CHARTLY_COMMON_PROFILE_SOURCE_READER_H_
