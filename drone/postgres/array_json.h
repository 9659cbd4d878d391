// Array literals of PostgreSQL as JSON arrays. Pure, thread-safe.
#ifndef CHARTLY_DRONE_POSTGRES_ARRAY_JSON_H_
#define CHARTLY_DRONE_POSTGRES_ARRAY_JSON_H_

#include <string>

#include "absl/strings/string_view.h"
#include "drone/postgres/row_json.h"

namespace chartly::drone {

// Appends {{1,2},{3,NULL}} as [[1,2],[3,null]]; bounds before it ([0:1]=) are dropped. False, with a part appended, if
// `text` is no array literal or is nested deeper than the server allows (6).
bool AppendArray(absl::string_view text, CellForm element, std::string& out);

}  // namespace chartly::drone

#endif  // CHARTLY_DRONE_POSTGRES_ARRAY_JSON_H_
