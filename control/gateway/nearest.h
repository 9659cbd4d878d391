// The known name that is nearest to a mistyped one. Pure, thread-safe.
#ifndef CHARTLY_CONTROL_GATEWAY_NEAREST_H_
#define CHARTLY_CONTROL_GATEWAY_NEAREST_H_

#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "google/protobuf/descriptor.h"

namespace chartly::gateway {

// Empty if none is near enough to be meant.
std::string NearestName(absl::string_view name, const std::vector<std::string>& known);

std::vector<std::string> FieldNames(const google::protobuf::Descriptor& message);

}  // namespace chartly::gateway

#endif  // CHARTLY_CONTROL_GATEWAY_NEAREST_H_
