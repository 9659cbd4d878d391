// Record ids and keys of the rows of columns: the same as ComputeRecordIds gives for the batch they came from.
#ifndef CHARTLY_COMMON_CHUNK_COLUMN_IDS_H_
#define CHARTLY_COMMON_CHUNK_COLUMN_IDS_H_

#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "common/batch/record_id.h"
#include "common/chunk/column_data.h"

namespace chartly {

// `key`: names of the key dims; all dims if empty. Columns of the roles kSource and kSystem take no part. Requires: all
// dims, measures and attrs of the profile are in the set.
RecordIds ComputeRecordIds(const ColumnSet& columns, absl::string_view profile_id, absl::Span<const std::string> key);

// Only the keys: the key dims are enough.
std::vector<Hash128> ComputeRecordKeys(const ColumnSet& columns, absl::string_view profile_id,
                                       absl::Span<const std::string> key);

}  // namespace chartly

#endif  // CHARTLY_COMMON_CHUNK_COLUMN_IDS_H_
