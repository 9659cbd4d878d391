// Opaque page tokens: bytes as hex digits. Plain functions.
#ifndef CHARTLY_CONTROL_AGGREGATOR_PAGE_TOKEN_H_
#define CHARTLY_CONTROL_AGGREGATOR_PAGE_TOKEN_H_

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace chartly::aggregator {

std::string ToHex(absl::string_view bytes);
// InvalidArgument (PAGE_TOKEN_INVALID) unless `token` is empty or `size` bytes in hex.
absl::StatusOr<std::string> FromPageToken(absl::string_view token, size_t size);

// `limit` of a request: the default if 0, at most `max`. InvalidArgument (LIMIT_INVALID) if it is negative.
absl::StatusOr<int> PageLimit(int limit, int default_limit, int max);

}  // namespace chartly::aggregator

#endif  // CHARTLY_CONTROL_AGGREGATOR_PAGE_TOKEN_H_
