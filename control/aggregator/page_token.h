// Opaque page tokens: bytes as hex digits. Plain functions.
#ifndef CHARTLY_CONTROL_AGGREGATOR_PAGE_TOKEN_H_
#define CHARTLY_CONTROL_AGGREGATOR_PAGE_TOKEN_H_

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "chartly/storage/v1/records.pb.h"

namespace chartly::aggregator {

std::string ToHex(absl::string_view bytes);
// InvalidArgument (PAGE_TOKEN_INVALID) unless `token` is empty or `size` bytes in hex.
absl::StatusOr<std::string> FromPageToken(absl::string_view token, size_t size);

// A page that ends here; the next one begins behind it. An empty token gives an empty cursor, which is before all rows.
std::string CursorToken(const storage::v1::ScanCursor& cursor);
absl::StatusOr<storage::v1::ScanCursor> ParseCursorToken(absl::string_view token);

// `limit` of a request: the default if 0, at most `max`. InvalidArgument (LIMIT_INVALID) if it is negative.
absl::StatusOr<int> PageLimit(int limit, int default_limit, int max);

}  // namespace chartly::aggregator

#endif  // CHARTLY_CONTROL_AGGREGATOR_PAGE_TOKEN_H_
