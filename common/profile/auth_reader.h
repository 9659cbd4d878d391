// Reads `source.auth`. Internal to this folder.
#ifndef CHARTLY_COMMON_PROFILE_AUTH_READER_H_
#define CHARTLY_COMMON_PROFILE_AUTH_READER_H_

#include "common/profile/node_reader.h"
#include "common/profile/profile.h"

namespace chartly {

void ReadAuth(const NodeAt& at, NodeReader& reader, AuthConfig& out);

// Why a header may not be set by a profile, or empty: it belongs to the connection, or is no name of a header.
absl::string_view CheckHeaderName(absl::string_view name);

}  // namespace chartly

#endif  // CHARTLY_COMMON_PROFILE_AUTH_READER_H_
