// The index of kept payloads as text (docs/formats/captures.md): a line for each fetch, with a checksum of its own, so
// that damage to one costs no other. Pure.
#ifndef CHARTLY_DRONE_CAPTURE_CAPTURE_INDEX_H_
#define CHARTLY_DRONE_CAPTURE_CAPTURE_INDEX_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "chartly/storage/v1/capture.pb.h"

namespace chartly::drone {

// With its end.
std::string IndexLine(const storage::v1::CaptureLine& line);
std::string IndexLine(const storage::v1::CapturedFetch& fetch);
std::string IndexLine(const storage::v1::CaptureBounds& bounds);

struct CaptureIndex {
  storage::v1::CaptureBounds bounds;                // the last ones
  std::vector<storage::v1::CapturedFetch> fetches;  // in the order of the lines
  int damaged = 0;                                  // lines that are not what was written, and are left out
  int64_t whole_bytes = 0;                          // up to the end of the last whole line
};

CaptureIndex ParseIndex(absl::string_view text);
std::string IndexText(const CaptureIndex& index);

}  // namespace chartly::drone

#endif  // CHARTLY_DRONE_CAPTURE_CAPTURE_INDEX_H_
