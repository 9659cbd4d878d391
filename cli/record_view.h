// Records as JSON and as a table: dims, then measures, then attrs, each by its dotted name.
#ifndef CHARTLY_CLI_RECORD_VIEW_H_
#define CHARTLY_CLI_RECORD_VIEW_H_

#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "cli/json.h"
#include "cli/table.h"
#include "common/batch/batch.h"

namespace chartly::cli {

// The columns that any of the records has: "dims.geo.id", in order of role, then of name.
std::vector<std::string> RecordColumns(const std::vector<Json>& records);
Table RecordTable(const std::vector<Json>& records);

// A value with all its digits; times and dates as text.
Json ValueJson(const Value& value);
// Row `row` of a batch: id, dims, measures, attrs.
Json BatchRecordJson(const Batch& batch, uint32_t row, absl::string_view id);

}  // namespace chartly::cli

#endif  // CHARTLY_CLI_RECORD_VIEW_H_
