// What a profile wants of JSON pages: where the rows are, and for every slot of a row where its field stands. Made once
// a run. Immutable, thread-safe.
//
// Levels count from the outside: level 0 is the document, each [*] of source.records opens one, and the row is the
// last. A path with ^ belongs to a level further out.
#ifndef CHARTLY_DRONE_DECODE_JSON_PLAN_H_
#define CHARTLY_DRONE_DECODE_JSON_PLAN_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "common/normalize/source_path.h"
#include "common/profile/profile.h"

namespace chartly::drone {

struct JsonPlan {
  enum class Where { kLevel, kKey, kNowhere };
  struct Slot {
    Where where = Where::kLevel;
    size_t level = 0;
    size_t path = 0;  // within its level
  };
  using Paths = std::vector<std::vector<PathStep>>;
  static constexpr size_t kNone = ~size_t{0};

  RowShape shape = RowShape::kObjects;
  Path records;
  bool features = false;            // GeoJSON: a Feature alone is a row, too
  std::vector<std::string> names;   // the paths as the mapping writes them
  std::vector<Slot> slots;          // empty for header rows, whose columns the page tells
  std::vector<Paths> levels;        // at least the document's and the row's
  std::vector<size_t> outer_paths;  // by level: how many of its first paths are fields of rows
  size_t pages = kNone;             // pagination: paths of level 0
  size_t next = kNone;

  // Elements of the last [*] are containers of rows, not rows.
  bool in_containers() const { return shape == RowShape::kZipped || shape == RowShape::kKeyed; }
  size_t row_level() const { return levels.size() - 1; }
};

// InvalidArgument (PATH_INVALID) if records, a pagination path or, unless the rows are arrays under a header, a field
// path is wrong.
absl::StatusOr<JsonPlan> MakeJsonPlan(const SourceConfig& source, Format format, const std::vector<std::string>& paths);

// Why there are no rows: step number `step` of source.records, of which `what` is said ("is not there").
std::string NoRecordsMessage(const JsonPlan& plan, size_t step, absl::string_view what);
absl::Status NoRecordsError(const JsonPlan& plan, absl::string_view message);

}  // namespace chartly::drone

#endif  // CHARTLY_DRONE_DECODE_JSON_PLAN_H_
