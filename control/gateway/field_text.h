// Scalars of messages as text: what stands in a path, a query or a JSON string. Enums go by their short lower-case
// name. Pure functions, thread-safe.
#ifndef CHARTLY_CONTROL_GATEWAY_FIELD_TEXT_H_
#define CHARTLY_CONTROL_GATEWAY_FIELD_TEXT_H_

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "google/protobuf/descriptor.h"
#include "google/protobuf/message.h"

namespace chartly::gateway {

// RUN_STATUS_SUCCEEDED of RunStatus as "succeeded"; the name as it is if it lacks the prefix.
std::string EnumText(const google::protobuf::EnumValueDescriptor& value);

// Whether the type is google.protobuf.Timestamp or Duration, which JSON writes as text.
bool IsTimeType(const google::protobuf::Descriptor& type);

// Whether the type is chartly.v1.Value, which JSON writes as a bare scalar.
bool IsValueType(const google::protobuf::Descriptor& type);

// Sets the field, or adds to it if it is repeated. Takes scalars, enums (either name, any case), Timestamp (RFC 3339)
// and Duration ("90s"). InvalidArgument (FIELD_INVALID) names `path`, which is the field for people.
absl::Status SetFromText(google::protobuf::Message& message, const google::protobuf::FieldDescriptor& field,
                         absl::string_view text, absl::string_view path);

// Sets a Timestamp or Duration message.
absl::Status SetTimeFromText(google::protobuf::Message& message, absl::string_view text, absl::string_view path);

// The number with that name or digits; InvalidArgument names the known ones.
absl::StatusOr<int> EnumFromText(const google::protobuf::EnumDescriptor& type, absl::string_view text,
                                 absl::string_view path);

// InvalidArgument (FIELD_INVALID) about `path`.
absl::Status FieldError(absl::string_view path, absl::string_view problem);

}  // namespace chartly::gateway

#endif  // CHARTLY_CONTROL_GATEWAY_FIELD_TEXT_H_
