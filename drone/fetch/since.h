// What an incremental source is asked for: everything since the watermark of the last run. Pure, thread-safe.
#ifndef CHARTLY_DRONE_FETCH_SINCE_H_
#define CHARTLY_DRONE_FETCH_SINCE_H_

#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "chartly/storage/v1/cursor.pb.h"
#include "common/profile/profile.h"

namespace chartly::drone {

// The watermark of `cursor` less the lookback, written as config.format says; before the first watermark config.initial
// as it is, or nothing if that is empty. A time that does not fit the format is rounded down, so that rows come twice
// rather than not at all. InvalidArgument (WATERMARK_INVALID) if the watermark is no time and the format is one.
absl::StatusOr<std::optional<std::string>> SinceText(const IncrementalConfig& config,
                                                     const storage::v1::Cursor& cursor);

}  // namespace chartly::drone

#endif  // CHARTLY_DRONE_FETCH_SINCE_H_
