// Reads `lookup` of a field of the mapping. Internal to this folder.
#ifndef CHARTLY_COMMON_PROFILE_LOOKUP_READER_H_
#define CHARTLY_COMMON_PROFILE_LOOKUP_READER_H_

#include "common/profile/node_reader.h"
#include "common/profile/profile.h"

namespace chartly {

// {table: {A: 1}, otherwise: quarantine | keep | null | {value: X}}.
void ReadLookup(const NodeAt& at, NodeReader& reader, LookupConfig& out);

}  // namespace chartly

#endif  // CHARTLY_COMMON_PROFILE_LOOKUP_READER_H_
