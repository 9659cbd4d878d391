// One entry of `join` or `on`, as people write it: "geo.fips=county.id | trim | pad_left 5 0", "time.observed |
// nearest 2h". Pure functions.
#ifndef CHARTLY_CONTROL_REPORTER_JOIN_ENTRY_H_
#define CHARTLY_CONTROL_REPORTER_JOIN_ENTRY_H_

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "control/reporter/join.h"

namespace chartly::reporter {

struct JoinEntry {
  std::vector<std::string> names;  // at least one; bare or with "dims." or "attrs." before it
  std::shared_ptr<const ValuePipeline> rules;
  std::optional<JoinKey::Nearest> nearest;
};

// InvalidArgument: REPORT_FIELD_INVALID, or what is wrong with a function. `where` begins the message: "join[0]".
absl::StatusOr<JoinEntry> ParseJoinEntry(absl::string_view text, absl::string_view where);

}  // namespace chartly::reporter

#endif  // CHARTLY_CONTROL_REPORTER_JOIN_ENTRY_H_
