// Reads source.partition, and checks where a source has places for a part of time. Internal to this folder.
#ifndef CHARTLY_COMMON_PROFILE_PARTITION_READER_H_
#define CHARTLY_COMMON_PROFILE_PARTITION_READER_H_

#include "common/profile/node_reader.h"

namespace chartly {

void ReadPartition(const NodeAt& at, NodeReader& reader, PartitionConfig& out);

// Files a fault for each place that is none, and if places and source.partition do not go together. `at` is the source.
void CheckPartition(const NodeAt& at, const SourceConfig& source, NodeReader& reader);

}  // namespace chartly

#endif  // CHARTLY_COMMON_PROFILE_PARTITION_READER_H_
