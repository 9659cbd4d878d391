// Picks the rows of a JSON document by the path in source.records.
#ifndef CHARTLY_DRONE_DECODE_JSON_ROWS_H_
#define CHARTLY_DRONE_DECODE_JSON_ROWS_H_

#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "drone/decode/json_tree.h"
#include "drone/decode/path.h"

namespace chartly::drone {

// The document, the element of each [*] on the way, and at the end the row itself; ^ counts from the end.
using RowLevels = std::vector<JsonTree::Index>;

// Calls `on_row` for every row. A path that ends at an array without [*] means its elements; at an object, that one
// row. Null in place of the rows is no row: publishers write it for "nothing found". PAYLOAD_NO_RECORDS if the path
// leads nowhere; where it does so inside one element of an outer [*], only that element goes to `on_unreadable`.
// A status of a callback ends it.
absl::Status ForEachRow(const JsonTree& tree, const Path& records,
                        absl::FunctionRef<absl::Status(const RowLevels& levels)> on_row,
                        absl::FunctionRef<absl::Status(JsonTree::Index element, const std::string& why)> on_unreadable);

}  // namespace chartly::drone

#endif  // CHARTLY_DRONE_DECODE_JSON_ROWS_H_
