// Names and page tokens of requests. Pure functions.
#ifndef CHARTLY_CONTROL_COORDINATOR_RESOURCE_NAME_H_
#define CHARTLY_CONTROL_COORDINATOR_RESOURCE_NAME_H_

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace chartly::coordinator {

// The id of "runs/x" for the collection "runs". InvalidArgument (NAME_INVALID) if it has another form.
absl::StatusOr<std::string> ParseName(absl::string_view name, absl::string_view collection);

// The size of a page: `wanted`, or `standard` if 0, at most `most`. InvalidArgument (PAGE_SIZE_INVALID) if negative.
absl::StatusOr<size_t> PageSize(int32_t wanted, size_t standard, size_t most);

// A place in the order of runs; the newest for an empty token. InvalidArgument (PAGE_TOKEN_INVALID).
absl::StatusOr<int64_t> ParseRunToken(absl::string_view token);
std::string MakeRunToken(int64_t sequence);

}  // namespace chartly::coordinator

#endif  // CHARTLY_CONTROL_COORDINATOR_RESOURCE_NAME_H_
