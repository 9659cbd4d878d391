// The columns of a table (CSV, header-row arrays) and which of them the mapping wants.
#ifndef CHARTLY_DRONE_DECODE_COLUMNS_H_
#define CHARTLY_DRONE_DECODE_COLUMNS_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace chartly::drone {

inline constexpr size_t kMaxColumns = 4096;

// For every path the index of its column: result[slot]. A path is a column's name as it stands, or ["name"].
// InvalidArgument: PAYLOAD_NO_COLUMN names the columns there are, PAYLOAD_DUPLICATE_COLUMN, PAYLOAD_TOO_MANY_COLUMNS.
absl::StatusOr<std::vector<size_t>> BindColumns(const std::vector<std::string>& paths,
                                                const std::vector<std::string>& names);

}  // namespace chartly::drone

#endif  // CHARTLY_DRONE_DECODE_COLUMNS_H_
