// The columns of a table (CSV, header-row arrays) and which of them the mapping wants. Pure, thread-safe.
#ifndef CHARTLY_DRONE_DECODE_COLUMNS_H_
#define CHARTLY_DRONE_DECODE_COLUMNS_H_

#include <cstddef>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace chartly::drone {

inline constexpr size_t kMaxColumns = 4096;

// The name that a path means: ["Odd name"] is Odd name, anything else stands for itself.
std::string ColumnName(const std::string& path);

// For every path the index of its column: result[slot]. A path is a column's name as it stands, or ["name"].
// InvalidArgument: PAYLOAD_NO_COLUMN names the columns there are, PAYLOAD_DUPLICATE_COLUMN if a path fits two,
// PAYLOAD_TOO_MANY_COLUMNS.
absl::StatusOr<std::vector<size_t>> BindColumns(const std::vector<std::string>& paths,
                                                const std::vector<std::string>& names);

}  // namespace chartly::drone

#endif  // CHARTLY_DRONE_DECODE_COLUMNS_H_
