// Reads NDJSON: one document a line, to each of which source.records applies. A line that is no JSON is a bad row,
// except a last one without line end: then the payload is truncated. Many lines are indexed together. Not thread-safe.
#ifndef CHARTLY_DRONE_DECODE_JSON_LINES_H_
#define CHARTLY_DRONE_DECODE_JSON_LINES_H_

#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "drone/decode/json_index.h"
#include "drone/decode/json_plan.h"
#include "drone/decode/json_row_reader.h"
#include "drone/decode/json_walk.h"
#include "drone/decode/json_window.h"

namespace chartly::drone {

class JsonLines {
 public:
  // Requires: all outlive this.
  JsonLines(const JsonPlan& plan, JsonRowReader& reader, JsonWalk& walk);

  // Lines have at most `line_bytes` (PAYLOAD_ROW_TOO_LARGE); `window_bytes` are read at a time.
  absl::Status Decode(JsonWindow& window, size_t window_bytes, size_t line_bytes);

 private:
  absl::Status Part(char* text, size_t size, size_t offset, bool last);
  absl::Status Indexed(bool last);
  absl::Status OneByOne(absl::string_view text, size_t offset, bool last);
  // A line whose JSON is wrong, or whose neighbours' is.
  absl::Status Alone(absl::string_view line, size_t offset, bool cut_off);
  absl::Status Check(absl::string_view line, size_t offset);
  // Whether the tokens from `first` up to `next`, which may be known to be without a line end, are all that their line
  // holds.
  bool IsOneLine(size_t first, size_t next, bool without_end) const;
  absl::string_view LineAt(size_t token) const;

  const bool one_row_;  // an object on a line is a row
  JsonRowReader& reader_;
  JsonWalk& walk_;
  JsonIndex index_;
  JsonIndex line_index_;
  std::string line_;
};

}  // namespace chartly::drone

#endif  // CHARTLY_DRONE_DECODE_JSON_LINES_H_
