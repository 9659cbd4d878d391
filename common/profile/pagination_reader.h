// Reads `source.pagination`. Internal to this folder.
#ifndef CHARTLY_COMMON_PROFILE_PAGINATION_READER_H_
#define CHARTLY_COMMON_PROFILE_PAGINATION_READER_H_

#include "common/profile/node_reader.h"
#include "common/profile/profile.h"

namespace chartly {

void ReadPagination(const NodeAt& at, NodeReader& reader, PaginationConfig& out);

}  // namespace chartly

#endif  // CHARTLY_COMMON_PROFILE_PAGINATION_READER_H_
