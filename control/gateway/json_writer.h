// A message as JSON, by reflection: snake_case names, scalars also at their default, 64-bit integers as numbers, enums
// by short lower-case name, chartly.v1.Value as a bare scalar with its digits, Timestamp RFC 3339, Duration "90s".
// What is optional and unset is left out. Map keys are in order, so equal messages give equal text. Pure, thread-safe.
#ifndef CHARTLY_CONTROL_GATEWAY_JSON_WRITER_H_
#define CHARTLY_CONTROL_GATEWAY_JSON_WRITER_H_

#include <string>

#include "google/protobuf/message.h"

namespace chartly::gateway {

// On one line, without a line end.
std::string WriteJson(const google::protobuf::Message& message);

}  // namespace chartly::gateway

#endif  // CHARTLY_CONTROL_GATEWAY_JSON_WRITER_H_
