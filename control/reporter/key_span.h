// Spans of the values of a dim, by which a report that is large is answered a piece at a time.
//
// Values are compared as sortable bytes (docs/formats/chunk.md) without the name of the dim: numbers that are equal
// have the same bytes whatever their type, as keys of joins and groups do. Plain value types.
#ifndef CHARTLY_CONTROL_REPORTER_KEY_SPAN_H_
#define CHARTLY_CONTROL_REPORTER_KEY_SPAN_H_

#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"
#include "common/chunk/sort_key.h"
#include "common/value/value.h"

namespace chartly::reporter {

struct KeySpan {
  std::string from;      // no value is smaller; empty for no bound
  std::string below;     // every value is smaller; empty for no bound
  bool missing = false;  // instead of all that: records without the dim

  bool Holds(absl::string_view bytes) const { return !missing && bytes >= from && (below.empty() || bytes < below); }
};

// Records that are read at once, and between what their values of a dim lie; empty bounds are not known.
struct KeyStretch {
  int64_t rows = 0;
  std::string min;
  std::string max;
};

// Whether a record of the stretch may lie in the span. Requires: a span of values.
inline bool MayMeet(const KeyStretch& stretch, const KeySpan& span) {
  if (!span.below.empty() && !stretch.min.empty() && stretch.min >= span.below) return false;
  return stretch.max.empty() || stretch.max >= span.from;
}

// The sortable bytes of a value. Requires: not null.
inline void AppendSpanBytes(const Value& value, std::string& out) {
  constexpr size_t kEmptyName = 2;
  std::string bytes;
  AppendSortable("", value, bytes);
  out.append(bytes, kEmptyName, bytes.npos);
}

}  // namespace chartly::reporter

#endif  // CHARTLY_CONTROL_REPORTER_KEY_SPAN_H_
