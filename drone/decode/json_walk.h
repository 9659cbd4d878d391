// Finds the rows of a JSON document that is in memory as a whole: at the path in source.records, with what the levels
// around them hold wherever it stands. Nothing is given before all of the document was checked. Not thread-safe.
#ifndef CHARTLY_DRONE_DECODE_JSON_WALK_H_
#define CHARTLY_DRONE_DECODE_JSON_WALK_H_

#include <memory>
#include <optional>
#include <vector>

#include "absl/status/status.h"
#include "drone/decode/json_binder.h"
#include "drone/decode/json_document.h"
#include "drone/decode/json_plan.h"
#include "drone/decode/json_row_reader.h"

namespace chartly::drone {

class JsonWalk {
 public:
  // Requires: both outlive this.
  JsonWalk(const JsonPlan& plan, JsonRowReader& reader);

  // The document that begins at `token`: Check first, then Rows. InvalidArgument as JsonBinder::status.
  absl::Status Check(const JsonIndex& index, size_t token);
  size_t next() const { return binders_[0]->next(); }  // after Check: the token after the document
  // Null in place of the rows is no row: publishers write it for "nothing found". PAYLOAD_NO_RECORDS if the path leads
  // nowhere; where it does so inside one element of an outer [*], only that element is a bad row.
  absl::Status Rows(const JsonIndex& index, size_t token);

  // A field of a level outside the rows; its address stays.
  const Field& outer(size_t level, size_t path) const { return binders_[level]->field(path); }

 private:
  absl::Status Step(size_t value, size_t step, size_t level);
  absl::Status Each(size_t value, size_t step, size_t level);
  absl::Status End(size_t value, size_t level);
  absl::Status Elements(size_t array);
  absl::Status Members(size_t object);
  absl::Status GiveRow(size_t value);
  absl::Status Missing(size_t step, absl::string_view what, size_t level);
  absl::StatusOr<bool> LoneFeature(size_t root);

  const JsonPlan& plan_;
  JsonRowReader& reader_;
  std::vector<std::unique_ptr<JsonBinder>> binders_;  // by level, without the row's
  const JsonIndex* index_ = nullptr;
  std::optional<JsonDocument> document_;
  size_t element_ = 0;  // of the innermost [*]
};

}  // namespace chartly::drone

#endif  // CHARTLY_DRONE_DECODE_JSON_WALK_H_
