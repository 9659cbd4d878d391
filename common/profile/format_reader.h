// Reads how a payload is written: `source.format`, `shape`, `charset`, `csv`, `unpivot` and the like. Internal to this
// folder.
#ifndef CHARTLY_COMMON_PROFILE_FORMAT_READER_H_
#define CHARTLY_COMMON_PROFILE_FORMAT_READER_H_

#include "common/profile/node_reader.h"
#include "common/profile/profile.h"

namespace chartly {

// The keys of `source` that tell the form of a payload, for NodeReader::Map. Both arguments must outlive them.
std::vector<NodeReader::Key> FormatKeys(NodeReader& reader, SourceConfig& out);

// Files a fault for each key that the format or shape does not use. Requires: FormatKeys have been read.
void CheckFormat(const NodeAt& at, const SourceConfig& source, NodeReader& reader);

}  // namespace chartly

#endif  // CHARTLY_COMMON_PROFILE_FORMAT_READER_H_
