// Reads `checks` and `expect` of a profile. Internal to this folder.
#ifndef CHARTLY_COMMON_PROFILE_QUALITY_READER_H_
#define CHARTLY_COMMON_PROFILE_QUALITY_READER_H_

#include "common/profile/node_reader.h"
#include "common/profile/profile.h"

namespace chartly {

void ReadChecks(const NodeAt& at, NodeReader& reader, std::vector<CheckConfig>& out);
void ReadExpect(const NodeAt& at, NodeReader& reader, ExpectConfig& out);

}  // namespace chartly

#endif  // CHARTLY_COMMON_PROFILE_QUALITY_READER_H_
