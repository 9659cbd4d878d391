// Reads the `source:` of a profile. Internal to this folder.
#ifndef CHARTLY_COMMON_PROFILE_SOURCE_READER_H_
#define CHARTLY_COMMON_PROFILE_SOURCE_READER_H_

#include "common/profile/node_reader.h"
#include "common/profile/profile.h"

namespace chartly {

void ReadSource(const NodeAt& at, NodeReader& reader, SourceConfig& out);

}  // namespace chartly

#endif  // CHARTLY_COMMON_PROFILE_SOURCE_READER_H_
