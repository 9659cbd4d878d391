// Reads `source.incremental`. Internal to this folder.
#ifndef CHARTLY_COMMON_PROFILE_INCREMENTAL_READER_H_
#define CHARTLY_COMMON_PROFILE_INCREMENTAL_READER_H_

#include "common/profile/node_reader.h"
#include "common/profile/profile.h"

namespace chartly {

void ReadIncremental(const NodeAt& at, NodeReader& reader, IncrementalConfig& out);

}  // namespace chartly

#endif  // CHARTLY_COMMON_PROFILE_INCREMENTAL_READER_H_
